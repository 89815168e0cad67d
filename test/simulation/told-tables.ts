/**
 * What the writer's process tells of watched tables, and what it should be compared with: every commit there ever was,
 * in order, whoever lived to tell of it.
 */
import type { ChangedKey, ChangedTable, Job, StoreEvent } from "../../src/core/index.js";
import type { Applied } from "../core/support/fake-writer.js";
import { seqOf } from "../core/support/values.js";
import type { Random } from "./random.js";
import { changeable, tables, view, type Work, type Works, worksOf } from "./tables.js";

type WatchJob = Extract<Job, { to: "writer"; kind: "watch" }>;

export interface Commit {
  /** Of the writer's life: a number means something only within it. */
  readonly epoch: number;
  readonly seq: number;
  /** A stranger has written before it, and who watches then has to be told of a gap. */
  readonly outside: boolean;
  readonly works: Works;
  /** The changeable table is there. */
  readonly exists: boolean;
}

export interface Cursor {
  readonly seq: number;
  readonly source: string;
}

export interface ToldTablesParts {
  readonly random: Random;
  readonly keysMax: number;
  readonly tablesTakenUpMax: number;
  readonly writer: { readonly epoch: number; readonly storedSeq: number };
}

/** Of commits while anything is watched. */
const outsideChance = 0.03;
/** How often a writer that dies after a commit has told of its changes. */
const saidChance = 0.5;
/** More than may be told on a connection in a turn: about 4 MiB. */
const hugeKey = "x".repeat(4_400_000);

export class ToldTables {
  readonly commits: Commit[] = [];
  /** Where somebody stopped to hear, who may go on in another life of his. */
  cursor: Cursor | undefined;
  readonly #parts: ToldTablesParts;
  /** In force, with whether keys are wanted. */
  readonly #set = new Map<string, boolean>();
  #asked: WatchJob | undefined;
  /** Of commits whose answers have not left. */
  #due: StoreEvent[] = [];

  constructor(parts: ToldTablesParts) {
    this.#parts = parts;
  }

  // ── the writer's process ──────────────────────────────────────────────────────────────────────────────────────────

  /** Not before it has answered what it was asked for before: it may be busy for long. */
  asked(job: WatchJob): void {
    if (this.busy) throw new Error("the writer was told to watch twice at once");
    const { tablesTakenUpMax } = this.#parts;
    if (job.tables.length > 2 * tablesTakenUpMax || job.dropped.length > tablesTakenUpMax)
      throw new Error(
        `the writer was told to watch ${job.tables.length} tables at once, and ${job.dropped.length} no more`,
      );
    this.#asked = job;
  }

  /** It is asked for something that it has not done. */
  get busy(): boolean {
    return this.#asked !== undefined;
  }

  /** Between groups; gives what to say of it, if anything was asked for. */
  takeUp(): StoreEvent[] {
    const job = this.#asked;
    if (job === undefined) return [];
    this.#asked = undefined;
    for (const name of job.dropped) {
      if (!this.#set.delete(name)) throw new Error(`the writer was told to watch ${name} no more, which it did not`);
    }
    for (const { table, keys } of job.tables) {
      if (this.#set.get(table) === keys && table !== view)
        throw new Error(`the writer was told to watch ${table}, which it did already`);
      this.#set.set(table, keys);
    }
    const names = job.tables.map(({ table }) => table);
    const absent = names.includes(changeable) && !this.exists ? [changeable] : [];
    const wrong = names.includes(view) ? [{ table: view, what: "a view" }] : [];
    return [{ kind: "tables-watched", set: job.set, upTo: seqOf(this.#parts.writer.storedSeq), absent, wrong }];
  }

  committed(seq: number, applied: readonly Applied[]): void {
    const { random, writer } = this.#parts;
    const { works, exists } = worksOf(applied, this.exists);
    const outside = this.#set.size > 0 && random.chance(outsideChance);
    this.commits.push({ epoch: writer.epoch, seq, outside, works, exists });
    const changed = [...works].filter(([table]) => this.#set.has(table)).map((one) => this.#changed(...one));
    if (changed.length === 0 && !outside) return;
    const bytes = changed.reduce((sum, { keys = [] }) => sum + 100 + 20 * keys.length + hugeBytes(keys), 0);
    this.#due.push({ kind: "tables-changed", seq: seqOf(seq), outside, tables: changed, bytes });
  }

  /** What leaves before the answers. */
  take(): StoreEvent[] {
    return this.#due.splice(0);
  }

  /** Gives what left before. */
  died(): StoreEvent[] {
    const said = this.#due.length > 0 && this.#parts.random.chance(saidChance) ? this.take() : [];
    this.forget();
    return said;
  }

  forget(): void {
    this.#asked = undefined;
    this.#set.clear();
    this.#due = [];
  }

  /** Where nobody watches, nothing is watched. */
  check(): void {
    if (this.#set.size > 0) throw new Error(`the writer watches ${[...this.#set.keys()]} for nobody`);
  }

  #changed(table: string, { keys, schema, bulky }: Work): ChangedTable {
    const { keysMax } = this.#parts;
    const counts = { table, inserts: keys.length, updates: 0, deletes: 0, ...(schema === undefined ? {} : { schema }) };
    if (this.#set.get(table) !== true) return counts;
    const named = [...(bulky ? [hugeKey] : []), ...keys.slice(0, keysMax)];
    const rows = named.map((key) => ({ change: "insert" as const, key: [key] }));
    return { ...counts, keys: rows, ...(keys.length > keysMax ? { keysCut: true } : {}) };
  }

  // ── as it was ─────────────────────────────────────────────────────────────────────────────────────────────────────

  get exists(): boolean {
    return this.commits.at(-1)?.exists ?? false;
  }

  get keysMax(): number {
    return this.#parts.keysMax;
  }

  /** How many commits there were up to this number, those of the writers before included. */
  through({ seq, source }: Cursor): number {
    const epoch = epochOf(source);
    const isLater = (one: Commit) => one.epoch > epoch || (one.epoch === epoch && one.seq > seq);
    let through = this.commits.length;
    while (through > 0 && isLater(this.commits[through - 1] as Commit)) through--;
    return through;
  }

  /**
   * How many of the last of so many commits have numbers that the writers before had reached: repeated writes, whose answers
   * were stored, or that were refused then. A gap up to such a number may have been told before they were committed.
   */
  repeatedBefore(through: number): number {
    const done = this.commits.slice(0, through);
    const { epoch = 0 } = done.at(-1) ?? {};
    const reached = Math.max(0, ...done.filter((one) => one.epoch < epoch).map(({ seq }) => seq));
    return done.filter((one) => one.epoch === epoch && one.seq <= reached).length;
  }

  /** Of these, those that do not exist at that time. */
  absentAt(cursor: Cursor, names: readonly string[]): readonly string[] {
    const exists = this.commits[this.through(cursor) - 1]?.exists ?? false;
    return names.filter((name) => !tables.includes(name) || (name === changeable && !exists));
  }
}

function hugeBytes(keys: readonly ChangedKey[]): number {
  return keys[0]?.key[0] === hugeKey ? hugeKey.length : 0;
}

/** Of a source that was nobody's, that of no writer. */
export function epochOf(source: string): number {
  return Number(source.split(".")[1]);
}

/** Without how often that writer gave a number that was past. */
export function writerOf(source: string): string {
  return source.split(".", 2).join(".");
}
