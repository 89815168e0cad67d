/**
 * Which tables are watched, for whom, and since when the writer watches them: sets of them, sent whole and numbered. The
 * next set is sent when the one before is in force: a writer that is busy does not read, and what it is sent meanwhile
 * would fill the memory of the broker.
 */
import { after, type Instant, later, type Millis, type Seq } from "../../terms/index.js";
import type { Draft } from "../draft.js";

export interface Table<Watch> {
  /** Folded. */
  readonly name: string;
  readonly watches: Set<Watch>;
  /** How many of them want keys. */
  keys: number;
  /** Every commit with a higher number is told; absent until the writer says so. */
  since: Seq | undefined;
  /** The same with keys. */
  keysSince: Seq | undefined;
  /** The sets in which it was asked for first, without keys and with them. */
  set: number;
  keysSet: number;
  absent: boolean;
  /** Until then it stays watched for those whose connection was lost, without keys and with them. */
  lingersUntil: Instant | undefined;
  keysLingerUntil: Instant | undefined;
}

interface Wanted {
  readonly keys: boolean;
  readonly names: ReadonlyMap<string, string>;
}

/** SQLite's own way: the letters A to Z, and no others. */
export function foldedName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/** Every commit is told, with keys where they are wanted, and has been since that number. */
export function inForce<Watch>(table: Table<Watch>, keys: boolean, from?: number): boolean {
  const since = keys ? table.keysSince : table.since;
  return since !== undefined && (from === undefined || since <= from);
}

function wantsKeys<Watch>({ keys, keysLingerUntil }: Table<Watch>): boolean {
  return keys > 0 || keysLingerUntil !== undefined;
}

export class WatchedTables<Watch extends Wanted> {
  readonly #draft: Draft;
  readonly #tables = new Map<string, Table<Watch>>();
  /** The last that was sent. */
  #set = 0;
  /** It is not in force yet. */
  #awaited = false;
  #changed = false;

  constructor(draft: Draft) {
    this.#draft = draft;
  }

  get(name: string): Table<Watch> | undefined {
    return this.#tables.get(name);
  }

  of({ names }: Watch): Table<Watch>[] {
    return [...names.keys()].map((name) => this.#tables.get(name) as Table<Watch>);
  }

  /** How many there would be with these. */
  with(names: Iterable<string>): number {
    let more = 0;
    for (const name of names) if (!this.#tables.has(name)) more++;
    return this.#tables.size + more;
  }

  get size(): number {
    return this.#tables.size;
  }

  add(watch: Watch): void {
    for (const name of watch.names.keys()) {
      const table = this.#tables.get(name) ?? this.#new(name);
      table.watches.add(watch);
      if (!watch.keys) continue;
      const keysWanted = wantsKeys(table);
      table.keys++;
      if (keysWanted) continue;
      table.keysSet = this.#set + 1;
      this.#changed = true;
    }
  }

  remove(watch: Watch): void {
    for (const name of watch.names.keys()) {
      const table = this.#tables.get(name) as Table<Watch>;
      const keysWanted = wantsKeys(table);
      table.watches.delete(watch);
      if (watch.keys) table.keys--;
      this.#dropUnwanted(table, keysWanted);
    }
  }

  /** The tables of a watch stay watched until then, when it is removed. */
  linger(watch: Watch, until: Instant): void {
    for (const name of watch.names.keys()) {
      const table = this.#tables.get(name) as Table<Watch>;
      table.lingersUntil = later(table.lingersUntil ?? until, until);
      if (watch.keys) table.keysLingerUntil = later(table.keysLingerUntil ?? until, until);
    }
  }

  /** Those for which the time has come are not kept any more. Gives when it comes for the next one. */
  endLingering(now: Instant, except?: ReadonlyMap<string, string>): Instant | undefined {
    let next: Instant | undefined;
    for (const table of this.#tables.values()) {
      if (except?.has(table.name) === true) continue;
      const keysWanted = wantsKeys(table);
      if (table.keysLingerUntil !== undefined && table.keysLingerUntil <= now) table.keysLingerUntil = undefined;
      if (table.lingersUntil !== undefined && table.lingersUntil <= now) table.lingersUntil = undefined;
      this.#dropUnwanted(table, keysWanted);
      for (const until of [table.lingersUntil, table.keysLingerUntil])
        if (until !== undefined && (next === undefined || until < next)) next = until;
    }
    return next;
  }

  /** The broker stood still: no time has passed for anybody. */
  paused(ms: Millis): void {
    for (const table of this.#tables.values()) {
      if (table.lingersUntil !== undefined) table.lingersUntil = after(table.lingersUntil, ms);
      if (table.keysLingerUntil !== undefined) table.keysLingerUntil = after(table.keysLingerUntil, ms);
    }
  }

  #dropUnwanted(table: Table<Watch>, keysWanted: boolean): void {
    if (keysWanted && !wantsKeys(table)) {
      table.keysSince = undefined;
      this.#changed = true;
    }
    if (table.watches.size > 0 || table.lingersUntil !== undefined) return;
    this.#tables.delete(table.name);
    this.#changed = true;
  }

  /** To a writer that has never heard of any. */
  sendAnew(): void {
    for (const table of this.#tables.values()) {
      table.since = undefined;
      table.keysSince = undefined;
      table.set = this.#set + 1;
      table.keysSet = this.#set + 1;
    }
    this.#changed = this.#tables.size > 0;
    this.#awaited = false;
    this.sendIfChanged();
  }

  sendIfChanged(): void {
    if (!this.#changed || this.#awaited) return;
    this.#changed = false;
    this.#awaited = true;
    const tables = [...this.#tables.values()].map((table) => ({ table: table.name, keys: wantsKeys(table) }));
    this.#draft.dispatch.push({ to: "writer", kind: "watch", set: ++this.#set, tables });
  }

  /** The writer has this set, or a later one. */
  inForce(set: number, upTo: Seq, absent: ReadonlySet<string>): void {
    if (set === this.#set) this.#awaited = false;
    for (const table of this.#tables.values()) {
      if (table.set > set) continue;
      table.since ??= upTo;
      table.absent = absent.has(table.name);
      if (wantsKeys(table) && table.keysSet <= set) table.keysSince ??= upTo;
    }
  }

  /** What was committed up to here is not known any more. */
  beginAgain(upTo: Seq): void {
    for (const table of this.#tables.values()) {
      if (table.since !== undefined) table.since = upTo;
      if (table.keysSince !== undefined) table.keysSince = upTo;
    }
  }

  check(watches: ReadonlySet<Watch>): void {
    let all = 0;
    for (const table of this.#tables.values()) {
      const keys = [...table.watches].filter((watch) => watch.keys).length;
      if (keys !== table.keys) throw new Error("watched tables: the counts are wrong");
      if (table.watches.size === 0 && table.lingersUntil === undefined)
        throw new Error("watched tables: one is watched for nobody");
      if (table.keysSince !== undefined && (table.since === undefined || !wantsKeys(table)))
        throw new Error("watched tables: keys are told that nobody wants");
      all += table.watches.size;
    }
    for (const { names } of watches) all -= names.size;
    if (all !== 0) throw new Error("watched tables: a watch is not with its tables");
  }

  #new(name: string): Table<Watch> {
    const set = this.#set + 1;
    const unknown = { since: undefined, keysSince: undefined, absent: false };
    const nothing = { keys: 0, ...unknown, lingersUntil: undefined, keysLingerUntil: undefined };
    const table: Table<Watch> = { name, watches: new Set(), ...nothing, set, keysSet: set };
    this.#tables.set(name, table);
    this.#changed = true;
    return table;
  }
}
