/**
 * What the program watches at the broker. A watch belongs to its connection there; here it belongs to the program: after
 * every reconnect it is asked for again, from behind the last event that was passed on.
 *
 *   new ──program──► asked ──answered──► open ──connection lost──► asked
 *                      │                   │
 *                      └──refused, ended by the program, no hope of a connection──► ended
 */
import type { Refusal } from "../../terms/index.js";
import { isObject } from "./answers.js";
import type { Draft } from "./draft.js";
import { type TableEffect, TableWatch } from "./table-watch.js";
import { Watched } from "./watched.js";

export interface WatchFilter {
  readonly name?: string | undefined;
  readonly prefix?: string | undefined;
}

/** How things are, when a watch begins and when events were missed. */
export interface WatchBegin {
  /** As in `lock.list`. */
  readonly locks: readonly unknown[];
  /** Events after this number follow. */
  readonly upTo: number;
  /** There were events before it that nobody can tell any more. */
  readonly gap: boolean;
}

/** Of locks. */
export class Watch extends Watched {
  readonly opens = "lock.watch";
  readonly closes = "lock.unwatch";
  readonly filter: WatchFilter;
  /** The number of the last event that was passed on; undefined: it begins with how things are. */
  after: number | undefined;

  constructor(filter: WatchFilter) {
    super();
    this.filter = filter;
  }

  params(): object {
    return { ...this.filter, ...(this.after === undefined ? {} : { after: this.after }) };
  }

  beginsAnew(): void {
    this.after = undefined;
  }
}

export type WatchEffect =
  | { readonly kind: "watch-began"; readonly watch: Watch; readonly begin: WatchBegin }
  /** At least one event of `lock.events`, each with a number above all before it. */
  | {
      readonly kind: "watch-events";
      readonly watch: Watch;
      readonly events: readonly Readonly<Record<string, unknown>>[];
    }
  | TableEffect
  /** The last effect of a watch, unless the program ended it. */
  | { readonly kind: "watch-ended"; readonly watch: Watched; readonly refusal: Refusal };

export class Watches {
  readonly #draft: Draft;
  readonly #nextRequest: () => number;
  readonly #byId = new Map<number, Watched>();
  #lastId = 0;
  #connected = false;

  constructor(draft: Draft, nextRequest: () => number) {
    this.#draft = draft;
    this.#nextRequest = nextRequest;
  }

  get size(): number {
    return this.#byId.size;
  }

  /** The same once more: the program has read too little of it, and wants to see how things are instead. */
  begin(watch: Watched): void {
    if (watch.state === "ended") return;
    if (watch.state === "new") watch.id = ++this.#lastId;
    watch.state = "asked";
    watch.beginsAnew();
    this.#byId.set(watch.id, watch);
    if (this.#connected) this.#ask(watch);
  }

  /** The program does not want it any more. */
  end(watch: Watched): void {
    watch.state = "ended";
    if (this.#byId.delete(watch.id) && this.#connected)
      this.#draft.ask(this.#nextRequest(), watch.closes, { watch: watch.id });
  }

  connected(): void {
    this.#connected = true;
    for (const watch of this.#byId.values()) this.#ask(watch);
  }

  disconnected(): void {
    this.#connected = false;
    for (const watch of this.#byId.values()) {
      watch.state = "asked";
      watch.request = 0;
    }
  }

  answered(request: number, result: unknown): void {
    const watch = this.#asked(request);
    if (watch === undefined || !isObject(result)) return;
    watch.state = "open";
    watch.request = 0;
    if (watch instanceof TableWatch) return watch.began(result, this.#draft);
    if (watch instanceof Watch) this.#began(watch, result);
  }

  refused(request: number, refusal: Refusal): void {
    const watch = this.#asked(request);
    if (watch !== undefined) this.refuse(watch, refusal);
  }

  heard({ watch: id, events }: Record<string, unknown>): void {
    const watch = this.#byId.get(Number(id));
    if (!(watch instanceof Watch) || watch.state !== "open" || !Array.isArray(events)) return;
    const fresh: Record<string, unknown>[] = [];
    for (const event of events as readonly unknown[]) {
      if (!isObject(event)) continue;
      const { n } = event;
      if (typeof n !== "number" || n <= (watch.after ?? 0)) continue;
      watch.after = n;
      fresh.push(event);
    }
    if (fresh.length > 0) this.#draft.push({ kind: "watch-events", watch, events: fresh });
  }

  heardOfTables(params: Record<string, unknown>): void {
    const watch = this.#byId.get(Number(params["watch"]));
    if (watch instanceof TableWatch && watch.state === "open") watch.heard(params, this.#draft);
  }

  /** There is no hope of a connection, or the program is done. */
  refuseAll(refusal: Refusal): void {
    for (const watch of [...this.#byId.values()]) this.refuse(watch, refusal);
  }

  refuse(watch: Watched, refusal: Refusal): void {
    if (watch.state === "ended") return;
    watch.state = "ended";
    this.#byId.delete(watch.id);
    this.#draft.push({ kind: "watch-ended", watch, refusal });
  }

  check(): void {
    for (const [id, watch] of this.#byId)
      if (watch.id !== id || watch.state === "new" || watch.state === "ended")
        throw new Error(`watches: ${id} is kept though it is ${watch.state}`);
  }

  #began(watch: Watch, { upTo, gap, locks }: Record<string, unknown>): void {
    // Without a picture of how things are, what was missed follows.
    if (!Array.isArray(locks)) return;
    watch.after = typeof upTo === "number" ? upTo : 0;
    this.#draft.push({ kind: "watch-began", watch, begin: { locks, upTo: watch.after, gap: gap === true } });
  }

  #asked(request: number): Watched | undefined {
    for (const watch of this.#byId.values()) if (watch.state === "asked" && watch.request === request) return watch;
    return undefined;
  }

  #ask(watch: Watched): void {
    watch.request = this.#nextRequest();
    this.#draft.ask(watch.request, watch.opens, { watch: watch.id, ...watch.params() });
  }
}
