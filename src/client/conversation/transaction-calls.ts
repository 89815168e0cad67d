/**
 * The calls of transactions: one lives on the connection on which its begin was sent, and dies with it. Only its commit
 * is a write like others, which is sent again under its key until its outcome is known.
 *
 *   kept ──its begin is sent──► begun on a connection ──the connection is lost, its begin is refused──► over
 *
 * | state | what holds                                                     | who may end it                  |
 * |-------|----------------------------------------------------------------|---------------------------------|
 * | kept  | no broker has heard of it; what is asked of it is kept with it | sending, cancel, patience       |
 * | begun | what is asked of it goes to that connection at once            | the connection, a refused begin |
 * | over  | what is asked of it is refused, and sent nowhere               | nobody                          |
 */
import { type Refusal, refuse } from "../../terms/index.js";
import type { Call, CallKind } from "./call.js";
import type { Draft } from "./draft.js";
import type { State } from "./state.js";

/** What ties the calls of one transaction together. */
export class Tie {
  /** Its number in the session. */
  readonly number: number;
  /** Which of the conversation's connections it was begun on; 0 while it is kept. */
  connection = 0;
  over = false;
  /** Its commit was sent: what became of its statements depends on that. */
  commitSent = false;

  constructor(number: number) {
    this.number = number;
  }
}

export class TransactionCalls {
  readonly #draft: Draft;
  /** What has no outcome yet, in the order in which it was asked. */
  readonly #calls: ReadonlyMap<number, Call>;
  readonly #nextRequest: () => number;
  /** Which connection this is, or the next one will be. */
  #connection = 1;
  /** Begun on this connection, and not over for the broker as far as is known. */
  readonly #open = new Set<Tie>();

  constructor(draft: Draft, calls: ReadonlyMap<number, Call>, nextRequest: () => number) {
    this.#draft = draft;
    this.#calls = calls;
    this.#nextRequest = nextRequest;
  }

  /** Whether a call of a transaction is to be handled now, or to be kept until there is a connection. */
  isForNow({ tie, kind }: Call, at: State["at"]): boolean {
    if (tie === undefined || kind === "begin") return at === "open";
    // On a connection that is about to end it may come to its own end.
    return at === "open" || tie.over || tie.connection !== 0;
  }

  /** Why it cannot be sent; undefined: it is sent now. */
  sending(call: Call): Refusal | undefined {
    const { tie, kind } = call;
    if (tie === undefined) return undefined;
    if (givesBackBefore(call, this.#calls.values())) {
      this.#undo(tie);
      return givesBackTooEarly;
    }
    if (kind === "begin" && !tie.over) {
      tie.connection = this.#connection;
      this.#open.add(tie);
    }
    // One that was sent before may have been applied: the broker knows by its key.
    const goes = isCommit(kind) && call.tries > 0;
    if (!goes && (tie.over || tie.connection !== this.#connection)) return lost(tie);
    if (isCommit(kind)) tie.commitSent = true;
    if (kind === "rollback") this.#open.delete(tie);
    return undefined;
  }

  /** What became of a call whose connection is gone; undefined: it is sent again. */
  connectionLost({ tie, kind, state }: Call): Refusal | undefined {
    return tie === undefined || isCommit(kind) || state !== "sent" ? undefined : lost(tie);
  }

  disconnected(): void {
    this.#connection++;
    this.#open.clear();
  }

  committed({ tie }: Call): void {
    if (tie !== undefined) this.#open.delete(tie);
  }

  /** Nobody waits for this begin any more; it may have its turn, or be about to. */
  takeBack({ tie }: Call): void {
    if (tie !== undefined && this.#open.has(tie)) this.#undo(tie);
  }

  /** The program is done: undoes all of which nothing is under way. What else is in flight may wait for that. */
  undoIdle(): void {
    if (this.#open.size === 0) return;
    const busy = new Set([...this.#calls.values()].map(({ tie }) => tie));
    for (const tie of this.#open) if (!busy.has(tie)) this.#undo(tie);
  }

  /** A commit of which is known that it was never applied is not sent again: there is nothing to be committed. */
  neverApplied({ tie }: Call): Refusal | undefined {
    return tie === undefined ? undefined : { ...lost(tie), outcome: "none" };
  }

  /** Whether the broker, which ends, has not looked at it, and the next one may be asked instead. */
  mayAskNext(call: Call, refusal: Refusal): boolean {
    const { tie, kind } = call;
    if (tie === undefined) return true;
    // A commit that was sent to one before may have been applied by that; else its transaction is undone.
    if (isCommit(kind)) return refusal.outcome === "unknown";
    if (kind !== "begin") return false;
    for (const other of this.#calls.values()) if (other !== call && other.tie === tie) return false;
    tie.connection = 0;
    this.#open.delete(tie);
    return true;
  }

  /** Without a begin there is no transaction. */
  refused({ tie, kind }: Call): void {
    if (tie === undefined || kind !== "begin") return;
    tie.over = true;
    this.#open.delete(tie);
  }

  /** At the broker; here it is over at once. */
  #undo(tie: Tie): void {
    tie.over = true;
    this.#open.delete(tie);
    this.#draft.ask(this.#nextRequest(), "tx.rollback", { tx: tie.number });
  }
}

/** Its transaction is undone, as it would be at the broker behind a write that is turned away there. */
const givesBackTooEarly = refuse(
  "SHUTTING_DOWN",
  "the broker is ending, and a write that was asked for before this commit waits for the next one, perhaps under the lock that is given back",
);

/** Whether it gives a lock back before the next broker has a write that was asked for earlier. */
function givesBackBefore({ id, gives }: Call, all: Iterable<Call>): boolean {
  if (gives.length === 0) return false;
  for (const call of all) {
    if (call.id >= id) return false;
    if (call.state === "kept" && call.writes) return true;
  }
  return false;
}

function isCommit(kind: CallKind): boolean {
  return kind === "write" || kind === "named";
}

function lost({ number, commitSent }: Tie): Refusal {
  const refusal = refuse("TX_LOST", `transaction ${number} is not there: it went with its connection`, { tx: number });
  return commitSent ? { ...refusal, outcome: "unknown" } : refusal;
}
