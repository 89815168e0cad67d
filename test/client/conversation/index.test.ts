/**
 * Anything may happen, in any order. Not a model of a broker: answers are random, also wrong ones, and connections break
 * at any moment. Shown is only what must hold whatever the broker does: every call has one outcome, no deadline stays
 * due, the conversation's own checks hold, nobody relies on a lease beyond what the broker may have answered, and in the
 * end everything is settled.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  Call,
  type CallParams,
  Conversation,
  type Effect,
  type Event,
  type Grant,
  Watch,
  type Watched,
} from "../../../src/client/conversation/index.js";
import { after, instant, type RefusalCode, refuse } from "../../../src/terms/index.js";

/** Mulberry32: small, seeded, good enough to choose among events. */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % sides;
  };
}

const codes: readonly RefusalCode[] = [
  "LOCK_TIMEOUT",
  "LOCK_NOT_HELD",
  "SHUTTING_DOWN",
  "SESSION_EXPIRED",
  "DEADLOCK",
  "WRITER_UNAVAILABLE",
  "CANCELLED",
  "SQLITE_ERROR",
];

class Chaos {
  readonly #roll: (sides: number) => number;
  readonly #conversation: Conversation;
  #now = instant(0);
  #link: "none" | "trying" | "open" = "none";
  #ended = false;
  #secrets = 0;
  #tokens = 0;
  readonly #open: {
    readonly id: number;
    readonly method: string;
    readonly params: CallParams & { readonly name?: string };
  }[] = [];
  readonly #calls: Call[] = [];
  readonly #outcomes = new Map<Call, string>();
  readonly #grants: Grant[] = [];
  readonly #watches: Watched[] = [];
  readonly #watchesEnded = new Set<Watched>();
  readonly #story: string[] = [];

  constructor(seed: number) {
    this.#roll = dice(seed);
    this.#conversation = new Conversation({ secret: "s", introduction: {}, openMs: 5000, patienceMs: 3000 }, this.#now);
  }

  run(steps: number): void {
    this.#handle({ kind: "open" });
    for (let step = 0; step < steps; step++) this.#step();
    this.#handle({ kind: "close" });
    // Answers that never come are waited for as long as there is a connection; so there shall be none.
    for (let step = 0; step < 200 && !this.#ended; step++) {
      if (this.#link === "open") this.#breaks();
      this.#pass(1000);
    }
    assert.ok(this.#ended, "it never ended");
    for (const call of this.#calls) assert.ok(this.#outcomes.has(call), `${call.method} has no outcome`);
    for (const grant of this.#grants) assert.notEqual(grant.state, "held");
    for (const watch of this.#watches) assert.equal(watch.state, "ended");
  }

  get story(): string {
    return this.#story.join("\n");
  }

  #step(): void {
    switch (this.#roll(12)) {
      case 0:
      case 1:
        return this.#ask();
      case 10:
        return this.#watch();
      case 11:
        // Stopped for a while: what is due then comes too late.
        if (this.#roll(4) === 0) this.#now = after(this.#now, this.#roll(3000));
        return;
      case 2:
      case 3:
      case 4:
        return this.#answer();
      case 5:
        return this.#pass(this.#roll(400));
      case 6:
        return this.#connects();
      case 7:
        return this.#cancelOrRelease();
      case 8:
        if (this.#link === "open" && this.#roll(3) === 0) this.#breaks();
        return;
      default:
        return this.#notify();
    }
  }

  #ask(): void {
    const kinds = ["read", "write", "write", "once", "acquire", "acquire"] as const;
    const kind = kinds[this.#roll(kinds.length)] ?? "read";
    const lease = this.#roll(2) === 0 ? { ttlMs: 100 + this.#roll(2000) } : {};
    const params: CallParams & { name?: string } =
      kind === "acquire" ? { name: `lock ${this.#roll(3)}`, ...lease } : {};
    if (kind === "acquire" && this.#roll(2) === 0) params.waitMs = this.#roll(500);
    const call = new Call(kind, kind, params);
    this.#calls.push(call);
    this.#handle({ kind: "call", call });
  }

  #cancelOrRelease(): void {
    const grant = this.#grants[this.#roll(Math.max(1, this.#grants.length))];
    const call = this.#calls[this.#roll(Math.max(1, this.#calls.length))];
    if (this.#roll(2) === 0 && call !== undefined) return this.#handle({ kind: "cancel", call });
    if (grant === undefined) return;
    const kinds = ["release", "release", "upgrade", "transfer", "change"] as const;
    const kind = kinds[this.#roll(kinds.length)] ?? "release";
    const change = new Call(kind, kind, { token: grant.token }, { grant });
    this.#calls.push(change);
    this.#handle({ kind: "call", call: change });
  }

  #watch(): void {
    const old = this.#watches[this.#roll(Math.max(1, this.#watches.length))];
    if (old !== undefined && this.#roll(2) === 0) return this.#handle({ kind: "unwatch", watch: old });
    const watch = old !== undefined && this.#roll(3) === 0 ? old : new Watch({ name: "lock 1" });
    if (watch !== old) this.#watches.push(watch);
    this.#handle({ kind: "watch", watch });
  }

  #connects(): void {
    if (this.#link !== "trying") return;
    const luck = this.#roll(100) / 100;
    const refusal = refuse("NO_BROKER", "chance");
    const why = (["nobody", "busy", "failed"] as const)[this.#roll(8)];
    if (why !== undefined) {
      this.#link = "none";
      return this.#handle({ kind: "connect-failed", why, refusal, luck });
    }
    this.#link = "open";
    this.#handle({ kind: "connected", secret: `fresh ${this.#secrets++}` });
  }

  #breaks(): void {
    this.#link = "none";
    this.#open.length = 0;
    this.#handle({ kind: "disconnected", reason: "chance", luck: this.#roll(100) / 100 });
  }

  #answer(): void {
    const [request] = this.#open.splice(this.#roll(Math.max(1, this.#open.length)), 1);
    if (request === undefined || this.#link !== "open") return;
    const { id, method, params } = request;
    if (this.#roll(5) === 0) {
      const chosen = codes[this.#roll(codes.length)] ?? "SQLITE_ERROR";
      // Most refusals of a hello are the end; that would be too soon too often.
      const code = method === "session.hello" && this.#roll(10) > 0 ? "SESSION_EXPIRED" : chosen;
      return this.#handle({ kind: "refused", id, refusal: refuse(code, "chance") });
    }
    this.#handle({ kind: "answered", id, result: this.#resultOf(method, params) });
  }

  #resultOf(
    method: string,
    params: CallParams & { readonly name?: string; readonly keys?: readonly number[] },
  ): unknown {
    const token = ++this.#tokens;
    switch (method) {
      case "session.hello": {
        const stranger = this.#roll(3) === 0 ? [{ name: "stranger", token, key: 2 ** 48 + this.#roll(50) }] : [];
        return { session: "x", resumed: true, grants: stranger, lost: [], resumeWindowMs: 2000 };
      }
      case "session.settle":
        return {
          outcomes: (params.keys ?? []).map((key) => ({
            key,
            outcome: ["applied", "never", "unknown"][this.#roll(3)],
            resultKept: true,
          })),
        };
      case "acquire":
        return { name: params.name, token, key: params.key, waitedMs: this.#roll(3) * 100 };
      case "upgrade":
        return { name: "lock", token, waitedMs: 0 };
      case "lock.watch":
        return { upTo: this.#roll(100), gap: this.#roll(2) === 0, ...(this.#roll(2) === 0 ? { locks: [] } : {}) };
      default:
        return {};
    }
  }

  #notify(): void {
    if (this.#link !== "open") return;
    const token = this.#grants[this.#roll(Math.max(1, this.#grants.length))]?.token ?? 1;
    const notices: readonly (readonly [string, object])[] = [
      ["lock.lost", { name: "lock", token, reason: "chance" }],
      ["lock.contended", { name: "lock", token, waiting: 1 }],
      ["lock.revoking", { name: "lock", token, graceMs: 1, reason: "", by: {} }],
      ["lock.queued", { id: this.#roll(100), place: 1, waiting: 1, holders: [] }],
      ["lock.events", { watch: 1 + this.#roll(5), events: [{ n: this.#roll(200) }, { n: this.#roll(200) }] }],
      ["session.closing", { reason: "chance", retryAfterMs: this.#roll(100) }],
      ["session.expired", {}],
      ["future.thing", {}],
    ];
    const [method, params] = notices[this.#roll(notices.length)] ?? ["", {}];
    if (method === "session.expired" && this.#roll(4) !== 0) return;
    this.#handle({ kind: "notified", method, params, bytes: 100 });
  }

  #pass(ms: number): void {
    const end = after(this.#now, ms);
    for (
      let due = this.#conversation.nextDeadline();
      due !== undefined && due <= end;
      due = this.#conversation.nextDeadline()
    ) {
      if (due > this.#now) this.#now = due;
      this.#handle({ kind: "time" });
      const next = this.#conversation.nextDeadline();
      assert.ok(next === undefined || next > this.#now, "a deadline stays due");
    }
    this.#now = end;
  }

  #handle(event: Event): void {
    this.#story.push(`${this.#now} ${this.#conversation.at}: ${event.kind} ${"id" in event ? event.id : ""}`);
    this.#conversation.handle(event, this.#now);
    this.#conversation.check();
    for (const grant of this.#conversation.grants)
      if (grant.state === "held" && grant.ttlMs !== undefined)
        assert.ok(this.#now < this.#conversation.leases.endOf(grant), "relied on beyond its lease");
    for (const effect of this.#conversation.takeEffects()) this.#obey(effect);
  }

  #obey(effect: Effect): void {
    this.#story.push(`    ${effect.kind} ${"method" in effect ? `${effect.method} ${effect.id}` : ""}`);
    const isOutcome = effect.kind === "answer" || effect.kind === "refuse" || effect.kind === "watch-ended";
    assert.ok(!this.#ended || isOutcome, "something happens after the end");
    switch (effect.kind) {
      case "connect":
        assert.equal(this.#link, "none");
        this.#link = "trying";
        return;
      case "disconnect":
        this.#link = "none";
        this.#open.length = 0;
        return;
      case "send":
        assert.equal(this.#link, "open", "sent without a connection");
        if (effect.id !== undefined)
          this.#open.push({ id: effect.id, method: effect.method, params: effect.params as CallParams });
        return;
      case "granted":
        this.#grants.push(effect.grant);
        return this.#outcome(effect.call, "granted");
      case "answer":
      case "refuse":
        return this.#outcome(effect.call, effect.kind);
      case "watch-began":
      case "watch-events":
      case "tables-watched":
      case "tables-changed":
      case "tables-gap":
        return assert.ok(!this.#watchesEnded.has(effect.watch), "a watch goes on after its end");
      case "watch-ended":
        assert.ok(!this.#watchesEnded.has(effect.watch), "a watch ends twice");
        this.#watchesEnded.add(effect.watch);
        return;
      case "ended":
        this.#ended = true;
    }
  }

  #outcome(call: Call, outcome: string): void {
    assert.ok(this.#calls.includes(call), "an outcome of something nobody asked");
    assert.ok(!this.#outcomes.has(call), `${call.method} has a second outcome`);
    this.#outcomes.set(call, outcome);
  }
}

describe("whatever happens, in whatever order", () => {
  it("every call has one outcome, and the conversation comes to an end", () => {
    for (let seed = 1; seed <= 400; seed++) {
      const chaos = new Chaos(seed);
      try {
        chaos.run(300);
      } catch (error) {
        throw new Error(`seed ${seed}: ${error}\n${chaos.story.split("\n").slice(-60).join("\n")}`, { cause: error });
      }
    }
  });
});
