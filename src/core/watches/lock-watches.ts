/**
 * Who is told what happens to which names: one name, or all that begin so. Each watch hears every event once, numbered,
 * in one letter a turn; one that comes back says what it heard last and goes on from there, or is told that something is
 * missing and how things are now.
 *
 *   (none) ──watch──► watching ──unwatch, its connection is gone──► (none)
 *                       │  ▲
 *                       └──┘ the same number again: another takes its place
 *
 * | state    | what holds                                                              | who may end it             |
 * |----------|-------------------------------------------------------------------------|----------------------------|
 * | watching | what it has not heard is in its hands until the turn ends, in order     | its client, its connection |
 *
 * Costs nothing while nobody watches: then no event is made. When the last watch is gone, events are still kept until
 * all that could be gone on from is written over, for somebody who lost his connection comes back.
 */
import {
  type ConnectionId,
  type Instant,
  type Limits,
  type LockName,
  type Refusal,
  refuse,
} from "../../terms/index.js";
import type { UnwatchCommand, WatchCommand } from "../command.js";
import type { Draft } from "../draft.js";
import type { History } from "../locks/history.js";
import type { LockEvent, LockView } from "../turn.js";
import { EventRing } from "./event-ring.js";
import { NameIndex } from "./name-index.js";
import { TellBudget } from "./tell-budget.js";

export interface LockWatchesParts {
  readonly limits: Limits;
  readonly draft: Draft;
  readonly history: History;
  /** How the watched names are now. Undefined: that is too much for one answer. */
  readonly shown: (name: LockName | undefined, prefix: string) => LockView[] | undefined;
}

/** Events: one takes some 300 bytes, and 2 µs to be written. */
const toldMax = { alwaysMax: 1000, eachMax: 50_000, allMax: 100_000 };
const tooMuchToShow = refuse("RESULT_TOO_LARGE", "what it watches is too much to be shown at once: watch fewer names");
const tooMuch = refuse("SLOW_CONSUMER", "what is watched on this connection would be too much to be told at once");

interface Watch {
  readonly connection: ConnectionId;
  readonly id: number;
  readonly name: LockName | undefined;
  readonly prefix: string;
  /** Told when the turn ends. */
  events: LockEvent[];
}

export class LockWatches {
  readonly #parts: LockWatchesParts;
  readonly #byConnection = new Map<ConnectionId, Map<number, Watch>>();
  readonly #index = new NameIndex<Watch>();
  readonly #ring: EventRing;
  /** Those that have something to be told. */
  readonly #stirred = new Set<Watch>();
  readonly #budget = new TellBudget(toldMax);
  /** Those that would have to be told too much in this turn. */
  readonly #flooded = new Set<ConnectionId>();
  #watches = 0;
  /** Events that came while nobody watched. */
  #unheard = 0;
  /** The last that was heard of the time. */
  #now = 0 as Instant;

  constructor(parts: LockWatchesParts) {
    this.#parts = parts;
    this.#ring = new EventRing(parts.limits.lockEventsKeptMax);
  }

  watch(ask: WatchCommand, now: Instant): void {
    const { connection: to, request, watch: id, name, prefix, after } = ask;
    const { draft, history, shown } = this.#parts;
    this.#now = now;
    const before = this.#byConnection.get(to)?.get(id);
    if (before !== undefined) this.#remove(before);
    const refusal = this.#refusal(ask);
    if (refusal !== undefined) {
      draft.send.push({ kind: "refused", to, request, refusal });
      return;
    }
    const watch: Watch = { connection: to, id, name, prefix, events: [] };
    const missed = after === undefined ? undefined : this.#missed(watch, after);
    const locks = missed === undefined ? shown(name, prefix) : undefined;
    if (missed === undefined && locks === undefined) {
      draft.send.push({ kind: "refused", to, request, refusal: tooMuchToShow });
      return;
    }
    this.#add(watch);
    const upTo = history.last;
    const gap = after !== undefined && missed === undefined;
    draft.send.push({ kind: "watching", to, request, upTo, gap, locks, now });
    for (const event of missed ?? []) this.#give(watch, event);
  }

  unwatch({ connection: to, request, watch: id }: UnwatchCommand): void {
    const watch = this.#byConnection.get(to)?.get(id);
    if (watch !== undefined) this.#remove(watch);
    this.#parts.draft.send.push({ kind: "unwatched", to, request });
  }

  connectionLost(connection: ConnectionId): void {
    for (const watch of [...(this.#byConnection.get(connection)?.values() ?? [])]) this.#remove(watch);
  }

  /**
   * Once a turn: what has happened is told. Who would have to be told too much of it is hung up on; when he comes back,
   * he goes on or sees how things are.
   */
  flush(): void {
    this.#budget.turnEnded();
    if (this.#stirred.size + this.#flooded.size === 0) return;
    const now = this.#now;
    const { send } = this.#parts.draft;
    for (const watch of this.#stirred) {
      const { connection: to, id, events } = watch;
      watch.events = [];
      if (!this.#flooded.has(to)) send.push({ kind: "events", to, watch: id, events, now });
    }
    this.#stirred.clear();
    for (const to of this.#flooded) send.push({ kind: "hangup", to, refusal: tooMuch });
    this.#flooded.clear();
  }

  check(): void {
    let watches = 0;
    for (const [connection, all] of this.#byConnection) {
      if (all.size === 0) throw new Error("lock watches: a connection without watches is kept");
      for (const watch of all.values()) {
        watches++;
        if (watch.connection !== connection || !this.#index.has(watch)) throw new Error("lock watches: one is lost");
        if (watch.events.length > 0 !== this.#stirred.has(watch)) throw new Error("lock watches: one is not told");
      }
    }
    if (watches !== this.#watches || watches !== this.#index.size) throw new Error("lock watches: the count is wrong");
    this.#ring.check();
  }

  // ── the machine ───────────────────────────────────────────────────────────────────────────────────────────────────

  #refusal({ connection }: WatchCommand): Refusal | undefined {
    const { watchesPerSessionMax } = this.#parts.limits;
    if ((this.#byConnection.get(connection)?.size ?? 0) < watchesPerSessionMax) return undefined;
    const message = `the connection has ${watchesPerSessionMax} watches already`;
    return refuse("WATCHES_FULL", message, { limit: "watchesPerSessionMax" });
  }

  /** What it has not heard, if all of that is still known and not too much for one turn. */
  #missed({ connection, name, prefix }: Watch, after: number): LockEvent[] | undefined {
    const { last } = this.#parts.history;
    const all = this.#ring.after(after, last);
    const events = all?.filter((event) => (name === undefined ? event.name.startsWith(prefix) : event.name === name));
    return events !== undefined && this.#budget.takes(connection, events.length) ? events : undefined;
  }

  #add(watch: Watch): void {
    const { connection, id } = watch;
    const all = this.#byConnection.get(connection) ?? new Map<number, Watch>();
    this.#byConnection.set(connection, all);
    all.set(id, watch);
    this.#index.add(watch);
    this.#watches++;
    this.#unheard = 0;
    this.#parts.history.listen((event) => this.#heard(event));
  }

  #remove(watch: Watch): void {
    const { connection, id } = watch;
    const all = this.#byConnection.get(connection);
    all?.delete(id);
    if (all?.size === 0) this.#byConnection.delete(connection);
    this.#index.remove(watch);
    this.#stirred.delete(watch);
    this.#watches--;
  }

  #heard(event: LockEvent): void {
    this.#now = event.at;
    this.#ring.push(event);
    if (this.#watches > 0) return this.#index.forEach(event.name, (watch) => this.#tell(watch, event));
    this.#unheard++;
    if (this.#unheard < this.#parts.limits.lockEventsKeptMax) return;
    // Nobody who comes back now could go on from what is kept.
    this.#ring.clear();
    this.#parts.history.listen(undefined);
  }

  #tell(watch: Watch, event: LockEvent): void {
    this.#give(watch, event);
    if (!this.#budget.takes(watch.connection, 1)) this.#flooded.add(watch.connection);
  }

  #give(watch: Watch, event: LockEvent): void {
    watch.events.push(event);
    this.#stirred.add(watch);
  }
}
