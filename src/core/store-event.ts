/** What the store says to the core: the desk makes these events, the front hands them on as they are. */
import type { Millis, ReaderId, Refusal, RefusalCode, Seq, SnapshotProcessId } from "../terms/index.js";
import type { Parcel } from "./command.js";

/**
 * What a child of the store says about one request. `absent`: a replay was asked for and nothing is stored; or the
 * transaction that it is a step of is not open there.
 */
export type StoreAnswer =
  | { readonly kind: "done"; readonly body: unknown }
  /** `ended`: SQLite has rolled back the whole transaction that the request was a step of. */
  | { readonly kind: "refused"; readonly refusal: Refusal; readonly ended?: boolean }
  | { readonly kind: "absent" };

/**
 * What the writer last noted in its progress file: the last request that it has begun (0: none), in which phase it is,
 * since when (monotonic ms). `folding`: the log into the database, for nobody's request.
 */
export interface WriterProgress {
  readonly seq: Seq;
  readonly phase: "idle" | "running" | "committing" | "folding";
  readonly since: number;
}

/** A row's key, and what was done to the row. `was`: the key before an update that has changed it. */
export interface ChangedKey {
  readonly change: "insert" | "update" | "delete";
  readonly key: readonly unknown[];
  readonly was?: readonly unknown[];
}

/** What one commit has done to one table. */
export interface ChangedTable {
  /** Folded: as all spellings of it are written here. */
  readonly table: string;
  readonly inserts: number;
  readonly updates: number;
  readonly deletes: number;
  /** Its definition: the rows that came or went with it are not counted. */
  readonly schema?: "created" | "changed" | "dropped";
  /** Only where somebody wants them. */
  readonly keys?: readonly ChangedKey[];
  /** There are more than are named. */
  readonly keysCut?: boolean;
}

/** What the writer tells of a group that it has settled; 0 of what was no group of writes. */
export interface GroupTimes {
  /** From the first statement to COMMIT. */
  readonly ranMs: Millis;
  /** COMMIT, and with it the sync. */
  readonly committedMs: Millis;
}

/** Events of the store; the desk makes them, the front hands them on as they are. */
export type StoreEvent =
  | {
      readonly kind: "writer-ready";
      readonly epoch: number;
      /** With this one: how many were started since the last that was ready. Each may have begun an epoch. */
      readonly starts: number;
      /** The highest sequence whose group is committed. */
      readonly storedSeq: Seq;
      readonly previousBootId: string | null;
      /** Nobody has written down, at the end of the broker before this one, that no lock was held any more. */
      readonly heldBefore: boolean;
      /** The run directory from which the database was served before, where that is another than the one of now. */
      readonly movedFrom: string | null;
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
      /** Absent where nobody has measured. */
      readonly times?: GroupTimes;
    }
  /** The process is gone and every byte it had written has been read. `left`: by itself, between two groups. */
  | {
      readonly kind: "writer-gone";
      readonly progress: WriterProgress | undefined;
      readonly ioFailed: boolean;
      readonly left?: boolean;
      readonly reason: string;
    }
  /** `lockHeld`: another process has the writer's lock. `ioFailed`: the disk failed. `refused`: where that has a word. */
  | {
      readonly kind: "writer-unavailable";
      readonly reason: string;
      readonly lockHeld?: boolean;
      readonly ioFailed?: boolean;
      readonly refused?: RefusalCode;
    }
  /** `stopped`: by somebody (SIGSTOP), as far as anybody can tell. */
  | { readonly kind: "writer-progress"; readonly progress: WriterProgress | undefined; readonly stopped?: boolean }
  | {
      readonly kind: "tokens-reserved";
      readonly tokensFrom: number;
      readonly tokensTo: number;
      readonly incarnation: string;
    }
  /** Another broker has the database, or has had it: what is known here of sessions and locks holds no more. */
  | { readonly kind: "database-taken"; readonly reason: string }
  | { readonly kind: "checkpointed"; readonly walBytes: number; readonly complete: boolean }
  /** What the set says is in force: every commit with a higher number than `upTo` is told. */
  | {
      readonly kind: "tables-watched";
      readonly set: number;
      readonly upTo: Seq;
      /** Tables of the set that do not exist. */
      readonly absent: readonly string[];
      /** What is no table, so that it cannot be watched. */
      readonly wrong: readonly { readonly table: string; readonly what: string }[];
    }
  /** One commit has changed watched tables; comes before the answers that rest on it. */
  | {
      readonly kind: "tables-changed";
      readonly seq: Seq;
      /** Another process has written to the file: what it did is not known. */
      readonly outside: boolean;
      readonly tables: readonly ChangedTable[];
      /** What it takes to keep. */
      readonly bytes: number;
    }
  | { readonly kind: "reader-ready"; readonly reader: ReaderId }
  | { readonly kind: "reader-gone"; readonly reader: ReaderId; readonly reason: string }
  /** `stopped`: by somebody (SIGSTOP), as far as anybody can tell. */
  | { readonly kind: "reader-seen"; readonly reader: ReaderId; readonly stopped: boolean }
  /** It runs a read that may be slow, and has answered all before it. */
  | { readonly kind: "read-begun"; readonly reader: ReaderId; readonly read: number }
  | { readonly kind: "read-settled"; readonly reader: ReaderId; readonly read: number; readonly answer: StoreAnswer }
  | SnapshotEvent;

/** Of the processes that hold one session's snapshot each. `run` is what the event speaks of. */
export type SnapshotEvent = { readonly process: SnapshotProcessId } & (
  | { readonly kind: "snapshot-ready" }
  | { readonly kind: "snapshot-gone"; readonly reason: string }
  /** It is open; `seq` is that of the last write that it shows, `commits` how many commits there were then. */
  | { readonly kind: "snapshot-begun"; readonly run: number; readonly seq: Seq; readonly commits: number }
  | { readonly kind: "snapshot-answered"; readonly run: number; readonly answer: StoreAnswer }
  /** A finished message of a stream; with it so many rows were sent in all. */
  | { readonly kind: "snapshot-rows"; readonly run: number; readonly rows: number; readonly message: Parcel }
  /** A message is finished and `credit`, all that the process has heard of, does not suffice for it. */
  | { readonly kind: "snapshot-waits"; readonly run: number; readonly credit: number }
  /** The stream is over, complete unless it was refused. */
  | { readonly kind: "snapshot-streamed"; readonly run: number; readonly refusal: Refusal | undefined }
  /** Nothing is left of the snapshot, nor of what was asked in it. */
  | { readonly kind: "snapshot-cleared" }
);
