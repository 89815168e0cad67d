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
} from "../../../src/client/conversation/index.js";
import { after, type Instant, instant, type RefusalCode, refuse } from "../../../src/terms/index.js";

const methods: { readonly [Kind in CallKind]: string } = {
  read: "db.query",
  write: "db.execute",
  once: "admin.stop",
  acquire: "lock.acquire",
  release: "lock.release",
  cancel: "lock.cancel",
};

export interface WelcomeGiven {
  readonly resumed?: boolean;
  readonly grants?: readonly { readonly name: string; readonly token: number; readonly key: number }[];
  readonly resumeWindowMs?: number;
}

export class Rig {
  now: Instant = instant(0);
  readonly conversation: Conversation;
  /** What the program has, by the name the test gave it. */
  readonly grants = new Map<string, Grant>();
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

  acquire(name: string, waitMs?: number): string[] {
    return this.ask(name, "acquire", waitMs === undefined ? { name } : { name, waitMs });
  }

  release(name: string, of: string): string[] {
    const grant = this.grant(of);
    const params = { name: grant.name, token: grant.token } as CallParams;
    return this.#hand(name, new Call("release", methods.release, params, { grant }));
  }

  cancel(name: string): string[] {
    return this.handle({ kind: "cancel", call: this.#call(name) });
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

  welcome({ resumed = false, grants = [], resumeWindowMs = 30_000 }: WelcomeGiven = {}): string[] {
    return this.answer("session.hello", { session: "s", resumed, grants, lost: [], resumeWindowMs });
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

  granted(name: string, token: number): string[] {
    const { params, key } = this.#call(name);
    return this.answer(name, { name: (params as { name?: string }).name, token, key, waitedMs: 1 });
  }

  notify(method: string, params: object): string[] {
    return this.handle({ kind: "notified", method, params });
  }

  /** Parameters of the last message with this method. */
  params(method: string): { readonly [field: string]: unknown } {
    const found = this.#sent.findLast((message) => message.method === method);
    if (found === undefined) throw new Error(`no ${method} was sent`);
    return found.params as { readonly [field: string]: unknown };
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
      case "lost":
        return `lost ${effect.grant.name} ${effect.grant.token}`;
      case "opened":
        return effect.first ? "opened" : `open again${effect.welcome.resumed ? ", resumed" : ""}`;
      case "session-lost":
        return "session lost";
      case "ended":
        return `ended${effect.refusal === undefined ? "" : ` ${effect.refusal.refused}`}`;
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
