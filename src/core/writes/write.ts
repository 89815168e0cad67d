/**
 * One write on its way.
 *
 *   queued ──dispatched──► in the writer's hands ──settled──► answered
 *     │                        │ writer died
 *     │ cancelled, dropped     └──────────► runs again, is asked for, or is refused (settlement.ts)
 *     ▼
 *   refused
 */
import type { ConnectionId, Instant, Millis, Refusal, RequestKey, Seq, SessionId } from "../../terms/index.js";
import type { Asker, Fence, Parcel, StoreAnswer } from "../command.js";
import type { FairShare } from "../fair-share.js";
import type { Session } from "../sessions/session.js";
import type { StepKind } from "../turn.js";
import type { Transaction } from "./transaction.js";

export interface Write {
  /** Absent for a settling, which speaks of a session that is over. */
  readonly session: Session | undefined;
  /** Whose it is; of a settling, whom it speaks of. */
  readonly owner: SessionId;
  readonly asker: Asker;
  /** Its place among the writes of its session; rises from 1. */
  readonly order: number;
  readonly key: RequestKey | undefined;
  /** It has a key of its caller's own, which the store knows. */
  readonly ownKey?: boolean | undefined;
  readonly fences: readonly Fence[];
  /** Locks of its session that are given back when it is applied, each if it is still held under its token. */
  readonly release?: readonly Fence[] | undefined;
  readonly alone: boolean;
  /** A transaction for each of its statements: a part of it may be applied. */
  readonly piecewise?: boolean | undefined;
  readonly timeoutMs: Millis | undefined;
  /** How long it may run while others wait, where that was asked for. */
  readonly contendedMs?: Millis | undefined;
  readonly parcel: Parcel;
  /** Keys to settle: then it is no write but a question to the writer, in the same line. */
  readonly settles: readonly RequestKey[] | undefined;
  /** It is asked on a connection that has no session. */
  readonly ofStranger?: boolean | undefined;
  /** May have been sent before: what is stored under its key decides before its fence does. */
  readonly seenBefore: boolean;
  /** Present when it is a step of a transaction of the client's. */
  readonly step?:
    | {
        readonly kind: StepKind;
        readonly transaction: Transaction;
        /** It was answered before, in the snapshot that the transaction has read from. */
        readonly silent?: boolean | undefined;
      }
    | undefined;
  /** Valid from dispatch on. */
  seq: Seq | undefined;
  /** How often a writer died that had it in its hands, and nobody knows of what. */
  deaths: number;
  cancelledAt: Instant | undefined;
  /** Why the writer that has it in its hands was killed because of it. */
  killed: "timeout" | "contended" | "cancel" | undefined;
  /** It is not run (any more), but looked up under its key; with this it is refused when nothing is stored there. */
  lookup?: Refusal | undefined;
  /** The commit for which it is looked up: what the session has sent behind that waits for this one. */
  readonly insteadOf?: Write | undefined;
  /** The fence for which it is only looked up and not run. */
  broken: Fence | undefined;
  /** The same request was sent again meanwhile: what is to be done when this one is answered. */
  readonly repeats: ((answer: FinalAnswer, now: Instant) => void)[];
}

export type FinalAnswer =
  | Exclude<StoreAnswer, { kind: "absent" }>
  /** A transaction's commit is on disk. */
  | { readonly kind: "committed"; readonly seq: Seq };

/** Whether it is on disk, though what it has answered then may have been too large to be stored. */
export function isApplied(answer: FinalAnswer): boolean {
  return answer.kind !== "refused" || answer.refusal.refused === "RESULT_NOT_KEPT";
}

/** Under what it is listed among the writes of its session. */
export function placeOf(write: Write): RequestKey | Write {
  return write.key ?? write.insteadOf ?? write;
}

/** All who ask without having said who they are share one account: a connection costs nothing. */
const strangers = "strangers";

/** On whose account it goes: a settling on that of who asks, however many sessions he asks about. */
export function accountOf({ owner, asker, settles, ofStranger }: Write): string {
  if (settles === undefined) return owner;
  return ofStranger === true ? strangers : settlesOf(asker.connection);
}

/** The account of all that a connection asks about sessions that are over. */
function settlesOf(connection: ConnectionId): string {
  return `connection ${connection}`;
}

/** Takes out of the line what this connection asks about sessions that are over. */
export function dropSettles(line: FairShare<Write>, connection: ConnectionId): void {
  line.drop(settlesOf(connection));
  line.dropSome(strangers, ({ asker }) => asker.connection === connection);
}

/** The parts of a write that differ from call to call; the rest begins the same. */
export type WriteStart = Pick<
  Write,
  | "session"
  | "owner"
  | "asker"
  | "order"
  | "key"
  | "ownKey"
  | "fences"
  | "release"
  | "alone"
  | "piecewise"
  | "timeoutMs"
  | "contendedMs"
  | "parcel"
  | "settles"
  | "ofStranger"
  | "seenBefore"
  | "lookup"
  | "insteadOf"
  | "step"
>;

/** Field by field: spreading the start costs 6 µs a write, as much as all else that is decided about it (Node 20). */
export function newWrite(start: WriteStart): Write {
  return {
    session: start.session,
    owner: start.owner,
    asker: start.asker,
    order: start.order,
    key: start.key,
    ownKey: start.ownKey,
    fences: start.fences,
    release: start.release,
    alone: start.alone,
    piecewise: start.piecewise,
    timeoutMs: start.timeoutMs,
    contendedMs: start.contendedMs,
    parcel: start.parcel,
    settles: start.settles,
    ofStranger: start.ofStranger,
    seenBefore: start.seenBefore,
    lookup: start.lookup,
    insteadOf: start.insteadOf,
    step: start.step,
    seq: undefined,
    deaths: 0,
    cancelledAt: undefined,
    killed: undefined,
    broken: undefined,
    repeats: [],
  };
}
