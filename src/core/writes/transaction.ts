/**
 * One transaction of a client that writes, from its begin until it is over for the client.
 *
 *              begin            its turn          commit              settled
 *   (none) ─────────► waiting ─────────► open ─────────► committing ─────────► over
 *                        │                │ ▲                │
 *                        │ rollback,      │ └────────────────┘ refused, and open for SQLite all the same
 *                        │ refused        │
 *                        ▼                │ rollback                      rollback, commit
 *                       over ◄────────────┤                        ┌──────────────────────► over
 *                                         │                        │
 *                                         └──────► poisoned ───────┘
 *                  too long, fence lost, writer died, ended by SQLite
 *
 * A connection that is lost, and the end of the session, leave only what is committing: all else is over at once.
 *
 * | state      | what holds                                                                        | who may end it             |
 * |------------|-----------------------------------------------------------------------------------|----------------------------|
 * | waiting    | it stands in the line for the writer; its steps are kept in their order             | its turn, its client       |
 * | open       | it owns the writer; its fences hold; its steps go to the writer in their order      | its client, time, a fence  |
 * | committing | its COMMIT is with the writer; nothing but the writer decides what becomes of it    | the writer                 |
 * | poisoned   | it is undone; whatever is asked of it is refused with what was the reason           | its client, who closes it  |
 * | over       | nobody knows it any more; steps that the writer still has are answered as they come | nobody                     |
 *
 * `begun` is about its first answer, not about its state: steps that were sent right behind the begin go to the writer
 * with it.
 */
import type { Instant, Millis, Refusal, RequestKey, TransactionNumber } from "../../terms/index.js";
import type { Asker, BeginCommand, Fence, Parcel } from "../command.js";
import type { Deadline } from "../deadlines.js";
import type { Session } from "../sessions/session.js";
import type { StepKind } from "../turn.js";
import { newWrite, placeOf, type Write } from "./write.js";

export type TransactionState =
  | { readonly kind: "waiting" | "open" | "committing" }
  /** `refusal`: also of its steps that the writer has not answered and does not run. */
  | { readonly kind: "poisoned" | "over"; readonly refusal: Refusal };

export interface TransactionWords {
  readonly number: TransactionNumber;
  /** Hold for its whole life. */
  readonly fences: readonly Fence[];
  /** How long it may be open. */
  readonly limitMs: Millis;
  /** Its client has read in it before, from a snapshot that had seen so many commits. */
  readonly commits?: number | undefined;
}

/** One that has read so far, and is to write. */
export interface ReadSoFar {
  readonly begin: BeginCommand;
  /** What its snapshot had seen; absent when nothing of it was answered yet: then it begins with the writer. */
  readonly commits: number | undefined;
  /** What is to be run first, in order. */
  readonly steps: readonly {
    readonly asker: Asker;
    readonly parcel: Parcel;
    readonly timeoutMs: Millis | undefined;
    readonly silent: boolean;
  }[];
}

export class Transaction implements TransactionWords {
  readonly session: Session;
  readonly number: TransactionNumber;
  readonly fences: readonly Fence[];
  readonly limitMs: Millis;
  readonly commits: number | undefined;
  /** The request that began it. */
  readonly begin: Write;
  state: TransactionState = { kind: "waiting" };
  /** `begin` is answered with a yes. */
  begun = false;
  /** When it had its turn, and when something was last asked or answered; valid from then on. */
  since = 0 as Instant;
  usedAt = 0 as Instant;
  /** Since when others wait for it to end; absent while nobody does, as far as anybody has looked. */
  crowdedAt: Instant | undefined;
  /** What was asked and is not with the writer, in order. */
  readonly queue: Write[] = [];
  /** With the writer and not answered, in order; `begin` too. */
  readonly given = new Set<Write>();
  /** It had its turn before, with a writer that died; its locks were held then. */
  again = false;
  /** Nobody hears of it any more; while it is committing. */
  deserted = false;
  /** Its time runs; while it is open. */
  limit: Deadline<Transaction> | undefined;
  /** It has been open for too long, and that is not confirmed. */
  due: { readonly at: Instant; readonly turn: number } | undefined;

  constructor(session: Session, { number, fences, limitMs, commits }: TransactionWords, asker: Asker) {
    this.session = session;
    this.number = number;
    this.fences = fences;
    this.limitMs = limitMs;
    this.commits = commits;
    this.begin = newStep(this, "begin", { asker });
  }

  /** Its client was told that it has begun. */
  get told(): boolean {
    return this.begun || this.commits !== undefined;
  }

  /** The table above, as assertions. `owner`: who owns the writer. */
  check(owner: Transaction | undefined): void {
    const { state, number, session, given, queue, limit } = this;
    const wrong = (what: string) => new Error(`transaction ${number} of ${session.id} is ${state.kind}, ${what}`);
    const owns = owner === this;
    if (owns !== (state.kind === "open" || state.kind === "committing"))
      throw wrong(owns ? "and owns the writer" : "and does not own the writer");
    if (state.kind === "waiting" && (given.size > 0 || this.begun)) throw wrong("and the writer has something of it");
    if (state.kind === "poisoned" && queue.length > 0) throw wrong("and something waits for it");
    if (state.kind === "over") throw wrong("and is still listed");
    if (state.kind !== "open" && (limit?.armed || this.due !== undefined)) throw wrong("and its time runs");
    if (session.transactions?.get(number) !== this) throw wrong("and its session does not know it");
    for (const step of [...given, ...queue])
      if (step.step?.kind === "commit" && session.writes.get(placeOf(step)) !== step)
        throw wrong("and its commit is not among the writes of its session");
  }
}

export function kindOf({ step }: Write): StepKind {
  if (step === undefined) throw new Error("transactions: a write that is a step of none");
  return step.kind;
}

export interface StepWords {
  readonly asker: Asker;
  readonly parcel?: Parcel;
  readonly timeoutMs?: Millis | undefined;
  /** Of a commit, as for any write. */
  readonly key?: RequestKey | undefined;
  readonly ownKey?: boolean | undefined;
  readonly release?: readonly Fence[] | undefined;
  readonly order?: number;
  readonly silent?: boolean;
}

const nothing: Parcel = { size: 0 };

export function newStep(
  transaction: Transaction,
  kind: StepKind,
  { asker: { connection, request }, parcel = nothing, timeoutMs, key, ownKey, release, order = 0, silent }: StepWords,
): Write {
  const { session, fences } = transaction;
  return newWrite({
    session,
    owner: session.id,
    asker: { connection, request },
    order,
    key,
    ownKey,
    fences,
    release,
    alone: true,
    timeoutMs,
    parcel,
    settles: undefined,
    seenBefore: false,
    step: { kind, transaction, silent },
  });
}

/**
 * What is stored under a commit's key, whose transaction is not there. `refusal`: when nothing is. `insteadOf`: where it
 * was a step before.
 */
export function newLookup(
  session: Session,
  commit: Pick<Write, "asker" | "key" | "ownKey" | "release" | "parcel">,
  refusal: Refusal,
  insteadOf?: Write,
): Write {
  const { asker, key, ownKey, release, parcel } = commit;
  const { connection, request } = asker;
  const lookup = newWrite({
    session,
    owner: session.id,
    asker: { connection, request },
    order: insteadOf?.order ?? session.writesSent,
    key,
    ownKey,
    fences: [],
    release,
    alone: false,
    timeoutMs: undefined,
    parcel,
    settles: undefined,
    seenBefore: true,
    lookup: refusal,
    insteadOf,
  });
  lookup.repeats.push(...(insteadOf?.repeats ?? []));
  return lookup;
}
