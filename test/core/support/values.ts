/** The core's branded values out of plain ones, so that a test says only what matters to it. */
import type { Command, GrantRow, Parcel, ProcessIdentity, SessionIdentity } from "../../../src/core/index.js";
import {
  type ConnectionId,
  connectionId,
  type Instant,
  instant,
  type LockName,
  lockName,
  type ReaderId,
  type RequestKey,
  readerId,
  requestKey,
  type Seq,
  type SessionId,
  seq,
  sessionId,
  type Token,
  token,
} from "../../../src/terms/index.js";

type WriterReady = Extract<Command, { kind: "writer-ready" }>;

export function session(number: number): SessionId {
  return sessionId(number.toString(16).padStart(32, "0"));
}

export function connection(number: number): ConnectionId {
  return connectionId(number);
}

export function name(text: string): LockName {
  const made = lockName(text, 512);
  if (typeof made !== "string") throw new Error(`${text} ${made.wrong}`);
  return made;
}

export function key(number: number): RequestKey {
  return requestKey(number);
}

export function tokenOf(number: number): Token {
  return token(number);
}

export function seqOf(number: number): Seq {
  return seq(number);
}

export function reader(number: number): ReaderId {
  return readerId(number);
}

export function at(ms: number): Instant {
  return instant(ms);
}

export function program(words: { program?: string; process?: ProcessIdentity; bound?: boolean } = {}): SessionIdentity {
  return { program: words.program ?? "test", version: "1", process: words.process, bound: words.bound ?? false };
}

/** A hello; what a test does not name is as it mostly is. */
/** The first word of a writer that is ready, in a run of the machine with nothing before it. */
export function writerReady(words: Partial<WriterReady> = {}): WriterReady {
  return {
    kind: "writer-ready",
    epoch: 1,
    starts: 1,
    storedSeq: seq(0),
    previousBootId: null,
    heldBefore: false,
    movedFrom: null,
    incarnation: "i",
    tokensFrom: 1,
    tokensTo: 1000,
    ...words,
  };
}

export function hello(
  words: Pick<CommandOf<"hello">, "connection" | "session" | "identity"> & Partial<CommandOf<"hello">>,
): CommandOf<"hello"> {
  return {
    kind: "hello",
    request: 1,
    mode: "either",
    windowMs: undefined,
    grants: [],
    pending: [],
    ackedBelow: undefined,
    outer: undefined,
    ...words,
  };
}

/** A request for locks; what a test does not name is as it mostly is. */
export function acquire(
  words: Pick<CommandOf<"acquire">, "connection" | "claims"> & Partial<CommandOf<"acquire">>,
): CommandOf<"acquire"> {
  return {
    kind: "acquire",
    request: 2,
    key: key(1),
    waitMs: undefined,
    reason: "",
    ttlMs: undefined,
    guarded: false,
    tell: { place: false, contended: false },
    steal: false,
    under: undefined,
    ...words,
  };
}

/** A grant as the ledger has it; what a test does not name is as it mostly is. */
export function grantRow(words: Pick<GrantRow, "token" | "session" | "claims"> & Partial<GrantRow>): GrantRow {
  return {
    key: key(1),
    since: at(0),
    reason: "",
    ttlMs: undefined,
    guarded: false,
    tell: { place: false, contended: false },
    converted: undefined,
    former: undefined,
    ending: undefined,
    ...words,
  };
}

/** What a write or read of a test carries to the store that the test plays. */
export interface TestParcel extends Parcel {
  readonly what: string;
  /** SQLite refuses it. */
  readonly fails: boolean;
  /** SQLite refuses it, and rolls back the whole transaction that it is a step of. */
  readonly ends: boolean;
  /** It runs until its process is killed. */
  readonly endless: boolean;
  /** What it is in a transaction, if it writes nothing: it reads, or sets or ends the savepoint of this name. */
  readonly as?: "read" | "savepoint" | "release" | undefined;
  /** Its caller's own key. */
  readonly ownKey?: string | undefined;
}

export interface ParcelWords {
  readonly size?: number;
  readonly fails?: boolean;
  readonly ends?: boolean;
  readonly endless?: boolean;
  readonly as?: TestParcel["as"];
  readonly ownKey?: string | undefined;
}

export function parcel(
  what: string,
  { size = 100, fails = false, ends = false, endless = false, as, ownKey }: ParcelWords = {},
): TestParcel {
  return { what, size, fails, ends, endless, as, ownKey };
}

/** Of a step that says nothing, nothing. */
export function whatOf(carried: Parcel | undefined): TestParcel {
  return (carried ?? parcel("")) as TestParcel;
}

export type CommandOf<Kind extends Command["kind"]> = Extract<Command, { kind: Kind }>;
