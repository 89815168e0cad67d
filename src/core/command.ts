/**
 * Everything that can ever happen to the broker, as the core hears it: a closed union. The front translates the wire,
 * the operating system and the store into these; nothing else reaches a decision. Time comes beside the command.
 */
import type {
  ConnectionId,
  LockName,
  Millis,
  ReaderId,
  Refusal,
  RequestId,
  RequestKey,
  Seq,
  SessionId,
  Token,
} from "../terms/index.js";

/** What the core carries but never opens: the bytes of a request on their way to the store. */
export interface Parcel {
  /** Bytes; the coin in which fairness is paid. */
  readonly size: number;
}

/** A process as the operating system tells it apart from a later one with the same number. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Opaque text that changes when the pid is used again (on Linux, start time in clock ticks since boot). */
  readonly startTime: string;
}

export interface SessionIdentity {
  readonly program: string;
  readonly version: string;
  /** Present only when the front could read this process at hello: a claim that could not be checked does not count. */
  readonly process: ProcessIdentity | undefined;
  /** The session lives as long as `process`, with or without a connection. */
  readonly bound: boolean;
}

export interface Fence {
  readonly name: LockName;
  readonly token: Token;
}

/** Who asked, so that the answer finds the way back. */
export interface Asker {
  readonly connection: ConnectionId;
  readonly request: RequestId;
}

/** What a child of the store says about one request. `absent`: a replay was asked for and nothing is stored. */
export type StoreAnswer =
  | { readonly kind: "done"; readonly body: unknown }
  | { readonly kind: "refused"; readonly refusal: Refusal }
  | { readonly kind: "absent" };

/** What the writer last noted in its progress file: which request, in which phase, since when (monotonic ms). */
export interface WriterProgress {
  readonly seq: Seq;
  readonly phase: "idle" | "running" | "committing";
  readonly since: number;
}

/** Events of the store; the desk makes them, the front hands them on as they are. */
export type StoreEvent =
  | {
      readonly kind: "writer-ready";
      readonly epoch: number;
      /** The highest sequence whose group is committed. */
      readonly storedSeq: Seq;
      readonly previousBootId: string | null;
      readonly incarnation: string;
      /** Tokens from (inclusive) to (exclusive) are reserved on disk. */
      readonly tokensFrom: number;
      readonly tokensTo: number;
    }
  | {
      readonly kind: "writer-settled";
      /** In the order of dispatch; all of one group at once, after its fsync. */
      readonly answers: readonly { readonly seq: Seq; readonly answer: StoreAnswer }[];
      /** The highest sequence that this writer has on disk, if any: what changed nothing is settled and is not there. */
      readonly storedSeq?: Seq;
      readonly walBytes: number;
    }
  /** The process is gone and every byte it had written has been read. */
  | {
      readonly kind: "writer-gone";
      readonly progress: WriterProgress | undefined;
      readonly ioFailed: boolean;
      readonly reason: string;
    }
  | { readonly kind: "writer-unavailable"; readonly reason: string }
  | { readonly kind: "writer-progress"; readonly progress: WriterProgress | undefined }
  | {
      readonly kind: "tokens-reserved";
      readonly tokensFrom: number;
      readonly tokensTo: number;
      readonly incarnation: string;
    }
  | { readonly kind: "checkpointed"; readonly walBytes: number; readonly complete: boolean }
  | { readonly kind: "reader-ready"; readonly reader: ReaderId }
  | { readonly kind: "reader-gone"; readonly reader: ReaderId; readonly reason: string }
  | { readonly kind: "read-settled"; readonly reader: ReaderId; readonly read: number; readonly answer: StoreAnswer };

export interface HelloCommand extends Asker {
  readonly kind: "hello";
  readonly session: SessionId;
  readonly mode: "new" | "resume" | "either";
  readonly identity: SessionIdentity;
  readonly windowMs: Millis | undefined;
  /** What the client believes it holds; what it does not list (and has not pending) is released. */
  readonly grants: readonly Fence[];
  /** Keys of lock requests that the client will send again. */
  readonly pending: readonly RequestKey[];
  readonly ackedBelow: RequestKey | undefined;
}

export interface WriteCommand extends Asker {
  readonly kind: "write";
  /** Absent: at most once; nobody can tell the outcome after a crash. */
  readonly key: RequestKey | undefined;
  readonly fences: readonly Fence[];
  /** Must run in a transaction of its own (rule 7). */
  readonly alone: boolean;
  /** A transaction for each of its statements: what was applied of it stays when it is refused. */
  readonly piecewise?: boolean;
  /** What the client asked for; the core knows the standard limits. */
  readonly timeoutMs: Millis | undefined;
  readonly parcel: Parcel;
}

export interface ReadCommand extends Asker {
  readonly kind: "read";
  readonly timeoutMs: Millis | undefined;
  readonly parcel: Parcel;
}

export type ClientCommand =
  | HelloCommand
  | (Asker & { readonly kind: "goodbye" })
  | (Asker & {
      readonly kind: "settle";
      readonly session: SessionId;
      readonly keys: readonly RequestKey[];
      readonly parcel: Parcel;
    })
  | { readonly kind: "ack"; readonly connection: ConnectionId; readonly below: RequestKey }
  | { readonly kind: "cancel"; readonly connection: ConnectionId; readonly request: RequestId }
  | WriteCommand
  | ReadCommand
  | (Asker & {
      readonly kind: "acquire";
      readonly key: RequestKey;
      readonly name: LockName;
      /** 0: do not wait. Absent: wait for ever. */
      readonly waitMs: Millis | undefined;
      readonly reason: string;
    })
  | (Asker & { readonly kind: "cancel-acquire"; readonly key: RequestKey; readonly of: RequestKey })
  | (Asker & { readonly kind: "release"; readonly key: RequestKey; readonly name: LockName; readonly token: Token })
  | (Asker & {
      readonly kind: "list";
      readonly name: LockName | undefined;
      readonly prefix: string;
      readonly waitersMax: number;
    });

export type Command =
  | { readonly kind: "connected"; readonly connection: ConnectionId }
  | { readonly kind: "disconnected"; readonly connection: ConnectionId }
  | ClientCommand
  | StoreEvent
  /** The answer to a `probe-process` job. `dead` also for a zombie. */
  | {
      readonly kind: "process-fate";
      readonly session: SessionId;
      readonly process: ProcessIdentity;
      readonly fate: "alive" | "dead" | "unknown";
    }
  /** The whole front stood still for so long; every deadline moves by it. */
  | { readonly kind: "paused"; readonly ms: Millis }
  /** The ledger cannot take rows (disk full), or can again. */
  | { readonly kind: "ledger"; readonly full: boolean }
  /** The broker is ending: nothing new is begun. */
  | { readonly kind: "drain" };
