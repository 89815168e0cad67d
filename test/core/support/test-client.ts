/** One client as a test plays it: its session, its present connection, and what became of each of its requests. */
import assert from "node:assert/strict";
import type { Command, Fence, Letter, ProcessIdentity } from "../../../src/core/index.js";
import type { ConnectionId, RefusalCode } from "../../../src/terms/index.js";
import { connection, key, name, type ParcelWords, parcel, program, session } from "./values.js";

type GrantedLetter = Extract<Letter, { kind: "granted" }>;
type WelcomeLetter = Extract<Letter, { kind: "welcome" }>;
type Answered = Extract<Letter, { request: unknown }>;

/** The broker as a client sees it. */
export interface Counterpart {
  readonly letters: readonly Letter[];
  do(command: Command): void;
}

export interface HelloWords {
  mode?: "new" | "resume" | "either";
  process?: ProcessIdentity;
  bound?: boolean;
  windowMs?: number;
  grants?: readonly Fence[];
  pending?: readonly number[];
  ack?: number;
}

/** One request, and what was answered to it. */
export class Asked {
  readonly broker: Counterpart;
  readonly to: ConnectionId;
  readonly request: string;

  constructor(broker: Counterpart, to: ConnectionId, request: string) {
    this.broker = broker;
    this.to = to;
    this.request = request;
  }

  get letters(): Answered[] {
    const mine = (letter: Letter): letter is Answered =>
      "request" in letter && letter.to === this.to && letter.request === this.request;
    return this.broker.letters.filter(mine);
  }

  get open(): boolean {
    return this.letters.length === 0;
  }

  /** The one answer. */
  get answer(): Answered {
    const { letters } = this;
    assert.equal(letters.length, 1, `request ${this.request} was answered ${letters.length} times`);
    return letters[0] as Answered;
  }

  get body(): unknown {
    const { answer } = this;
    assert.equal(answer.kind, "answer", JSON.stringify(answer));
    return answer.kind === "answer" ? answer.body : undefined;
  }

  get grant(): GrantedLetter["grant"] & Fence & { waitedMs: number; waiting: number } {
    const { answer } = this;
    if (answer.kind !== "granted")
      throw new assert.AssertionError({ message: `not granted: ${JSON.stringify(answer)}` });
    const { grant, waitedMs, waiting } = answer;
    const [first] = grant.claims;
    assert.ok(first !== undefined, "a grant of nothing");
    return { ...grant, name: first.name, waitedMs, waiting };
  }

  get refusal(): { code: RefusalCode; outcome: string | undefined; details: { readonly [field: string]: unknown } } {
    const { answer } = this;
    if (answer.kind !== "refused")
      throw new assert.AssertionError({ message: `not refused: ${JSON.stringify(answer)}` });
    const { refused: code, outcome, details = {} } = answer.refusal;
    return { code, outcome, details };
  }
}

let connections = 0;

function nextConnection(): ConnectionId {
  connections++;
  return connection(connections);
}

export class TestClient {
  /** Another one after a restart. */
  broker: Counterpart;
  readonly number: number;
  readonly program: string;
  to: ConnectionId = nextConnection();
  #requests = 0;
  #keys = 0;

  constructor(broker: Counterpart, number: number, programName: string) {
    this.broker = broker;
    this.number = number;
    this.program = programName;
  }

  get session() {
    return session(this.number);
  }

  nextKey(): number {
    this.#keys++;
    return this.#keys;
  }

  connect(): void {
    this.to = nextConnection();
    this.broker.do({ kind: "connected", connection: this.to });
  }

  disconnect(): void {
    this.broker.do({ kind: "disconnected", connection: this.to });
  }

  hello(words: HelloWords = {}): Asked {
    const { mode = "either", windowMs, grants = [], pending = [], ack, process, bound = false } = words;
    const identity = program({ program: this.program, bound, ...(process === undefined ? {} : { process }) });
    return this.#ask({
      kind: "hello",
      session: this.session,
      mode,
      identity,
      windowMs,
      grants,
      pending: pending.map(key),
      ackedBelow: ack === undefined ? undefined : key(ack),
      outer: undefined,
    });
  }

  /** A new connection for the same session; the old one is not heard of any more. */
  resume(words: HelloWords = {}): WelcomeLetter {
    this.connect();
    const { answer } = this.hello({ mode: "resume", ...words });
    if (answer.kind !== "welcome")
      throw new assert.AssertionError({ message: `not welcome: ${JSON.stringify(answer)}` });
    return answer;
  }

  goodbye(): Asked {
    return this.#ask({ kind: "goodbye" });
  }

  acquire(lock: string, words: { waitMs?: number; key?: number; reason?: string } = {}): Asked {
    const { waitMs, reason = "" } = words;
    return this.#ask({
      kind: "acquire",
      key: key(words.key ?? this.nextKey()),
      claims: [{ name: name(lock), mode: "exclusive" }],
      waitMs,
      reason,
      ttlMs: undefined,
      guarded: false,
      tell: { place: false, contended: false },
      steal: false,
      under: undefined,
    });
  }

  /** Acquires what is free. */
  hold(lock: string): Fence {
    const { name: held, token } = this.acquire(lock).grant;
    return { name: held, token };
  }

  release(fence: Fence, words: { key?: number } = {}): Asked {
    return this.#ask({ kind: "release", ...fence, key: key(words.key ?? this.nextKey()) });
  }

  cancelAcquire(of: number, words: { key?: number } = {}): Asked {
    return this.#ask({ kind: "cancel-acquire", key: key(words.key ?? this.nextKey()), of: key(of) });
  }

  ping(): Asked {
    return this.#ask({ kind: "ping" });
  }

  cancel(asked: Asked): void {
    this.broker.do({ kind: "cancel", connection: this.to, request: asked.request });
  }

  ack(below: number): void {
    this.broker.do({ kind: "ack", connection: this.to, below: key(below) });
  }

  /** With a key of its own unless it is told one; `key: undefined` for one without. */
  write(
    what: string,
    words: ParcelWords & { key?: number | undefined; fences?: readonly Fence[]; timeoutMs?: number } = {},
  ): Asked {
    const { fences = [], timeoutMs } = words;
    const number = "key" in words ? words.key : this.nextKey();
    return this.#ask({
      kind: "write",
      key: number === undefined ? undefined : key(number),
      fences,
      alone: false,
      timeoutMs,
      parcel: parcel(what, words),
    });
  }

  read(what: string, words: ParcelWords & { timeoutMs?: number } = {}): Asked {
    return this.#ask({ kind: "read", timeoutMs: words.timeoutMs, parcel: parcel(what, words) });
  }

  settle(of: TestClient, keys: readonly number[]): Asked {
    return this.#ask({ kind: "settle", session: of.session, keys: keys.map(key), parcel: parcel("settle") });
  }

  list(
    words: { name?: string; prefix?: string; waitersMax?: number } = {},
  ): Extract<Letter, { kind: "listing" }>["locks"] {
    const { prefix = "", waitersMax = 100 } = words;
    const lock = words.name === undefined ? undefined : name(words.name);
    const { answer } = this.#ask({
      kind: "list",
      name: lock,
      prefix,
      session: undefined,
      contended: false,
      waitersMax,
    });
    assert.equal(answer.kind, "listing");
    return answer.kind === "listing" ? answer.locks : [];
  }

  /** Letters that answer nothing: taken, expired, lost, hangup. */
  get notices(): string[] {
    return this.broker.letters
      .filter((letter) => letter.to === this.to && !("request" in letter))
      .map(({ kind }) => kind);
  }

  #ask(question: Question): Asked {
    this.#requests++;
    const request = `${this.program} ${this.#requests}`;
    const asked = new Asked(this.broker, this.to, request);
    this.broker.do({ ...question, connection: this.to, request });
    return asked;
  }
}

type WithoutAsker<One> = One extends { request: unknown } ? Omit<One, "connection" | "request"> : never;
type Question = WithoutAsker<Exclude<Command, { kind: "cancel" }>>;
