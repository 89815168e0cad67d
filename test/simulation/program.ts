/**
 * A client program in the simulated world: what it asks is drawn, what it is told is noted. Each question has one
 * outcome, and what is told of a write is final.
 */
import { Call, type CallKind, type CallMore, type Grant } from "../../src/client/conversation/index.js";
import type { ProcessIdentity } from "../../src/core/index.js";
import { type Refusal, refusals } from "../../src/terms/index.js";
import type { Cable, Weather } from "./cable.js";
import { type Doorway, Terminal, type Told } from "./terminal.js";
import type { Trace } from "./trace.js";

export interface Fence {
  readonly name: string;
  readonly token: number;
}

export interface AskMore extends CallMore {
  readonly what?: string;
  readonly fences?: readonly Fence[];
  readonly behind?: readonly Ask[];
}

/** One question and its outcome. */
export class Ask extends Call {
  /** What a write or read does; no two do the same. */
  readonly what: string;
  readonly fences: readonly Fence[];
  /** Writes of its program that were asked for before it and not answered then. */
  readonly behind: readonly Ask[];
  /** Connections it was sent on. */
  readonly sentOn: Cable[] = [];
  outcome: "open" | "done" | "none" | "unknown" = "open";
  /** Of a stream that is open: how many rows have come. */
  rows = 0;
  /** A write under locks that it holds and has not given back: nothing that it asks later can break these fences. */
  sure = false;

  /** What was sent is looked at again: a release may have come between. */
  unsure(): void {
    this.sure = false;
  }

  constructor(kind: CallKind, method: string, params: object, more: AskMore = {}) {
    super(kind, method, params, more);
    this.what = more.what ?? "";
    this.fences = more.fences ?? [];
    this.behind = more.behind ?? [];
  }
}

export interface Surroundings {
  readonly weather: Weather;
  readonly trace: Trace;
  readonly doorway: Doorway;
  readonly names: readonly string[];
  /** Another's lock, or one that never was. */
  readonly strangeFence: () => Fence;
  /** A number that no other has. */
  readonly nextWhat: () => number;
  /** It has nothing more to do. */
  readonly onExit: () => void;
}

const insertSql = "insert into happened values (?)";
const selectSql = "select what from happened where what = ?";

export class Program {
  readonly number: number;
  readonly process: ProcessIdentity;
  alive = true;
  /** It asks nothing new. */
  leaving = false;
  /** Its conversation is over. */
  ended = false;
  /** All that it ever asked. */
  readonly asks: Ask[] = [];
  readonly #around: Surroundings;
  readonly #terminal: Terminal;
  #open: Ask[] = [];
  /** Streams that are open, as far as it was told. */
  readonly #streams = new Set<Ask>();

  constructor(number: number, process: ProcessIdentity, around: Surroundings) {
    const { weather, trace, doorway } = around;
    const { random } = weather;
    this.number = number;
    this.process = process;
    this.#around = around;
    const readable = random.chance(0.8);
    const bound = readable && random.chance(0.2);
    const claim = readable ? { process } : {};
    const introduction = { program: `p${number}`, version: "1", ...claim, ...(bound ? { bound } : {}) };
    const resumeWindowMs = random.pick([300, 1000, 3000, 10_000]);
    const patienceMs = random.pick([2000, 30_000]);
    this.#terminal = new Terminal({
      ...{ name: `p${number}`, weather, trace, doorway, encoding: random.chance(0.7) ? "json" : "msgpack" },
      options: { introduction, resumeWindowMs, bound, openMs: 600_000, patienceMs },
      onEffect: (effect) => this.#hear(effect),
      onSent: (id, cable) => this.#open.find((ask) => ask.id === id)?.sentOn.push(cable),
    });
    this.#terminal.handle({ kind: "open" });
  }

  get at(): Terminal["conversation"]["at"] {
    return this.#terminal.conversation.at;
  }

  /** Questions without an outcome. */
  get open(): readonly Ask[] {
    return this.#open;
  }

  /** Locks that it holds, as far as it knows. */
  get held(): Grant[] {
    return [...this.#terminal.conversation.grants].filter(({ state }) => state === "held");
  }

  get stopped(): boolean {
    return this.#terminal.stopped;
  }

  // ── what it does ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** Asks something, at random. */
  act(): void {
    if (!this.alive || this.leaving || this.ended || this.stopped) return;
    const { random } = this.#around.weather;
    switch (random.below(14)) {
      case 12:
        return this.#stream();
      case 13:
        return this.#nurse();
      case 0:
      case 1:
      case 2:
        return this.#acquire();
      case 3:
      case 4:
      case 5:
        return this.releaseOne();
      case 6:
        return this.#cancelOne();
      case 7:
        return random.chance(0.5) ? this.#read() : this.#list();
      case 8:
        return this.#write([this.#around.strangeFence()]);
      default:
        return this.#write(random.chance(0.7) ? this.#ownFence() : []);
    }
  }

  releaseOne(): void {
    const [grant] = this.held;
    if (grant === undefined) return;
    const { name, token } = grant;
    this.#ask(new Ask("release", "lock.release", { name, token }, { grant }));
  }

  /** It is done: its session ends. */
  close(): void {
    if (this.leaving) return;
    this.leaving = true;
    this.#terminal.handle({ kind: "close" });
  }

  #acquire(): void {
    const { weather, names } = this.#around;
    const { random } = weather;
    const waitMs = random.pick([undefined, undefined, 0, 1 + random.below(2000)]);
    const params = { name: random.pick(names), reason: "work", ...(waitMs === undefined ? {} : { waitMs }) };
    this.#ask(new Ask("acquire", "lock.acquire", params));
  }

  #cancelOne(): void {
    const { random } = this.#around.weather;
    if (this.#open.length > 0) this.#terminal.handle({ kind: "cancel", call: random.pick(this.#open) });
  }

  #write(fences: readonly Fence[]): void {
    const { weather, nextWhat } = this.#around;
    const { random, rates } = weather;
    const what = `w${nextWhat()}`;
    const marks = [...(random.chance(0.1) ? ["fails"] : []), ...(random.chance(rates().endless) ? ["endless"] : [])];
    const params = { sql: insertSql, args: [what, ...marks], ...(fences.length === 0 ? {} : { fence: fences }) };
    const ask = new Ask(random.chance(0.85) ? "write" : "once", "db.execute", params, { what, fences });
    const { held } = this;
    ask.sure = fences.every(({ name, token }) => held.some((one) => one.token === token && one.name === name));
    this.#ask(ask);
  }

  #read(): void {
    const { weather, nextWhat } = this.#around;
    const what = `r${nextWhat()}`;
    const marks = weather.random.chance(weather.rates().endless) ? ["endless"] : [];
    const behind = this.#open.filter(({ kind }) => kind === "write" || kind === "once");
    this.#ask(new Ask("read", "db.query", { sql: selectSql, args: [what, ...marks] }, { what, behind }));
  }

  #stream(): void {
    const { weather, nextWhat } = this.#around;
    const { random, rates } = weather;
    const what = `s${nextWhat()}`;
    const marks = [...(random.chance(0.1) ? ["fails"] : []), ...(random.chance(rates().endless) ? ["endless"] : [])];
    const behind = this.#open.filter(({ kind }) => kind === "write" || kind === "once");
    const credit = random.pick([50, 200, 1000]);
    this.#ask(new Ask("stream", "db.stream", { sql: selectSql, args: [what, ...marks], credit }, { what, behind }));
  }

  /** More credit for a stream, or its end in the middle. */
  #nurse(): void {
    const { random } = this.#around.weather;
    const [call] = this.#streams;
    if (call === undefined) return;
    if (random.chance(0.7)) this.#terminal.handle({ kind: "stream", call, credit: random.pick([50, 500]) });
    else this.#close(call);
  }

  closeStreams(): void {
    for (const call of [...this.#streams]) this.#close(call);
  }

  #close(call: Ask): void {
    this.#streams.delete(call);
    this.#terminal.handle({ kind: "stream", call, credit: "closed" });
  }

  #list(): void {
    this.#ask(new Ask("read", "lock.list", {}));
  }

  #ownFence(): readonly Fence[] {
    return this.held.slice(0, 1).map(({ name, token }) => ({ name, token }));
  }

  #ask(ask: Ask): void {
    this.asks.push(ask);
    this.#open.push(ask);
    this.#terminal.handle({ kind: "call", call: ask });
  }

  // ── what happens to it ────────────────────────────────────────────────────────────────────────────────────────────

  stop(): void {
    this.#terminal.stop();
  }

  goOn(): void {
    this.#terminal.goOn();
  }

  disconnect(): void {
    this.#terminal.cable?.cut("the connection broke");
  }

  /** SIGKILL. `keptOpenMs`: a child has its connection and keeps it open for so long. */
  die(keptOpenMs: number): void {
    this.alive = false;
    this.#terminal.die(keptOpenMs);
  }

  unsure(): void {
    for (const ask of this.asks) ask.unsure();
  }

  #hear(effect: Told): void {
    switch (effect.kind) {
      case "answer":
        this.#settled(effect.call, "done");
        if (effect.call instanceof Ask && effect.call.kind === "stream") this.#streams.add(effect.call);
        return;
      case "rows":
        return this.#rows(effect.call, effect.rows);
      case "stream-done":
        if (!(effect.call instanceof Ask) || !this.#streams.delete(effect.call))
          throw new Error(`p${this.number}: a stream was done that was not open`);
        return;
      case "granted":
        return this.#settled(effect.call, "done");
      case "refuse":
        return this.#refused(effect.call, effect.refusal);
      case "lost":
      case "session-lost":
        return this.unsure();
      case "ended":
        this.ended = true;
        return this.#around.onExit();
      default:
    }
  }

  /** Each in its place, of its own stream, while that is open. */
  #rows(call: Call, rows: readonly unknown[]): void {
    if (!(call instanceof Ask) || !this.#streams.has(call)) throw new Error("rows of a stream that is not open");
    for (const row of rows) {
      const [what, number] = row as [string, number];
      call.rows++;
      if (what !== call.what || number !== call.rows)
        throw new Error(`p${this.number}: row ${call.rows} of ${call.what} is row ${number} of ${what}`);
    }
  }

  #refused(call: Call, refusal: Refusal): void {
    this.#settled(call, refusal.outcome ?? refusals[refusal.refused].outcome);
  }

  #settled(call: Call, outcome: "done" | "none" | "unknown"): void {
    if (!(call instanceof Ask)) throw new Error("an answer to nothing that was asked");
    if (call.outcome !== "open")
      throw new Error(
        `p${this.number}: ${call.method} ${call.what} had the outcome ${call.outcome} and now ${outcome}`,
      );
    call.outcome = outcome;
    this.#open = this.#open.filter((ask) => ask !== call);
  }
}
