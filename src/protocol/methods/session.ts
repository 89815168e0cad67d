/** The methods of a session: who speaks, what it still holds, what became of what it asked. */
import type { Outcome } from "../../terms/index.js";
import type { Method, NotificationRow } from "../method.js";
import * as is from "../schema.js";
import { refusalData } from "./refusal-fields.js";

export interface VersionRange {
  readonly min: number;
  readonly max: number;
}

/** A lock and the token under which it is believed to be held. */
export interface HeldLock {
  readonly name: string;
  readonly token: number;
}

/** A grant and the request key that asked for it, so that an acquire that is sent again finds its answer. */
export interface GrantedLock extends HeldLock {
  readonly key: number;
}

/** A process as the operating system tells it apart from a later one with the same number. */
export interface ProcessClaim {
  readonly pid: number;
  readonly startTime: string;
  readonly pidNamespace?: string;
}

/** Each includes the one before it. */
export type Role = "read" | "write" | "admin";

/** What a client takes the broker for that it found; refused with OTHER_DATABASE where it is not so. */
export interface ExpectedPlaces {
  readonly database?: string;
  readonly dataDir?: string;
}

export interface HelloParams {
  readonly protocol: VersionRange;
  readonly secret?: string;
  readonly mode?: "new" | "resume" | "either";
  readonly role?: Role;
  readonly program?: string;
  readonly version?: string;
  readonly process?: ProcessClaim;
  readonly bound?: boolean;
  readonly outer?: string;
  readonly resumeWindowMs?: number;
  readonly expects?: ExpectedPlaces;
  readonly grants?: readonly HeldLock[];
  readonly pending?: readonly number[];
  readonly ack?: number;
}

export interface BrokerIdentity {
  readonly version: string;
  readonly pid: number;
  readonly startTime: string;
}

export interface HelloResult {
  readonly protocol: number;
  readonly session: string;
  readonly secret: string;
  readonly role: Role;
  readonly resumed: boolean;
  readonly incarnation: string;
  readonly epoch: number;
  readonly broker: BrokerIdentity;
  readonly runDir: string;
  readonly grants: readonly GrantedLock[];
  readonly lost: readonly HeldLock[];
  readonly resumeWindowMs: number;
  readonly limits: { readonly [name: string]: number };
}

/** No parameters, or an empty answer: later versions may add to it. */
export type Empty = object;

export interface SettleParams {
  readonly secret: string;
  readonly keys: readonly number[];
}

/** What stands in `error.data` of every refusal. */
export interface RefusalData {
  readonly code: string;
  readonly retryable: boolean;
  readonly outcome: Outcome;
  readonly details: { readonly [field: string]: unknown };
}

export interface SettledError {
  readonly message: string;
  readonly data: RefusalData;
}

export interface SettledKey {
  readonly key: number;
  readonly outcome: "applied" | "never" | "unknown";
  /** As the method would have answered it; absent when it was too large to keep. */
  readonly result?: unknown;
  readonly error?: SettledError;
  readonly resultKept: boolean;
}

export interface SettleResult {
  readonly outcomes: readonly SettledKey[];
}

export interface PingResult {
  readonly now: number;
}

export interface AckParams {
  readonly below: number;
}

export interface CancelParams {
  readonly id: string | number;
}

export interface ClosingParams {
  readonly reason: string;
  readonly retryAfterMs: number;
}

const secret = is.Text({
  pattern: "^[A-Za-z0-9_-]{43}$",
  description: "32 random bytes in base64url without padding; whoever knows them speaks for the session",
});

const heldLock = is.ObjectOf({ name: is.LockNameField, token: is.TokenField });

const grantedLock = is.ObjectOf({
  name: is.LockNameField,
  token: is.TokenField,
  key: is.RequestKeyField("The request key of the acquire that was granted"),
});

const versionRange = is.ObjectOf({
  min: is.WholeNumber("The oldest version the client speaks", 1),
  max: is.WholeNumber("The newest version the client speaks", 1),
});

const processClaim = is.ObjectOf({
  pid: is.WholeNumber("The process that the session lives with", 1),
  startTime: is.Text({
    minLength: 1,
    maxLength: 64,
    description: "On Linux field 22 of /proc/PID/stat: changes when the pid is used again",
  }),
  pidNamespace: is.Optional(
    is.Text({
      maxLength: 64,
      description: "On Linux what /proc/self/ns/pid points to: a pid of another namespace proves nothing",
    }),
  ),
});

const roles = ["read", "write", "admin"] as const;

const helloParams = is.ObjectOf({
  protocol: versionRange,
  secret: is.Optional(secret),
  mode: is.Optional(
    is.OneOf(
      ["new", "resume", "either"],
      'Whether a session with this secret must be unknown, must be known, or may be both (default "either")',
    ),
  ),
  role: is.Optional(
    is.OneOf(
      roles,
      "What the session may do. Absent: everything, or what it may do already if it is resumed, which cannot become more",
    ),
  ),
  program: is.Optional(is.Text({ description: "The program's name, for people who look at the queue" })),
  version: is.Optional(is.Text({ description: "The client library's version" })),
  process: is.Optional(processClaim),
  bound: is.Optional(is.Flag({ description: "The session lives as long as `process`, with or without a connection" })),
  outer: is.Optional(
    is.Text({
      pattern: "^[A-Za-z0-9_-]{43}$",
      description:
        "The secret of the session under whose command this one runs: its locks count as held for this one. Passed over when it is not known, or when sixteen are one under the other already",
    }),
  ),
  resumeWindowMs: is.Optional(is.WholeNumber("How long the session is to be kept without a connection")),
  expects: is.Optional(
    is.ObjectOf({
      database: is.Optional(is.Text({ description: "The database file, absolute and without symbolic links" })),
      dataDir: is.Optional(is.Text({ description: "The data directory, absolute and without symbolic links" })),
    }),
  ),
  grants: is.Optional(
    is.ArrayOf(heldLock, {
      description: "What the client believes it holds; what it neither lists nor has pending is released",
    }),
  ),
  pending: is.Optional(
    is.ArrayOf(is.RequestKeyField(), { description: "The keys of lock requests that the client will send again" }),
  ),
  ack: is.Ack,
});

const brokerIdentity = is.ObjectOf({
  version: is.Text({ description: "The broker's version" }),
  pid: is.WholeNumber("The front's process", 1),
  startTime: is.Text({ description: "Tells this life of the broker from another with the same pid" }),
});

const helloResult = is.ObjectOf({
  protocol: is.WholeNumber("The version to be spoken from here on", 1),
  session: is.Text({
    pattern: "^[0-9a-f]{32}$",
    description: "The session's id: the first 16 bytes of SHA-256 of the secret's 32 bytes, in hex",
  }),
  secret,
  role: is.OneOf(roles, "What the session may do"),
  resumed: is.Flag({ description: "Whether the session was known; false: nothing of an earlier one holds" }),
  incarnation: is.Text({ description: "Changes when the database file was replaced by another or an older one" }),
  epoch: is.WholeNumber("Counts the writers that the database has had"),
  broker: brokerIdentity,
  runDir: is.Text({
    description:
      "The broker's run directory: when it is gone, or has a file `moved`, the database may be served from elsewhere",
  }),
  grants: is.ArrayOf(grantedLock, { description: "What the session holds now" }),
  lost: is.ArrayOf(heldLock, { description: "What the client listed and no longer holds" }),
  resumeWindowMs: is.WholeNumber("How long the session is kept without a connection"),
  limits: is.RecordOf(is.Integer(), "The broker's limits by name"),
});

const settleParams = is.ObjectOf({
  secret,
  keys: is.ArrayOf(is.RequestKeyField(), {
    minItems: 1,
    maxItems: 1024,
    description: "The request keys of writes that were not answered",
  }),
});

const settleResult = is.ObjectOf({
  outcomes: is.ArrayOf(
    is.ObjectOf({
      key: is.RequestKeyField(),
      outcome: is.OneOf(["applied", "never", "unknown"], "For good: it does not change any more"),
      result: is.Optional(
        is.Unknown({ description: "The stored result, if the write was applied and its result kept" }),
      ),
      error: is.Optional(is.ObjectOf({ message: is.Text(), data: refusalData })),
      resultKept: is.Flag({
        description: "Whether `result` is what was answered; false: applied, and the result too large or gone",
      }),
    }),
  ),
});

const nothing = is.schemaOf<Empty>()(is.Nothing);

export const sessionMethods = {
  "session.hello": {
    summary: "Opens a session or takes one up again. The first request on every connection.",
    params: is.schemaOf<HelloParams>()(helloParams),
    result: is.schemaOf<HelloResult>()(helloResult),
    keyed: "never",
    beforeHello: true,
    refusals: [
      "PROTOCOL_VERSION",
      "OTHER_DATABASE",
      "META_TOO_LARGE",
      "NAME_INVALID",
      "CONNECTIONS_FULL",
      "SESSIONS_FULL",
      "WRITER_UNAVAILABLE",
    ],
  } satisfies Method<HelloParams, HelloResult>,
  "session.goodbye": {
    summary: "Ends the session: its locks are released, its waiters leave, its writes that run are settled first.",
    params: nothing,
    result: nothing,
    keyed: "never",
    beforeHello: false,
    refusals: [],
  } satisfies Method<Empty, Empty>,
  "session.settle": {
    summary:
      "Says for good what became of keyed writes of a session that has ended; a living one is ended by it first.",
    params: is.schemaOf<SettleParams>()(settleParams),
    result: is.schemaOf<SettleResult>()(settleResult),
    keyed: "never",
    beforeHello: true,
    refusals: ["WRITER_UNAVAILABLE", "DISK_FAILED"],
  } satisfies Method<SettleParams, SettleResult>,
  "session.ping": {
    summary: "Answers at once, in the order of the connection.",
    params: nothing,
    result: is.schemaOf<PingResult>()(
      is.ObjectOf({ now: is.Integer({ description: "The broker's wall clock, milliseconds since 1970; for people" }) }),
    ),
    keyed: "never",
    beforeHello: true,
    refusals: [],
  } satisfies Method<Empty, PingResult>,
};

export const sessionToBroker = {
  "session.ack": {
    summary: "All keys below this one are settled for the client; their stored results may go.",
    params: is.schemaOf<AckParams>()(is.ObjectOf({ below: is.RequestKeyField() })),
  } satisfies NotificationRow<AckParams>,
  "session.cancel": {
    summary: "Cancels the request with this id of this connection, if it is not answered yet.",
    params: is.schemaOf<CancelParams>()(
      is.ObjectOf({
        id: is.Union([is.Text({ maxLength: 64 }), is.Integer()], { description: "The `id` of the request" }),
      }),
    ),
  } satisfies NotificationRow<CancelParams>,
};

export const sessionToClient = {
  "session.taken": {
    summary: "Another connection speaks for the session now; this one is closed with 4409.",
    params: nothing,
  } satisfies NotificationRow<Empty>,
  "session.closing": {
    summary: "The broker is ending; the connection is closed with 1012. Connect again after retryAfterMs.",
    params: is.schemaOf<ClosingParams>()(
      is.ObjectOf({
        reason: is.Text({ description: "Why" }),
        retryAfterMs: is.WholeNumber("How long to wait before connecting again"),
      }),
    ),
  } satisfies NotificationRow<ClosingParams>,
  "session.expired": {
    summary: "The session has ended; what it held is released. Settle what was unanswered, then open a new one.",
    params: nothing,
  } satisfies NotificationRow<Empty>,
};
