/**
 * What a program that watches tables knows: each commit that has changed one of them, once and in order, from where it
 * began; or that there is a gap, for which there must be a reason.
 */
import type { TableEffect, TableWatch } from "../../src/client/conversation/index.js";
import type { Work } from "./tables.js";
import { type Commit, type Cursor, epochOf, type ToldTables, writerOf } from "./told-tables.js";

type Row = Readonly<Record<string, unknown>>;

export class TableView {
  readonly watch: TableWatch;
  readonly #truth: ToldTables;
  /** By the folded name, as it spells it. */
  readonly #names: ReadonlyMap<string, string>;
  /** So many commits of all there ever were are done with; absent until it has begun. */
  #done: number | undefined;
  #cursor: Cursor | undefined;
  /** The answer has just come, and a gap may be part of it. */
  #justBegan = false;
  /** A stranger has written: a gap must be told next. */
  #owed = false;

  constructor(watch: TableWatch, truth: ToldTables) {
    this.watch = watch;
    this.#truth = truth;
    this.#names = new Map(watch.filter.tables.map((name) => [name.toLowerCase(), name]));
    this.#cursor = watch.filter.after;
    if (this.#cursor !== undefined) this.#done = truth.through(this.#cursor);
  }

  hear(effect: TableEffect): void {
    switch (effect.kind) {
      case "tables-watched":
        return this.#began();
      case "tables-changed":
        return this.#changed(effect.source, effect.changes);
      case "tables-gap":
        return this.#gap(effect.at);
    }
  }

  /** It watches, and knows of all that was committed. */
  get upToDate(): boolean {
    if (this.watch.state !== "open" || this.#done === undefined || this.#owed) return false;
    return !this.#truth.commits.slice(this.#done).some((commit) => this.#concerns(commit));
  }

  #began(): void {
    const { after } = this.watch;
    if (after === undefined) throw new Error("a watch of tables began nowhere");
    this.#justBegan = true;
    if (this.#cursor !== undefined) return;
    this.#cursor = after;
    this.#done = this.#truth.through(after);
  }

  #changed(source: string, changes: readonly Row[]): void {
    this.#justBegan = false;
    this.#paysFirst();
    for (let at = 0; at < changes.length; ) {
      const seq = Number(changes[at]?.["seq"]);
      const rows = changes.slice(at).filter((row) => row["seq"] === seq);
      at += rows.length;
      this.#commit({ source, seq }, rows);
    }
  }

  /** Told after the commit, once, the next one after the last, with all that it did to these tables. */
  #commit(cursor: Cursor, rows: readonly Row[]): void {
    const { commits } = this.#truth;
    const through = this.#truth.through(cursor);
    const commit = commits[through - 1];
    if (commit?.seq !== cursor.seq || commit.epoch !== epochOf(cursor.source))
      throw new Error(`commit ${cursor.seq} of ${cursor.source} was told, and there is none`);
    if (this.#done === undefined || through <= this.#done)
      throw new Error(`commit ${cursor.seq} was told after ${this.#cursor?.seq} of ${this.#cursor?.source}`);
    const missed = commits.slice(this.#done, through - 1).find((one) => this.#concerns(one));
    if (missed !== undefined) throw new Error(`commit ${missed.seq} was not told before ${cursor.seq}`);
    const told = rows.map(({ table }) => String(table));
    const due = [...commit.works.keys()].flatMap((name) => this.#names.get(name) ?? []);
    if ([...told].sort().join() !== [...due].sort().join())
      throw new Error(`of commit ${cursor.seq} ${told} was told, and it has changed ${due}`);
    for (const row of rows)
      this.#isRight(row, commit.works.get(String(row["table"]).toLowerCase()) as Work, cursor.seq);
    this.#done = through;
    this.#cursor = cursor;
    this.#owed = commit.outside;
  }

  #isRight(row: Row, { keys, schema }: Work, seq: number): void {
    const { keysMax } = this.#truth;
    const wanted = this.watch.filter.keys;
    const named = wanted ? keys.slice(0, keysMax) : undefined;
    const told = (row["keys"] as readonly Row[] | undefined)?.map(({ key }) => (key as readonly unknown[])[0]);
    const isRight =
      row["inserts"] === keys.length &&
      row["schema"] === schema &&
      JSON.stringify(told) === JSON.stringify(named) &&
      (row["keysCut"] === true) === (wanted && keys.length > keysMax);
    if (!isRight) throw new Error(`of commit ${seq} was told ${JSON.stringify(row)}`);
  }

  #gap(at: Cursor): void {
    const through = this.#truth.through(at);
    const before = this.#done ?? 0;
    if (through < before) throw new Error(`a gap up to ${at.seq} was told after ${this.#cursor?.seq}`);
    const isAnother = writerOf(at.source) !== writerOf(this.#cursor?.source ?? "");
    const since = before - this.#truth.repeatedBefore(before);
    const hasReason = this.#truth.commits.slice(since, through).some((commit) => this.#mayBeGap(commit));
    if (!this.#justBegan && !isAnother && !this.#owed && !hasReason)
      throw new Error(`a gap up to ${at.seq} was told for no reason`);
    this.#justBegan = false;
    this.#owed = false;
    this.#done = through;
    this.#cursor = at;
  }

  #paysFirst(): void {
    if (this.#owed) throw new Error(`after commit ${this.#cursor?.seq} a gap had to be told, and was not`);
  }

  /** Something has to be told of it. */
  #concerns({ works, outside }: Commit): boolean {
    return outside || [...works.keys()].some((name) => this.#names.has(name));
  }

  #mayBeGap({ works, outside }: Commit): boolean {
    const isTooMuch = this.watch.filter.keys && [...works].some(([name, { bulky }]) => bulky && this.#names.has(name));
    return outside || isTooMuch;
  }
}
