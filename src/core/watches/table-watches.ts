/**
 * Who is told what is committed to which tables. The writer watches the tables that anybody wants and says after each
 * commit what it has changed; each watch hears of each commit once, with its number, in one letter a turn. One that
 * lost its connection goes on after the last number that it heard, or is told that something is missing.
 *
 *                        the writer watches all its tables
 *   (none) ──watch──► asked ──────────────► open ──unwatch, connection lost──► (none)
 *                       │                    │ ▲
 *                       │ refused            │ └─ the next writer watches: it is told of a gap
 *                       ▼                    └── the writer is gone: stale, and what was committed last is not known
 *                     (none)
 *
 * | state | what holds                                                                | who may end it              |
 * |-------|---------------------------------------------------------------------------|-----------------------------|
 * | asked | not all of its tables are watched; they wait their turn at the writer     | the writer, its connection  |
 * | open  | it has heard, or has in its hands, every commit above its first number    | its client, its connection  |
 * | stale | open, but for a gap that it is told of as soon as it is known up to where | the next writer             |
 *
 * When a connection is lost the tables that it watched stay watched for the window of its session, so that its client can
 * come back and go on without a gap; when a watch is ended, for `watchLingerMs`, so that watches that come and go give the
 * writer nothing to do. That is kept by table: however many connections come and go, it is no more than that.
 *
 * The numbers are the sequences of the writes; they mean something only together with the source: another writer or
 * another file has numbers of its own (rule 22), and so has the writer that does a write again whose number was told as
 * past. Costs the writer nothing when nobody has watched for a while.
 */
import {
  after,
  type ConnectionId,
  type Instant,
  instant,
  type Limits,
  type Millis,
  type Refusal,
  type RequestId,
  refuse,
  seq,
} from "../../terms/index.js";
import type { StoreEvent, UnwatchTablesCommand, WatchTablesCommand } from "../command.js";
import type { Deadline, Deadlines } from "../deadlines.js";
import type { Draft } from "../draft.js";
import type { TableChange } from "../turn.js";
import { ChangeRing } from "./change-ring.js";
import { TellBudget } from "./tell-budget.js";
import { foldedName, inForce, type Table, WatchedTables } from "./watched-tables.js";

export interface TableWatchesParts {
  readonly limits: Limits;
  readonly draft: Draft;
  readonly deadlines: Deadlines;
}

interface Asked {
  readonly request: RequestId;
  readonly after: WatchTablesCommand["after"];
}

interface TableWatch {
  readonly connection: ConnectionId;
  readonly id: number;
  readonly keys: boolean;
  /** By the folded name, as its client spells it. */
  readonly names: ReadonlyMap<string, string>;
  asked: Asked | undefined;
  stale: boolean;
  /** Told when the turn ends. */
  changes: TableChange[];
  /** It would have to be told too much in this turn, and is told of a gap instead. */
  flooded: boolean;
}

type Watched = Extract<StoreEvent, { kind: "tables-watched" }>;
type Changed = Extract<StoreEvent, { kind: "tables-changed" }>;
type Writer = { readonly is: "absent" | "ready" } | { readonly is: "unavailable"; readonly reason: string };

/** What the commits that are kept may take. */
const keptBytesMax = 16 * 1024 * 1024;
/** Of what is told, in bytes as they are written, about: some 10 ms for each MiB. */
const toldBytesMax = { alwaysMax: 64 * 1024, eachMax: 4 * 1024 * 1024, allMax: 16 * 1024 * 1024 };
/** A change without its keys. */
const changeBytes = 128;

export class TableWatches {
  readonly #parts: TableWatchesParts;
  readonly #byConnection = new Map<ConnectionId, Map<number, TableWatch>>();
  readonly #all = new Set<TableWatch>();
  readonly #tables: WatchedTables<TableWatch>;
  readonly #ring: ChangeRing;
  readonly #stirred = new Set<TableWatch>();
  readonly #budget = new TellBudget(toldBytesMax);
  /** What the keys of a change take when they are written. */
  readonly #keysBytes = new WeakMap<object, number>();
  /** How many watches are asked for and not in force. */
  #waiting = 0;
  #linger: Deadline | undefined;
  #writer: Writer = { is: "absent" };
  #incarnation = "";
  #epoch = 0;
  /** How often this writer gave a number that was past: who had heard up to it, and was away, has to hear of a gap. */
  #repeats = 0;
  /** The highest number that anything was told of. */
  #last = seq(0);

  constructor(parts: TableWatchesParts) {
    this.#parts = parts;
    this.#tables = new WatchedTables(parts.draft, parts.limits.tablesTakenUpMax);
    this.#ring = new ChangeRing(parts.limits.changesKeptMax, keptBytesMax);
  }

  /** How many wait for the writer. */
  get waiting(): number {
    return this.#waiting;
  }

  // ── the client ────────────────────────────────────────────────────────────────────────────────────────────────────

  watch(ask: WatchTablesCommand): void {
    const { connection, request, watch: id, tables, keys, after: from } = ask;
    const names = new Map(tables.map((table) => [foldedName(table), table]));
    const refusal = this.#refusal(ask, names);
    if (refusal !== undefined) return this.#refuse({ connection, request }, refusal);
    const asked = { request, after: from };
    const watch: TableWatch = { connection, id, keys, names, asked, stale: false, changes: [], flooded: false };
    const all = this.#byConnection.get(connection) ?? new Map<number, TableWatch>();
    this.#byConnection.set(connection, all);
    all.set(id, watch);
    this.#all.add(watch);
    this.#tables.add(watch);
    this.#waiting++;
    if (this.#isInForce(watch)) this.#answer(watch, asked);
  }

  unwatch({ connection: to, request, watch: id }: UnwatchTablesCommand, now: Instant): void {
    const watch = this.#byConnection.get(to)?.get(id);
    if (watch !== undefined) {
      if (watch.asked !== undefined)
        this.#refuse({ connection: to, ...watch.asked }, refuse("CANCELLED", "the watch was ended before it began"));
      this.#removeLater(watch, after(now, this.#parts.limits.watchLingerMs));
    }
    this.#parts.draft.send.push({ kind: "unwatched", to, request });
  }

  /** Its tables stay watched for so long, so that its client can come back and go on. */
  connectionLost(connection: ConnectionId, windowMs: Millis, now: Instant): void {
    const lost = this.#byConnection.get(connection);
    if (lost === undefined) return;
    for (const watch of [...lost.values()]) this.#removeLater(watch, after(now, windowMs));
  }

  /** Those that were not asked for again in time are watched no more. */
  lingered(now: Instant): void {
    const next = this.#tables.endLingering(now);
    if (next !== undefined) this.#armLinger(next);
  }

  paused(ms: Millis): void {
    this.#tables.paused(ms);
  }

  // ── the store ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Comes before anything is given to the new writer: nothing that it commits is missed. */
  writerReady(epoch: number, incarnation: string): void {
    this.#writer = { is: "ready" };
    this.#epoch = epoch;
    this.#repeats = 0;
    this.#incarnation = incarnation;
    this.#ring.forget();
    for (const watch of this.#all) watch.stale = watch.asked === undefined;
    this.#tables.sendAnew();
  }

  /** The numbers belong to another file now: one that was put back. */
  incarnationIs(incarnation: string): void {
    if (incarnation === this.#incarnation) return;
    this.#incarnation = incarnation;
    this.#missed();
  }

  writerGone(): void {
    this.#writer = { is: "absent" };
  }

  writerUnavailable(reason: string): void {
    this.#writer = { is: "unavailable", reason };
    for (const watch of this.#all)
      if (watch.asked !== undefined && watch.asked.after === undefined) this.#turnAway(watch, noWriter(reason));
  }

  watched({ set, upTo, absent, wrong }: Watched): void {
    const wrongs = new Set(wrong.map(({ table }) => table));
    const tables = this.#tables.inForce(set, upTo, { absent: new Set(absent), wrong: wrongs });
    this.#last = seq(Math.max(this.#last, upTo));
    this.#ring.beginOnce(this.#last);
    for (const { table, what } of wrong) this.#turnAwayFrom(table, what);
    for (const watch of new Set(tables.flatMap(({ watches }) => [...watches]))) {
      if (!this.#isInForce(watch)) continue;
      if (watch.asked !== undefined) this.#answer(watch, watch.asked);
      else if (watch.stale) this.#tellGap(watch);
    }
  }

  changed({ seq: at, outside, tables, bytes }: Changed): void {
    for (const { table: name, schema } of tables) {
      const table = this.#tables.get(name);
      if (table !== undefined && schema !== undefined) table.absent = schema === "dropped";
    }
    // The writer before had committed a later write, and this one is done again: its number is behind what was told.
    if (at <= this.#last) {
      this.#repeats++;
      return this.#missed();
    }
    this.#last = at;
    this.#ring.push({ seq: at, tables, bytes });
    for (const change of tables)
      for (const watch of this.#tables.get(change.table)?.watches ?? []) this.#give(watch, { seq: at, ...change });
    if (outside) this.#missed();
  }

  /** What has happened is told, and what is wanted now is asked of the writer. */
  turnEnded(): void {
    for (const watch of this.#stirred) this.#tell(watch, watch.flooded);
    this.#stirred.clear();
    this.#budget.turnEnded();
    if (this.#writer.is === "ready") this.#tables.sendIfChanged();
    if (this.#tables.empty) this.#ring.forget();
  }

  check(): void {
    this.#ring.check();
    this.#tables.check(this.#all);
    for (const watch of this.#all) {
      if (this.#byConnection.get(watch.connection)?.get(watch.id) !== watch)
        throw new Error("table watches: one is lost, or kept for a connection that is gone");
      if ((watch.changes.length > 0 || watch.flooded) !== this.#stirred.has(watch))
        throw new Error("table watches: one is not told");
    }
    if ([...this.#all].filter(({ asked }) => asked !== undefined).length !== this.#waiting)
      throw new Error("table watches: the count of those that wait is wrong");
    for (const [, all] of this.#byConnection)
      for (const watch of all.values()) if (!this.#all.has(watch)) throw new Error("table watches: one is forgotten");
  }

  // ── the machine ───────────────────────────────────────────────────────────────────────────────────────────────────

  get #source(): string {
    const writer = `${this.#incarnation.slice(0, 16)}.${this.#epoch}`;
    return this.#repeats === 0 ? writer : `${writer}.${this.#repeats}`;
  }

  #isInForce(watch: TableWatch): boolean {
    return this.#writer.is === "ready" && this.#tables.of(watch).every((table) => inForce(table, watch.keys));
  }

  #answer(watch: TableWatch, { request, after: from }: Asked): void {
    const tables = this.#tables.of(watch);
    const absent = tables.filter((table) => table.absent).map(({ name }) => watch.names.get(name) ?? name);
    const missed = from === undefined ? [] : this.#since(watch, from, tables);
    watch.asked = undefined;
    this.#waiting--;
    this.#parts.draft.send.push({
      ...{ kind: "table-watching", to: watch.connection, request },
      ...{ upTo: this.#last, source: this.#source, gap: missed === undefined, absent },
    });
    for (const { seq: at, tables: changes } of missed ?? []) {
      if (watch.flooded) return;
      for (const change of changes) if (watch.names.has(change.table)) this.#give(watch, { seq: at, ...change });
    }
  }

  /** What was committed after what it heard last, if all of that is known. */
  #since(watch: TableWatch, from: NonNullable<Asked["after"]>, tables: readonly Table<TableWatch>[]) {
    if (from.source !== this.#source || from.seq > this.#last) return undefined;
    const known = tables.every((table) => inForce(table, watch.keys, from.seq));
    return known ? this.#ring.after(from.seq) : undefined;
  }

  #give(watch: TableWatch, change: TableChange): void {
    if (watch.stale || watch.asked !== undefined || watch.flooded) return;
    const { keys, keysCut, ...counts } = change;
    const table = watch.names.get(change.table) ?? change.table;
    const isNamed = watch.keys && keys !== undefined;
    const bytes = changeBytes + table.length + (isNamed ? this.#bytesOf(keys) : 0);
    this.#stirred.add(watch);
    if (this.#budget.takes(watch.connection, bytes)) {
      const named = isNamed ? { keys, ...(keysCut === true ? { keysCut } : {}) } : {};
      watch.changes.push({ ...counts, ...named, table });
      return;
    }
    watch.flooded = true;
    watch.changes = [];
  }

  #bytesOf(keys: object): number {
    const known = this.#keysBytes.get(keys);
    if (known !== undefined) return known;
    const bytes = JSON.stringify(keys).length;
    this.#keysBytes.set(keys, bytes);
    return bytes;
  }

  /** Nobody knows all that was committed up to now; from here on it is known again. */
  #missed(): void {
    this.#ring.begin(this.#last);
    this.#tables.beginAgain(this.#last);
    for (const watch of this.#all) if (watch.asked === undefined && !watch.stale) this.#tellGap(watch);
  }

  #tellGap(watch: TableWatch): void {
    watch.stale = false;
    this.#stirred.delete(watch);
    this.#tell(watch, true);
  }

  #tell(watch: TableWatch, gap: boolean): void {
    const { connection: to, id, changes } = watch;
    watch.changes = [];
    watch.flooded = false;
    const upTo = gap ? this.#last : (changes.at(-1)?.seq ?? this.#last);
    this.#parts.draft.send.push({ kind: "table-changes", to, watch: id, source: this.#source, upTo, gap, changes });
  }

  /** Who has heard something already waits for the writer; who begins is told that there is none. */
  #refusal(
    { connection, watch: id, after: from }: WatchTablesCommand,
    names: ReadonlyMap<string, string>,
  ): Refusal | undefined {
    const { watchesPerSessionMax, tablesWatchedMax } = this.#parts.limits;
    const all = this.#byConnection.get(connection);
    if (all?.has(id)) return refuse("PARAMS_INVALID", `watch ${id} is there already; end it, or take another number`);
    if (this.#writer.is === "unavailable" && from === undefined) return noWriter(this.#writer.reason);
    if ((all?.size ?? 0) >= watchesPerSessionMax) {
      const message = `the connection watches tables ${watchesPerSessionMax} times already`;
      return refuse("WATCHES_FULL", message, { limit: "watchesPerSessionMax" });
    }
    if (this.#tables.with(names.keys()) <= tablesWatchedMax) return undefined;
    // Who is here comes before those who may come back.
    this.#tables.endLingering(instant(Number.POSITIVE_INFINITY), names);
    if (this.#tables.with(names.keys()) <= tablesWatchedMax) return undefined;
    return refuse("WATCHES_FULL", `${tablesWatchedMax} tables are watched already`, { limit: "tablesWatchedMax" });
  }

  #turnAwayFrom(table: string, what: string): void {
    for (const watch of this.#tables.get(table)?.watches ?? []) {
      if (watch.asked === undefined) continue;
      const name = watch.names.get(table) ?? table;
      const message = `${JSON.stringify(name)} is ${what}; only tables can be watched`;
      this.#turnAway(watch, refuse("PARAMS_INVALID", message, { table: name }));
    }
  }

  #turnAway(watch: TableWatch, refusal: Refusal): void {
    const { connection, asked } = watch;
    if (asked !== undefined) this.#refuse({ connection, ...asked }, refusal);
    this.#remove(watch);
  }

  #refuse({ connection: to, request }: { connection: ConnectionId; request: RequestId }, refusal: Refusal): void {
    this.#parts.draft.send.push({ kind: "refused", to, request, refusal });
  }

  #armLinger(at: Instant): void {
    if (this.#linger?.armed && this.#linger.at <= at) return;
    this.#parts.deadlines.cancel(this.#linger);
    this.#linger = this.#parts.deadlines.arm("watch-linger", undefined, at);
  }

  /** What the writer watches for it stays watched until then. */
  #removeLater(watch: TableWatch, until: Instant): void {
    this.#tables.linger(watch, until);
    this.#remove(watch);
    this.#armLinger(until);
  }

  #remove(watch: TableWatch): void {
    if (!this.#all.delete(watch)) return;
    if (watch.asked !== undefined) this.#waiting--;
    const all = this.#byConnection.get(watch.connection);
    all?.delete(watch.id);
    if (all?.size === 0) this.#byConnection.delete(watch.connection);
    this.#tables.remove(watch);
    this.#stirred.delete(watch);
  }
}

function noWriter(reason: string): Refusal {
  return refuse("WRITER_UNAVAILABLE", `tables cannot be watched without a writer: ${reason}`);
}
