/**
 * A conversation under test: a clock that only the test moves, and effects as lines that can be read and compared.
 * After every event the conversation checks itself.
 */
import {
  Call,
  type CallKind,
  type CallParams,
  Conversation,
  type ConversationOptions,
  type Effect,
  type Event,
  type Grant,
  type TableFilter,
  TableWatch,
  Tie,
  Watch,
  type Watched,
  type WatchFilter,
} from "../../../src/client/conversation/index.js";
import { after, type Instant, instant, type RefusalCode, refuse } from "../../../src/terms/index.js";

const methods: { readonly [Kind in CallKind]: string } = {
  read: "db.query",
  stream: "db.stream",
  write: "db.execute",
  once: "admin.stop",
  acquire: "lock.acquire",
  upgrade: "lock.upgrade",
  change: "lock.break",
  release: "lock.release",
  transfer: "lock.transfer",
  cancel: "lock.cancel",
  begin: "tx.begin",
  step: "tx.execute",
  named: "db.execute",
  rollback: "tx.rollback",
};

export interface WelcomeGiven {
  readonly resumed?: boolean;
  readonly grants?: readonly { readonly name: string; readonly token: number; readonly key: number }[];
  readonly resumeWindowMs?: number;
  /** Of the broker. */
  readonly life?: string;
}

export class Rig {
  now: Instant = instant(0);
  readonly conversation: Conversation;
  /** What the program has, by the name the test gave it. */
  readonly grants = new Map<string, Grant>();
  readonly watches = new Map<string, Watched>();
  readonly #ties = new Map<number, Tie>();
  readonly #calls = new Map<string, Call>();
  readonly #names = new Map<Call, string>();
  /** Ids of the conversation's own messages, by method: the last one sent. */
  readonly #lastId = new Map<string, number>();
  readonly #sent: { readonly id: number | undefined; readonly method: string; readonly params: object }[] = [];
  #secrets = 0;

  constructor(options: Partial<ConversationOptions> = {}) {
    this.conversation = new Conversation(
      { secret: "first", introduction: {}, openMs: 1000, patienceMs: 30_000, ...options },
      this.now,
    );
  }

  handle(event: Event): string[] {
    this.conversation.handle(event, this.now);
    this.conversation.check();
    return this.conversation.takeEffects().map((effect) => this.#line(effect));
  }

  // ── the program ───────────────────────────────────────────────────────────────────────────────────────────────────

  ask(name: string, kind: CallKind, params: object = {}): string[] {
    return this.#hand(name, new Call(kind, methods[kind], params as CallParams));
  }

  /** Of the transaction with this number; a write is its commit. */
  inTransaction(
    number: number,
    name: string,
    kind: "begin" | "step" | "write" | "rollback",
    ...given: string[]
  ): string[] {
    const tie = this.#ties.get(number) ?? new Tie(number);
    this.#ties.set(number, tie);
    const method = kind === "write" ? "tx.commit" : methods[kind];
    // Of a commit: the grants that are given back with it.
    const gives = given.map((one) => this.grant(one));
    return this.#hand(name, new Call(kind, method, { tx: number } as CallParams, { tie, gives }));
  }

  /** A write with which these grants are given back. */
  givingBack(name: string, ...of: string[]): string[] {
    const gives = of.map((one) => this.grant(one));
    return this.#hand(
      name,
      new Call("write", methods.write, { release: gives.map(({ token }) => token) } as CallParams, { gives }),
    );
  }

  acquire(name: string, waitMs?: number): string[] {
    return this.ask(name, "acquire", waitMs === undefined ? { name } : { name, waitMs });
  }

  release(name: string, of: string): string[] {
    return this.#about(name, "release", { of, more: {} });
  }

  upgrade(name: string, of: string, waitMs?: number): string[] {
    return this.#about(name, "upgrade", { of, more: waitMs === undefined ? {} : { waitMs } });
  }

  transfer(name: string, of: string): string[] {
    return this.#about(name, "transfer", { of, more: { to: "another" } });
  }

  cancel(name: string): string[] {
    return this.handle({ kind: "cancel", call: this.#call(name) });
  }

  watch(name: string, filter: WatchFilter = {}): string[] {
    const watch = this.watches.get(name) ?? new Watch(filter);
    this.watches.set(name, watch);
    return this.handle({ kind: "watch", watch });
  }

  watchTables(name: string, filter: Partial<TableFilter> = {}): string[] {
    const watch = new TableWatch({ tables: ["t"], keys: false, after: undefined, ...filter });
    this.watches.set(name, watch);
    return this.handle({ kind: "watch", watch });
  }

  unwatch(name: string): string[] {
    return this.handle({ kind: "unwatch", watch: this.#watch(name) });
  }

  credit(name: string, bytes: number): string[] {
    return this.handle({ kind: "stream", call: this.#call(name), credit: bytes });
  }

  closeStream(name: string): string[] {
    return this.handle({ kind: "stream", call: this.#call(name), credit: "closed" });
  }

  grant(name: string): Grant {
    const grant = this.grants.get(name);
    if (grant === undefined) throw new Error(`nothing was granted to ${name}`);
    return grant;
  }

  // ── the broker ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Opens, connects and is welcomed; a conversation as most tests want it. */
  begin(given: WelcomeGiven = {}): string[] {
    return [...this.handle({ kind: "open" }), ...this.connect(), ...this.welcome(given)];
  }

  connect(): string[] {
    this.#secrets++;
    return this.handle({ kind: "connected", secret: `fresh-${this.#secrets}` });
  }

  welcome({ resumed = false, grants = [], resumeWindowMs = 30_000, life = "" }: WelcomeGiven = {}): string[] {
    const broker = { version: "0", pid: 1, startTime: life };
    return this.answer("session.hello", { session: "s", resumed, grants, lost: [], resumeWindowMs, broker });
  }

  breaks(): string[] {
    return this.handle({ kind: "disconnected", reason: "it broke", luck: 0 });
  }

  /** The connection breaks and stands again, up to hello. */
  returns(): string[] {
    return [...this.breaks(), ...this.passes(5), ...this.connect()];
  }

  /** To a call of the program by its name, or to the last message of the conversation's own by its method. */
  answer(name: string, result: unknown): string[] {
    return this.handle({ kind: "answered", id: this.#idOf(name), result });
  }

  refuse(name: string, code: RefusalCode, more: { readonly outcome?: "unknown" } = {}): string[] {
    const refusal = { ...refuse(code, "so the broker says"), ...more };
    return this.handle({ kind: "refused", id: this.#idOf(name), refusal });
  }

  /** What was to be sent last is larger than the broker takes. */
  tooLarge(name: string): string[] {
    const refusal = refuse("FRAME_TOO_LARGE", "so the driver says");
    return this.handle({ kind: "unsendable", id: this.idOf(name), refusal });
  }

  /** `waited`: so long, by the broker's clock. */
  granted(name: string, token: number, { waited = 1, also = [] }: { waited?: number; also?: string[] } = {}): string[] {
    const { params, key } = this.#call(name);
    return this.answer(name, { name: (params as { name?: string }).name, token, key, waitedMs: waited, also });
  }

  /** An upgrade that is done: the same grant under another token. */
  upgraded(name: string, token: number): string[] {
    return this.answer(name, { name: (this.#call(name).params as { name?: string }).name, token, waitedMs: 1 });
  }

  notify(method: string, params: object): string[] {
    return this.handle({ kind: "notified", method, params, bytes: 100 });
  }

  /** Parameters of the last message with this method. */
  params(method: string): { readonly [field: string]: unknown } {
    const found = this.#sent.findLast((message) => message.method === method);
    if (found === undefined) throw new Error(`no ${method} was sent`);
    return found.params as { readonly [field: string]: unknown };
  }

  /** The id under which a message of the conversation's own was sent last; 0: never. */
  lastId(method: string): number {
    return this.#lastId.get(method) ?? 0;
  }

  // ── time ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Lets time pass, stopping at each deadline on the way. */
  passes(ms: number): string[] {
    const end = after(this.now, ms);
    const lines: string[] = [];
    for (;;) {
      const deadline = this.conversation.nextDeadline();
      if (deadline === undefined || deadline > end) break;
      if (deadline > this.now) this.now = deadline;
      const at = this.now;
      lines.push(...this.handle({ kind: "time" }));
      const next = this.conversation.nextDeadline();
      if (next !== undefined && next <= at) throw new Error(`the deadline ${next} stays after it was due`);
    }
    this.now = end;
    return lines;
  }

  /** Time passes and nobody looks: the program was stopped. */
  sleeps(ms: number): void {
    this.now = after(this.now, ms);
  }

  #about(name: string, kind: CallKind, { of, more }: { of: string; more: object }): string[] {
    const grant = this.grant(of);
    const params = { name: grant.name, token: grant.token, ...more } as CallParams;
    return this.#hand(name, new Call(kind, methods[kind], params, { grant }));
  }

  #watch(name: string): Watched {
    const watch = this.watches.get(name);
    if (watch === undefined) throw new Error(`there is no watch ${name}`);
    return watch;
  }

  #watchName(watch: Watched): string {
    return [...this.watches].find(([, one]) => one === watch)?.[0] ?? "?";
  }

  #hand(name: string, call: Call): string[] {
    this.#calls.set(name, call);
    this.#names.set(call, name);
    return this.handle({ kind: "call", call });
  }

  #call(name: string): Call {
    const call = this.#calls.get(name);
    if (call === undefined) throw new Error(`there is no call ${name}`);
    return call;
  }

  /** The id of a call of the program. */
  idOf(name: string): number {
    return this.#call(name).id;
  }

  #idOf(name: string): number {
    return this.#calls.get(name)?.id ?? this.#lastId.get(name) ?? Number.NaN;
  }

  #line(effect: Effect): string {
    switch (effect.kind) {
      case "connect":
        return `connect${effect.start ? "" : ", start nothing"}`;
      case "send":
        return this.#sendLine(effect);
      case "answer":
        return `${this.#nameOf(effect.call)} = ${JSON.stringify(effect.result)}`;
      case "refuse":
        return `${this.#nameOf(effect.call)} refused ${effect.refusal.refused}${effect.refusal.outcome === "unknown" ? ", outcome unknown" : ""}`;
      case "granted":
        this.grants.set(this.#nameOf(effect.call), effect.grant);
        return `${this.#nameOf(effect.call)} granted ${effect.grant.token}`;
      case "jeopardy":
        return `${effect.grant.name} in jeopardy`;
      case "queued":
        return `${this.#nameOf(effect.call)} at place ${effect.news.place} of ${effect.news.waiting}`;
      case "contended":
        return `${effect.grant.name} wanted by ${effect.waiting}`;
      case "revoking":
        return `${effect.grant.name} revoked in ${effect.news.graceMs}: ${effect.news.reason}`;
      case "watch-began": {
        const { upTo, gap, locks } = effect.begin;
        return `${this.#watchName(effect.watch)} begins with ${locks.length} at ${upTo}${gap ? ", gap" : ""}`;
      }
      case "watch-events":
        return `${this.#watchName(effect.watch)}: ${effect.events.map((event) => event["n"]).join(" ")}`;
      case "tables-watched":
        return `${this.#watchName(effect.watch)} watches${effect.absent.map((name) => `, no ${name}`).join("")}`;
      case "tables-changed":
        return `${this.#watchName(effect.watch)}: ${effect.changes.map(({ seq, table }) => `${table} ${seq}`).join(" ")}`;
      case "tables-gap":
        return `${this.#watchName(effect.watch)} gap up to ${effect.at.seq} of ${effect.at.source}`;
      case "watch-ended":
        return `${this.#watchName(effect.watch)} ended ${effect.refusal.refused}`;
      case "rows":
        return `${this.#nameOf(effect.call)} rows ${JSON.stringify(effect.rows)}`;
      case "stream-done":
        return `${this.#nameOf(effect.call)} done${effect.refusal === undefined ? "" : ` ${effect.refusal.refused}`}`;
      case "lost":
        return `lost ${effect.grant.name} ${effect.grant.token}`;
      case "given-back":
        return `gave back ${effect.grant.name} ${effect.grant.token}`;
      case "opened":
        return effect.first ? "opened" : `open again${effect.welcome.resumed ? ", resumed" : ""}`;
      case "session-lost":
        return "session lost";
      case "ended":
        return `${effect.parted ? "parted" : "ended"}${effect.refusal === undefined ? "" : ` ${effect.refusal.refused}`}`;
      case "disconnect":
        return "disconnect";
    }
  }

  #sendLine({ id, method, params }: Extract<Effect, { kind: "send" }>): string {
    this.#sent.push({ id, method, params });
    if (id !== undefined) this.#lastId.set(method, id);
    const call = [...this.#calls.values()].find((one) => one.id === id);
    const { key, waitMs } = params as CallParams;
    const marks = `${key === undefined ? "" : ` key ${shortKey(key)}`}${waitMs === undefined ? "" : ` wait ${waitMs}`}`;
    return call === undefined ? `→ ${method}${marks}` : `→ ${this.#nameOf(call)}${marks}`;
  }

  #nameOf(call: Call): string {
    return this.#names.get(call) ?? `(${call.method})`;
  }
}

/** Keys of lock requests begin far up: L0, L1, … */
function shortKey(key: number): string {
  return key >= 2 ** 48 ? `L${key - 2 ** 48}` : `${key}`;
}
