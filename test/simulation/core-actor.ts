/** One client program in the simulated world: what it believes, what it has asked, and what it asks again after a loss. */
import type { Fence, GrantView, Letter, ProcessIdentity } from "../../src/core/index.js";
import { type ConnectionId, type Refusal, refusals } from "../../src/terms/index.js";
import { type CommandOf, key, name, parcel, program, session, tokenOf } from "../core/support/values.js";
import type { Random } from "./random.js";

type ClientCommand = CommandOf<
  | "hello"
  | "goodbye"
  | "settle"
  | "ack"
  | "cancel"
  | "write"
  | "read"
  | "acquire"
  | "cancel-acquire"
  | "release"
  | "list"
>;

export interface Call {
  readonly request: string;
  readonly command: ClientCommand & { readonly request: string };
  /** 0: it has none and is not sent again. */
  readonly key: number;
  /** Connections it was sent on. */
  readonly sentOn: ConnectionId[];
  /** Writes of its session that were asked for before it and not answered then. */
  readonly behind: readonly Call[];
  outcome: "open" | "done" | "none" | "unknown" | "abandoned";
  /** A write under locks that it holds and has not given back: nothing that it asks later can break these fences. */
  sure: boolean;
}

/** What is finally known of one write: by its answer, or because somebody settled its session. */
export interface Verdict {
  readonly what: string;
  readonly outcome: "done" | "none";
}

let sessions = 0;
let whats = 0;

/** The same numbers for the same seed, whatever ran before. */
export function resetNumbers(): void {
  sessions = 0;
  whats = 0;
}

export class CoreActor {
  readonly process: ProcessIdentity | undefined;
  readonly bound: boolean;
  readonly windowMs: number;
  number: number;
  connection: ConnectionId | undefined;
  /** Present while it speaks for its session. */
  live = false;
  /** It was welcomed once in this session. */
  known = false;
  /** It has done something that may end its session: goodbye, death. */
  leaving = false;
  alive = true;
  awaySince = 0;
  calls: Call[] = [];
  readonly verdicts: Verdict[] = [];
  readonly grants = new Map<number, Fence>();
  #keys = 0;
  #requests = 0;
  readonly #random: Random;
  readonly #names: readonly string[];

  constructor(random: Random, names: readonly string[]) {
    sessions++;
    this.number = sessions;
    this.#random = random;
    this.#names = names;
    this.process = random.chance(0.7) ? { pid: 1000 + sessions, startTime: `${sessions}` } : undefined;
    this.bound = this.process !== undefined && random.chance(0.2);
    this.windowMs = 500 + random.below(4000);
  }

  get session() {
    return session(this.number);
  }

  get open(): Call[] {
    return this.calls.filter(({ outcome }) => outcome === "open");
  }

  /** The session is over for good: another one, and nothing of the old is asked again. */
  begin(): Call[] {
    const unanswered = this.open;
    for (const call of unanswered) call.outcome = "abandoned";
    sessions++;
    this.number = sessions;
    this.calls = [];
    this.grants.clear();
    this.#keys = 0;
    this.known = false;
    this.live = false;
    this.leaving = false;
    return unanswered;
  }

  connectionLost(now: number): void {
    this.connection = undefined;
    if (this.live) this.awaySince = now;
    this.live = false;
  }

  hello(): Call {
    const identity = program({
      program: `actor ${this.number}`,
      bound: this.bound,
      ...(this.process === undefined ? {} : { process: this.process }),
    });
    // A program that has lost a handle: the broker must not keep what nobody believes in.
    const [lost] = this.grants.keys();
    if (lost !== undefined && this.#random.chance(0.1)) {
      this.grants.delete(lost);
      for (const call of this.calls) call.sure = false;
    }
    const pending = this.open.filter(({ command }) => command.kind === "acquire").map((call) => key(call.key));
    // What is being given back is listed as well: the writes that were sent before must find it held.
    const grants = [...this.grants.values()];
    const { session: mine, windowMs } = this;
    const mode = this.known ? "resume" : "either";
    const { ackedBelow } = this;
    return this.#call(0, {
      kind: "hello",
      session: mine,
      mode,
      identity,
      windowMs,
      grants,
      pending,
      ackedBelow,
      outer: undefined,
    });
  }

  /** What it asked on earlier connections, in the first order; what has no key is given up. */
  resend(): Call[] {
    const before = this.open.filter(({ sentOn }) => sentOn.length > 0 && sentOn.at(-1) !== this.connection);
    for (const call of before) if (call.key === 0) call.outcome = "abandoned";
    return before.filter(({ outcome }) => outcome === "open");
  }

  /** Something to ask, at random. */
  next(): Call | undefined {
    const random = this.#random;
    const [held] = [...this.grants.values()];
    switch (random.below(10)) {
      case 0:
      case 1:
        return this.acquire(random.pick(this.#names), random.pick([undefined, undefined, 0, 1 + random.below(3000)]));
      case 2:
      case 3:
        return held === undefined || this.isReleasing(held) ? undefined : this.release(held);
      case 4:
        return this.read(random.chance(0.05));
      case 5: {
        const waiting = this.open.find(({ command }) => command.kind === "acquire");
        if (waiting === undefined) return undefined;
        return this.#call(this.#nextKey(), { kind: "cancel-acquire", key: key(this.#keys), of: key(waiting.key) });
      }
      case 6:
        return this.#call(0, {
          kind: "list",
          name: undefined,
          prefix: "",
          session: undefined,
          contended: false,
          waitersMax: 3,
        });
      default:
        return this.write(held !== undefined && random.chance(0.6) ? [held] : []);
    }
  }

  acquire(lock: string, waitMs: number | undefined): Call {
    const claims = [{ name: name(lock), mode: "exclusive" }] as const;
    return this.#call(this.#nextKey(), {
      kind: "acquire",
      key: key(this.#keys),
      claims,
      waitMs,
      reason: "",
      ttlMs: undefined,
      guarded: false,
      tell: { place: false, contended: false },
      steal: false,
      under: undefined,
    });
  }

  release(fence: Fence): Call {
    return this.#call(this.#nextKey(), { kind: "release", key: key(this.#keys), ...fence });
  }

  goodbye(): Call {
    this.leaving = true;
    return this.#call(0, { kind: "goodbye" });
  }

  settle(of: CoreActor["session"], keys: readonly number[]): Call {
    return this.#call(0, { kind: "settle", session: of, keys: keys.map(key), parcel: parcel("settle") });
  }

  read(endless: boolean): Call {
    whats++;
    return this.#call(0, { kind: "read", timeoutMs: undefined, parcel: parcel(`read ${whats}`, { endless }) });
  }

  write(fences: readonly Fence[]): Call {
    const random = this.#random;
    whats++;
    const keyed = random.chance(0.85);
    const carried = parcel(`write ${whats}`, {
      fails: random.chance(0.1),
      endless: random.chance(0.02),
      size: random.pick([10, 100, 1000, 5000]),
    });
    const number = keyed ? this.#nextKey() : 0;
    const alone = random.chance(0.1);
    return this.#call(number, {
      kind: "write",
      key: keyed ? key(number) : undefined,
      fences,
      alone,
      timeoutMs: undefined,
      parcel: carried,
    });
  }

  /** What it is told. Gives the call that is answered. */
  hear(letter: Letter): Call | undefined {
    if (!("request" in letter)) return undefined;
    const call = this.calls.find(({ request, outcome }) => request === letter.request && outcome === "open");
    if (call === undefined) return undefined;
    call.outcome = "done";
    const { command } = call;
    if (letter.kind === "granted") for (const fence of fencesOf(letter.grant)) this.grants.set(fence.token, fence);
    if (letter.kind === "refused") {
      call.outcome = outcomeOf(letter.refusal);
      if (call.sure && letter.refusal.refused === "FENCED")
        throw new Error(`${whatIn(call)} was overtaken by a release`);
    }
    if (command.kind === "release") this.grants.delete(command.token);
    if (command.kind === "write" && (call.outcome === "done" || call.outcome === "none"))
      this.verdicts.push({ what: whatIn(call), outcome: call.outcome });
    return call;
  }

  get fence(): Fence | undefined {
    return [...this.grants.values()][0];
  }

  #holds(fence: Fence): boolean {
    return this.grants.get(fence.token)?.name === fence.name && !this.isReleasing(fence);
  }

  isReleasing(fence: Fence): boolean {
    return this.open.some(({ command }) => command.kind === "release" && command.token === fence.token);
  }

  /** All its keys below this are answered. */
  get ackedBelow() {
    const open = this.open.filter((call) => call.key > 0).map((call) => call.key);
    return key(Math.min(this.#keys + 1, ...open));
  }

  #nextKey(): number {
    this.#keys++;
    return this.#keys;
  }

  #call(number: number, question: Question): Call {
    this.#requests++;
    const request = `${this.number}.${this.#requests}`;
    const command = { ...question, connection: this.connection, request } as Call["command"];
    const behind = this.open.filter((call) => call.command.kind === "write");
    const sure = command.kind === "write" && command.fences.every((fence) => this.#holds(fence));
    const call: Call = { request, command, key: number, sentOn: [], behind, outcome: "open", sure };
    this.calls.push(call);
    return call;
  }
}

export function fencesOf({ claims, token }: GrantView): Fence[] {
  return claims.map(({ name }) => ({ name, token }));
}

export function whatIn({ command }: Call): string {
  return "parcel" in command ? ((command.parcel as { readonly what?: string }).what ?? "") : "";
}

export function staleFence(names: readonly string[], random: Random): Fence {
  return { name: name(random.pick(names)), token: tokenOf(1 + random.below(5)) };
}

function outcomeOf(refusal: Refusal): "none" | "unknown" {
  return refusal.outcome ?? refusals[refusal.refused].outcome;
}

type WithoutAsker<One> = One extends { request: unknown } ? Omit<One, "connection" | "request"> : never;
type Question = WithoutAsker<Exclude<ClientCommand, { kind: "cancel" }>>;
