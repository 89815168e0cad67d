/** One client as a test plays it: its session, its present connection, and what became of each of its requests. */
import assert from "node:assert/strict";
import type { Claim, Command, Fence, Letter, LockEvent, Mode, ProcessIdentity, Role } from "../../../src/core/index.js";
import { type ConnectionId, type RefusalCode, type Token, transactionNumber } from "../../../src/terms/index.js";
import { connection, key, name, type ParcelWords, parcel, program, seqOf, session, tokenOf, whatOf } from "./values.js";

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
  role?: Role;
  process?: ProcessIdentity;
  bound?: boolean;
  windowMs?: number;
  grants?: readonly Fence[];
  pending?: readonly number[];
  ack?: number;
  outer?: TestClient;
}

export interface Refused {
  readonly code: RefusalCode;
  readonly message: string;
  readonly outcome: string | undefined;
  readonly details: { readonly [field: string]: unknown };
}

/** A name alone is claimed exclusively; with slots or a take, as a semaphore. */
export type ClaimWords =
  | string
  | {
      readonly name: string;
      readonly mode?: Mode | undefined;
      readonly slots?: number | undefined;
      readonly take?: number | undefined;
    };

export interface AcquireWords {
  readonly mode?: Mode;
  readonly slots?: number;
  readonly take?: number;
  readonly waitMs?: number;
  readonly key?: number;
  readonly reason?: string;
  readonly ttlMs?: number;
  readonly guarded?: boolean;
  readonly tell?: { readonly place?: boolean; readonly contended?: boolean };
  readonly steal?: boolean;
  readonly under?: readonly number[];
}

export interface ListWords {
  readonly name?: string;
  readonly prefix?: string;
  readonly of?: TestClient;
  readonly contended?: boolean;
  readonly waitersMax?: number;
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

  get refusal(): Refused {
    const { answer } = this;
    if (answer.kind !== "refused")
      throw new assert.AssertionError({ message: `not refused: ${JSON.stringify(answer)}` });
    const { refused: code, message, outcome, details = {} } = answer.refusal;
    return { code, message, outcome, details };
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
  #transactions = 0;

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
      role: words.role,
      windowMs,
      grants,
      pending: pending.map(key),
      ackedBelow: ack === undefined ? undefined : key(ack),
      outer: words.outer?.session,
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

  /** A name, or several; one alone is claimed as `words` say, exclusively unless they do. */
  acquire(locks: string | readonly ClaimWords[], words: AcquireWords = {}): Asked {
    const { waitMs, reason = "", ttlMs, guarded = false, tell = {}, steal = false, under } = words;
    const { mode, slots, take } = words;
    const wanted = typeof locks === "string" ? [claim({ name: locks, mode, slots, take })] : locks.map(claim);
    return this.#ask({
      kind: "acquire",
      key: key(words.key ?? this.nextKey()),
      claims: wanted,
      waitMs,
      reason,
      ttlMs,
      guarded,
      tell: { place: tell.place ?? false, contended: tell.contended ?? false },
      steal,
      under: under?.map(tokenOf),
    });
  }

  /** Acquires what is free. */
  hold(locks: string | readonly ClaimWords[], words: AcquireWords = {}): Fence {
    const { name: held, token } = this.acquire(locks, words).grant;
    return { name: held, token };
  }

  upgrade(fence: Fence, words: { key?: number; waitMs?: number; under?: readonly number[] } = {}): Asked {
    const numbered = key(words.key ?? this.nextKey());
    const { waitMs, under } = words;
    const wish = { to: "exclusive", waitMs, under: under?.map(tokenOf) } as const;
    return this.#ask({ kind: "convert", ...fenceOf(fence), key: numbered, ...wish });
  }

  downgrade(fence: Fence, words: { key?: number } = {}): Asked {
    const numbered = key(words.key ?? this.nextKey());
    const wish = { to: "shared", waitMs: undefined, under: undefined } as const;
    return this.#ask({ kind: "convert", ...fenceOf(fence), key: numbered, ...wish });
  }

  break(lock: string, words: { key?: number; token?: Token; graceMs?: number; reason?: string } = {}): Asked {
    const { token, graceMs = 0, reason = "" } = words;
    const numbered = key(words.key ?? this.nextKey());
    return this.#ask({ kind: "break", name: name(lock), key: numbered, token, graceMs, reason });
  }

  transfer(lock: string, to: TestClient, words: { key?: number; token?: Token; reason?: string } = {}): Asked {
    const { token, reason = "" } = words;
    const numbered = key(words.key ?? this.nextKey());
    return this.#ask({ kind: "transfer", name: name(lock), key: numbered, token, to: to.session, reason });
  }

  resize(lock: string, slots: number, words: { key?: number } = {}): Asked {
    return this.#ask({ kind: "resize", name: name(lock), key: key(words.key ?? this.nextKey()), slots });
  }

  history(lock: string, max = 100): readonly LockEvent[] {
    const { answer } = this.#ask({ kind: "history", name: name(lock), max });
    assert.equal(answer.kind, "history");
    return answer.kind === "history" ? answer.events : [];
  }

  watch(watch: number, words: { name?: string; prefix?: string; after?: number } = {}): Asked {
    const lock = words.name === undefined ? undefined : name(words.name);
    return this.#ask({ kind: "watch", watch, name: lock, prefix: words.prefix ?? "", after: words.after });
  }

  unwatch(watch: number): Asked {
    return this.#ask({ kind: "unwatch", watch });
  }

  watchTables(
    watch: number,
    tables: readonly string[],
    words: { keys?: boolean; after?: { seq: number; source: string } } = {},
  ): Asked {
    const { keys = false, after } = words;
    const from = after === undefined ? undefined : { ...after, seq: seqOf(after.seq) };
    return this.#ask({ kind: "watch-tables", watch, tables, keys, after: from });
  }

  unwatchTables(watch: number): Asked {
    return this.#ask({ kind: "unwatch-tables", watch });
  }

  release(fence: Fence, words: { key?: number; lost?: boolean } = {}): Asked {
    const { lost = false } = words;
    return this.#ask({ kind: "release", ...fenceOf(fence), key: key(words.key ?? this.nextKey()), lost });
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
    words: ParcelWords & {
      key?: number | undefined;
      fences?: readonly Fence[];
      release?: readonly Fence[];
      timeoutMs?: number;
      contendedMs?: number;
    } = {},
  ): Asked {
    const { fences = [], release, timeoutMs, contendedMs } = words;
    const number = "key" in words ? words.key : this.nextKey();
    return this.#ask({
      kind: "write",
      key: number === undefined ? undefined : key(number),
      fences,
      release,
      alone: false,
      timeoutMs,
      contendedMs,
      parcel: parcel(what, words),
    });
  }

  /** Begins the next of its transactions. */
  begin(
    words: {
      transaction?: number;
      mode?: "read" | "write" | "deferred";
      fences?: readonly Fence[];
      timeoutMs?: number;
    } = {},
  ): Asked {
    const { fences = [], mode = "write", timeoutMs } = words;
    this.#transactions = words.transaction ?? this.#transactions + 1;
    return this.#ask({
      kind: "tx-begin",
      transaction: transactionNumber(this.#transactions),
      mode,
      fences,
      timeoutMs,
    });
  }

  /** In the transaction that it has begun last, unless it is told another. */
  step(
    what: string,
    words: ParcelWords & { transaction?: number; writes?: boolean; control?: boolean; timeoutMs?: number } = {},
  ): Asked {
    const { transaction = this.#transactions, control = false, writes = !control, timeoutMs } = words;
    return this.#ask({
      kind: "tx-step",
      transaction: transactionNumber(transaction),
      writes,
      control,
      timeoutMs,
      parcel: parcel(what, words),
    });
  }

  /** With a key of its own unless it is told one; `key: undefined` for one without. */
  commit(
    words: ParcelWords & { transaction?: number; key?: number | undefined; release?: readonly Fence[] } = {},
  ): Asked {
    const { transaction = this.#transactions, release } = words;
    const number = "key" in words ? words.key : this.nextKey();
    return this.#ask({
      kind: "tx-commit",
      transaction: transactionNumber(transaction),
      key: number === undefined ? undefined : key(number),
      release,
      parcel: parcel(`transaction ${transaction}`, words),
    });
  }

  rollback(words: { transaction?: number } = {}): Asked {
    const { transaction = this.#transactions } = words;
    return this.#ask({ kind: "tx-rollback", transaction: transactionNumber(transaction) });
  }

  read(what: string, words: ParcelWords & { timeoutMs?: number } = {}): Asked {
    return this.#ask({ kind: "read", timeoutMs: words.timeoutMs, parcel: parcel(what, words) });
  }

  /** As its stream `number`. */
  stream(
    what: string,
    words: ParcelWords & { number?: number; transaction?: number; credit?: number; timeoutMs?: number } = {},
  ): Asked {
    const { number = 1, transaction, credit = 1000, timeoutMs } = words;
    const of = transaction === undefined ? {} : { transaction: transactionNumber(transaction) };
    return this.#ask({ kind: "stream", stream: number, ...of, credit, timeoutMs, parcel: parcel(what, words) });
  }

  credit(stream: number, bytes: number): void {
    this.broker.do({ kind: "stream-credit", connection: this.to, stream, bytes });
  }

  closeStream(stream: number): void {
    this.broker.do({ kind: "stream-close", connection: this.to, stream });
  }

  /** What it has heard of its streams: rows, and how each has ended. */
  get streamed(): string[] {
    return this.broker.letters.flatMap((letter) => {
      if (letter.to !== this.to) return [];
      if (letter.kind === "rows") return [whatOf(letter.message).what];
      if (letter.kind !== "stream-done") return [];
      return [`${letter.stream} done after ${letter.rows}${letter.refusal ? `: ${letter.refusal.refused}` : ""}`];
    });
  }

  settle(of: TestClient, keys: readonly number[]): Asked {
    return this.#ask({ kind: "settle", session: of.session, keys: keys.map(key), parcel: parcel("settle") });
  }

  list(words: ListWords = {}): Extract<Letter, { kind: "listing" }>["locks"] {
    const { prefix = "", waitersMax = 100, of, contended = false } = words;
    const lock = words.name === undefined ? undefined : name(words.name);
    const { answer } = this.#ask({ kind: "list", name: lock, prefix, session: of?.session, contended, waitersMax });
    assert.equal(answer.kind, "listing");
    return answer.kind === "listing" ? answer.locks : [];
  }

  /** Letters that answer nothing, by kind. */
  get notices(): string[] {
    return this.notes.map(({ kind }) => kind);
  }

  /** The same in full. */
  get notes(): Letter[] {
    return this.broker.letters.filter((letter) => letter.to === this.to && !("request" in letter));
  }

  /** What it was told to have lost, and why. */
  get lost(): string[] {
    return this.notes.flatMap((letter) => (letter.kind === "lost" ? [`${letter.fence.name}: ${letter.reason}`] : []));
  }

  #ask(question: Question): Asked {
    this.#requests++;
    const request = `${this.program} ${this.#requests}`;
    const asked = new Asked(this.broker, this.to, request);
    this.broker.do({ ...question, connection: this.to, request });
    return asked;
  }
}

function claim(words: ClaimWords): Claim {
  if (typeof words === "string") return { name: name(words), mode: "exclusive" };
  const { mode, slots, take } = words;
  const made: Claim = { name: name(words.name), mode: (slots ?? take) === undefined ? "exclusive" : "semaphore" };
  return {
    ...made,
    ...(mode === undefined ? {} : { mode }),
    ...(slots === undefined ? {} : { slots }),
    ...(take === undefined ? {} : { take }),
  };
}

/** What a test calls a fence may have more. */
function fenceOf({ name: lock, token }: Fence): Fence {
  return { name: lock, token };
}

type WithoutAsker<One> = One extends { request: unknown } ? Omit<One, "connection" | "request"> : never;
type Question = WithoutAsker<Exclude<Command, { kind: "cancel" }>>;
