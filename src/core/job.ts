/** What a turn has the store and the operating system do. */
import type {
  ConnectionId,
  LockName,
  ReaderId,
  RequestKey,
  Seq,
  SessionId,
  SnapshotProcessId,
  Token,
} from "../terms/index.js";
import type { Parcel, ProcessIdentity, SessionIdentity } from "./command.js";

export type StepKind = "begin" | "run" | "commit" | "rollback";

export type Job =
  /** `replay`: answer from the stored reply of this key, or `absent`; never run. `run`: replay if stored, else run. */
  | {
      readonly to: "writer";
      readonly kind: "write";
      readonly seq: Seq;
      readonly mode: "run" | "replay";
      readonly session: SessionId;
      readonly key: RequestKey | undefined;
      /** Stored replies of its session below it may go: its client has them. */
      readonly ackedBelow: number;
      readonly alone: boolean;
      readonly parcel: Parcel;
    }
  /** A step of the transaction that is alone with the writer from `begin` to `commit` or `rollback`. */
  | {
      readonly to: "writer";
      readonly kind: "step";
      readonly step: StepKind;
      readonly seq: Seq;
      /** The sequence of its `begin`: what is not of the transaction that is open is not run. */
      readonly transaction: Seq;
      readonly session: SessionId;
      /** Of a begin: what it is to be was read so far from a snapshot that has seen so many commits; nothing may have come since. */
      readonly commits?: number | undefined;
      /** Of a commit. */
      readonly key: RequestKey | undefined;
      /** Absent where there is nothing to be said beyond this. */
      readonly parcel: Parcel | undefined;
    }
  /** What became of these keys of an ended session: for good. */
  | {
      readonly to: "writer";
      readonly kind: "settle";
      readonly seq: Seq;
      readonly session: SessionId;
      readonly keys: readonly RequestKey[];
      readonly parcel: Parcel;
    }
  /** Stored replies below this key may go, when it is convenient. */
  | { readonly to: "writer"; readonly kind: "forget"; readonly session: SessionId; readonly below: RequestKey }
  /** The session is over; its replies stay for the time that `endedKeysMs` gives. */
  | { readonly to: "writer"; readonly kind: "end-session"; readonly session: SessionId }
  | { readonly to: "writer"; readonly kind: "reserve"; readonly above: number; readonly newIncarnation: boolean }
  /** Nobody holds a lock, and nobody will in this life of the broker: what the writer writes down as its last act. */
  | { readonly to: "writer"; readonly kind: "nothing-held" }
  /** Fold the log into the database and truncate it; readers hold no snapshot now. */
  | { readonly to: "writer"; readonly kind: "checkpoint" }
  /** What is watched changes: these are from now on, or with keys or without; those are not. Answered by `tables-watched`. */
  | {
      readonly to: "writer";
      readonly kind: "watch";
      readonly set: number;
      readonly tables: readonly { readonly table: string; readonly keys: boolean }[];
      readonly dropped: readonly string[];
    }
  /** `repair`: the disk failed before; fold the log with success first, or stay unavailable (rule 9). */
  | { readonly to: "writer"; readonly kind: "start"; readonly repair: boolean }
  | { readonly to: "writer"; readonly kind: "kill"; readonly why: string }
  | { readonly to: "writer"; readonly kind: "probe" }
  | {
      readonly to: "reader";
      readonly kind: "read";
      readonly reader: ReaderId;
      readonly read: number;
      readonly parcel: Parcel;
    }
  /** `withoutWriter`: no writer has settled what was in doubt; what the reader finds it must itself bring to the disk. */
  | { readonly to: "reader"; readonly kind: "start"; readonly reader: ReaderId; readonly withoutWriter: boolean }
  | { readonly to: "reader"; readonly kind: "kill"; readonly reader: ReaderId; readonly why: string }
  /** Answered by `reader-seen`. */
  | { readonly to: "reader"; readonly kind: "probe"; readonly reader: ReaderId }
  | SnapshotJob
  | SystemJob;

/** What is asked of the front itself and of the operating system; each is answered by a command. */
export type SystemJob =
  | {
      readonly to: "system";
      readonly kind: "probe-process";
      readonly session: SessionId;
      readonly process: ProcessIdentity;
    }
  /** A lease seems over: when was this connection heard? Answered by `connection-seen`. */
  | {
      readonly to: "system";
      readonly kind: "look-connection";
      readonly session: SessionId;
      readonly connection: ConnectionId;
    }
  /** No process that carries this token may go on. Answered by `processes-gone` when none is left. */
  | {
      readonly to: "system";
      readonly kind: "end-processes";
      readonly token: Token;
      readonly session: SessionId;
      readonly identity: SessionIdentity;
      readonly names: readonly LockName[];
    };

/** To a process that holds one session's snapshot; `run` names what is asked in it. It starts and is killed as a reader. */
export type SnapshotJob = { readonly to: "snapshot"; readonly process: SnapshotProcessId } & (
  | { readonly kind: "start"; readonly withoutWriter: boolean }
  | { readonly kind: "kill"; readonly why: string }
  /** Opens a snapshot for all that follows, until `end`. */
  | { readonly kind: "begin"; readonly run: number }
  /** A statement in the snapshot that is open, or several. */
  | { readonly kind: "run"; readonly run: number; readonly parcel: Parcel }
  /** Rows from a snapshot of its own, or from the one that is open. */
  | { readonly kind: "stream"; readonly run: number; readonly credit: number; readonly parcel: Parcel }
  | { readonly kind: "credit"; readonly run: number; readonly bytes: number }
  /** Ends a stream in the middle. */
  | { readonly kind: "close"; readonly run: number }
  /** Ends whatever is open: the process is free when it has said so. */
  | { readonly kind: "end" }
);

export type StoreJob = Extract<Job, { to: "writer" | "reader" | "snapshot" }>;
