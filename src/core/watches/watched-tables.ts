/**
 * Which tables are watched, for whom, and since when the writer watches them. It is told what changes in that a few
 * tables at a time (`tablesTakenUpMax`), and of the next when these are in force: between two groups of writes it does no
 * more than that, and one that is busy and does not read has no more waiting for it. The connections that want tables
 * take turns.
 *
 *            add                 asked for                     in force
 *   (none) ───────► wanted ─────────────────► wanted, asked ─────────────► told
 *                     │                          │                          │  nobody wants it any more: leaving
 *                     └─ not wanted any more     └──────────────────────────┤
 *                        ▼                                                  ▼
 *                      (none) ◄──────────────── dropped ◄──────────────── leaving ──wanted again──► as it was
 */
import { after, type ConnectionId, type Instant, later, type Millis, type Seq } from "../../terms/index.js";
import type { Draft } from "../draft.js";

export interface Table<Watch> {
  /** Folded. */
  readonly name: string;
  readonly watches: Set<Watch>;
  /** How many of them want keys. */
  keys: number;
  /** What the writer was asked for last. */
  asked: Wish;
  /** Every commit with a higher number is told; absent until the writer says so. */
  since: Seq | undefined;
  /** The same with keys. */
  keysSince: Seq | undefined;
  absent: boolean;
  /** The writer has said that it is no table, or one that cannot be watched. */
  wrong: boolean;
  /** Somebody wants it who has come since then: the writer is to look again. */
  again: boolean;
  /** Until then it stays watched for those who may come back, without keys and with them. */
  lingersUntil: Instant | undefined;
  keysLingerUntil: Instant | undefined;
}

/** Nothing; how many rows; and which. */
type Wish = "nothing" | "counts" | "keys";

interface Wanted {
  readonly connection: ConnectionId;
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

function wishFor<Watch>({ watches, keys, lingersUntil, keysLingerUntil }: Table<Watch>): Wish {
  if (keys > 0 || keysLingerUntil !== undefined) return "keys";
  return watches.size > 0 || lingersUntil !== undefined ? "counts" : "nothing";
}

export class WatchedTables<Watch extends Wanted> {
  readonly #draft: Draft;
  /** How many tables the writer takes up at once, and how many it gives up. */
  readonly #takenUpMax: number;
  readonly #tables = new Map<string, Table<Watch>>();
  /** Nobody wants them any more, and the writer does not know it yet. */
  readonly #leaving = new Map<string, Table<Watch>>();
  /** How often the writer was asked. */
  #set = 0;
  /** What it was asked for last and has not answered. */
  #awaited: readonly Table<Watch>[] | undefined;
  /** There may be something to ask for. */
  #changed = false;
  /** Whose turn was the last. */
  #served = 0;

  constructor(draft: Draft, takenUpMax: number) {
    this.#draft = draft;
    this.#takenUpMax = takenUpMax;
  }

  get(name: string): Table<Watch> | undefined {
    return this.#tables.get(name) ?? this.#leaving.get(name);
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

  /** Nobody wants any, and the writer watches none. */
  get empty(): boolean {
    return this.#tables.size + this.#leaving.size === 0;
  }

  add(watch: Watch): void {
    for (const name of watch.names.keys()) {
      const table = this.#tables.get(name) ?? this.#leaving.get(name) ?? newTable<Watch>(name);
      this.#leaving.delete(name);
      this.#tables.set(name, table);
      table.watches.add(watch);
      if (watch.keys) table.keys++;
      if (table.wrong) lookAgain(table);
    }
    this.#changed = true;
  }

  remove(watch: Watch): void {
    for (const table of this.of(watch)) {
      table.watches.delete(watch);
      if (watch.keys) table.keys--;
      this.#leaveIfUnwanted(table);
    }
  }

  /** What the writer watches for it stays watched until then, when it is removed. */
  linger(watch: Watch, until: Instant): void {
    for (const table of this.of(watch)) {
      if (table.since === undefined || table.wrong) continue;
      table.lingersUntil = later(table.lingersUntil ?? until, until);
      if (!watch.keys || table.keysSince === undefined) continue;
      table.keysLingerUntil = later(table.keysLingerUntil ?? until, until);
    }
  }

  /** Those for which the time has come are not kept any more. Gives when it comes for the next one. */
  endLingering(now: Instant, except?: ReadonlyMap<string, string>): Instant | undefined {
    let next: Instant | undefined;
    for (const table of this.#tables.values()) {
      if (except?.has(table.name) === true) continue;
      if (table.keysLingerUntil !== undefined && table.keysLingerUntil <= now) table.keysLingerUntil = undefined;
      if (table.lingersUntil !== undefined && table.lingersUntil <= now) table.lingersUntil = undefined;
      this.#leaveIfUnwanted(table);
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

  /** To a writer that has never heard of any. Who may come back finds other numbers, and a gap, however it is. */
  sendAnew(): void {
    for (const table of this.#tables.values()) {
      table.asked = "nothing";
      table.since = undefined;
      table.keysSince = undefined;
      table.wrong = false;
      table.again = false;
      table.lingersUntil = undefined;
      table.keysLingerUntil = undefined;
      this.#leaveIfUnwanted(table);
    }
    this.#leaving.clear();
    this.#awaited = undefined;
    this.#changed = true;
    this.sendIfChanged();
  }

  sendIfChanged(): void {
    if (!this.#changed || this.#awaited !== undefined) return;
    const taken = this.#nextTaken();
    const dropped = [...this.#leaving.keys()].slice(0, this.#takenUpMax);
    const lessened = this.#lessened(this.#takenUpMax - dropped.length);
    const asked = [...taken, ...lessened];
    this.#changed = asked.length + dropped.length > 0;
    if (!this.#changed) return;
    for (const table of asked) {
      table.asked = wishFor(table);
      table.again = false;
    }
    for (const table of lessened) table.keysSince = undefined;
    for (const name of dropped) this.#leaving.delete(name);
    this.#awaited = asked;
    const tables = asked.map(({ name, asked: wish }) => ({ table: name, keys: wish === "keys" }));
    this.#draft.dispatch.push({ to: "writer", kind: "watch", set: ++this.#set, tables, dropped });
  }

  /** The writer has done what it was asked for. Gives the tables that this was about. */
  inForce(
    set: number,
    upTo: Seq,
    { absent, wrong }: { readonly absent: ReadonlySet<string>; readonly wrong: ReadonlySet<string> },
  ): readonly Table<Watch>[] {
    const asked = this.#awaited;
    if (set !== this.#set || asked === undefined) return [];
    this.#awaited = undefined;
    for (const table of asked) {
      table.since ??= upTo;
      if (table.asked === "keys") table.keysSince ??= upTo;
      table.absent = absent.has(table.name);
      table.wrong = wrong.has(table.name);
    }
    return asked;
  }

  /** What was committed up to here is not known any more. */
  beginAgain(upTo: Seq): void {
    for (const table of [...this.#tables.values(), ...this.#leaving.values()]) {
      if (table.since !== undefined) table.since = upTo;
      if (table.keysSince !== undefined) table.keysSince = upTo;
    }
  }

  check(watches: ReadonlySet<Watch>): void {
    let all = 0;
    for (const table of this.#tables.values()) {
      const keys = [...table.watches].filter((watch) => watch.keys).length;
      if (keys !== table.keys) throw new Error("watched tables: the counts are wrong");
      if (wishFor(table) === "nothing") throw new Error("watched tables: one is watched for nobody");
      if (table.asked === "nothing" && table.watches.size === 0)
        throw new Error("watched tables: one is kept for those who never had it");
      if (table.keysSince !== undefined && (table.since === undefined || table.asked !== "keys"))
        throw new Error("watched tables: keys are told that nobody asked for");
      all += table.watches.size;
    }
    for (const table of this.#leaving.values())
      if (wishFor(table) !== "nothing" || table.asked === "nothing" || this.#tables.has(table.name))
        throw new Error("watched tables: one leaves that is wanted, or that the writer does not have");
    for (const { names } of watches) all -= names.size;
    if (all !== 0) throw new Error("watched tables: a watch is not with its tables");
  }

  #leaveIfUnwanted(table: Table<Watch>): void {
    const wish = wishFor(table);
    if (wish !== table.asked) this.#changed = true;
    if (wish !== "nothing") return;
    this.#tables.delete(table.name);
    if (table.asked !== "nothing") this.#leaving.set(table.name, table);
  }

  /** Turn about between those who want them, each in the order in which it has asked. */
  #nextTaken(): readonly Table<Watch>[] {
    const lines = this.#lines();
    const owners = [...lines.keys()].sort((a, b) => a - b);
    const next = owners.findIndex((owner) => owner > this.#served);
    const round = [...owners.slice(Math.max(next, 0)), ...owners.slice(0, Math.max(next, 0))];
    const taken = new Set<Table<Watch>>();
    for (let place = 0; round.some((owner) => place < (lines.get(owner)?.length ?? 0)); place++)
      for (const owner of round) {
        const table = lines.get(owner)?.[place];
        if (table === undefined) continue;
        taken.add(table);
        this.#served = owner;
        if (taken.size === this.#takenUpMax) return [...taken];
      }
    return [...taken];
  }

  /** What each connection wants that the writer has not been asked for. */
  #lines(): ReadonlyMap<ConnectionId, readonly Table<Watch>[]> {
    const lines = new Map<ConnectionId, Table<Watch>[]>();
    for (const table of this.#tables.values()) {
      const wish = wishFor(table);
      const isAsked = wish === table.asked || (wish === "counts" && table.asked === "keys");
      if (isAsked && !table.again) continue;
      const owners = new Set([...table.watches].map(({ connection }) => connection));
      for (const owner of owners) {
        const line = lines.get(owner);
        if (line === undefined) lines.set(owner, [table]);
        else line.push(table);
      }
    }
    return lines;
  }

  /** Some whose keys nobody wants any more. */
  #lessened(max: number): readonly Table<Watch>[] {
    const all = [...this.#tables.values()];
    return all.filter((table) => table.asked === "keys" && wishFor(table) === "counts").slice(0, max);
  }
}

/** What was a view may be a table by now; until the writer has said so it is not in force. */
function lookAgain<Watch>(table: Table<Watch>): void {
  table.again = true;
  table.since = undefined;
  table.keysSince = undefined;
}

function newTable<Watch>(name: string): Table<Watch> {
  return {
    ...{ name, watches: new Set<Watch>(), keys: 0, asked: "nothing" },
    ...{ since: undefined, keysSince: undefined, absent: false },
    ...{ wrong: false, again: false },
    ...{ lingersUntil: undefined, keysLingerUntil: undefined },
  };
}
