/**
 * What the store said, and what it sets in motion: a writer is ready or gone, writes and reads are settled, tokens are
 * reserved. The machines do the rest.
 */
import type { Instant, Seq } from "../terms/index.js";
import type { StoreEvent } from "./command.js";
import type { Deadlines } from "./deadlines.js";
import type { Draft } from "./draft.js";
import type { LockService } from "./locks/lock-service.js";
import type { TokenBlock } from "./locks/token-block.js";
import { Mark } from "./mark.js";
import type { Reads } from "./reads/reads.js";
import type { SessionTable } from "./sessions/session-table.js";
import type { TableWatches } from "./watches/table-watches.js";
import type { WriteLine } from "./writes/write-line.js";

export interface StoreEventsParts {
  readonly draft: Draft;
  readonly deadlines: Deadlines;
  readonly tokens: TokenBlock;
  readonly sessions: SessionTable;
  readonly locks: LockService;
  readonly writes: WriteLine;
  readonly reads: Reads;
  readonly tables: TableWatches;
}

type Block = Pick<Extract<StoreEvent, { kind: "tokens-reserved" }>, "tokensFrom" | "tokensTo" | "incarnation">;

export class StoreEvents {
  readonly #parts: StoreEventsParts;
  /** Tokens below this may have been given before this life of the broker: no block may begin there. */
  tokensAbove = 0;
  /** A new incarnation was asked for, and no writer has said that there is one. */
  #incarnationOwed = false;
  readonly mark: Mark;

  constructor(parts: StoreEventsParts, storedSeq: Seq) {
    this.#parts = parts;
    this.mark = new Mark(parts, storedSeq);
  }

  handle(event: StoreEvent, now: Instant): void {
    const { tokens, locks, writes, reads, tables } = this.#parts;
    switch (event.kind) {
      case "writer-ready":
        this.mark.begins(event.storedSeq);
        locks.begin(event.epoch);
        tables.writerReady(event.epoch, event.incarnation);
        this.#tokensReserved(event, this.#incarnationOwed ? event.tokensFrom + 1 : 0);
        writes.writerReady(event.storedSeq, now);
        reads.writerIs("ready", now);
        locks.writesSettled(now);
        return locks.grantAll(now);
      case "writer-settled":
        if (event.storedSeq !== undefined) this.mark.stored(event.storedSeq, now);
        writes.settled(event, now);
        reads.fold.walGrew(event.walBytes, now);
        // A transaction may have waited for the log to be folded, and it need not be any more.
        writes.pump(now);
        return locks.writesSettled(now);
      case "writer-gone":
        tokens.reservationLost();
        tables.writerGone();
        reads.writerIs("starting", now);
        if (event.ioFailed) reads.endAll("the disk failed under the writer", now);
        return writes.writerGone(event, now);
      case "writer-unavailable":
        tables.writerUnavailable(event.reason);
        writes.writerUnavailable(event, now);
        return reads.writerIs("unavailable", now);
      case "writer-progress":
        reads.fold.writerAt(event.progress, now);
        return writes.progressSeen(event, now);
      case "tokens-reserved":
        tables.incarnationIs(event.incarnation);
        this.#tokensReserved(event, 0);
        return locks.grantAll(now);
      case "database-taken":
        return this.#taken(event.reason, now);
      case "tables-watched":
        return tables.watched(event);
      case "tables-changed":
        return tables.changed(event);
      case "checkpointed":
        writes.logIs(event.walBytes);
        reads.fold.checkpointed(event.walBytes, now);
        return writes.pump(now);
      default:
        return reads.handle(event, now);
    }
  }

  /** The last turn of this life: whether anybody is left who holds something, or may believe so. */
  end(): void {
    if (this.#parts.locks.end()) this.#parts.draft.dispatch.push({ to: "writer", kind: "nothing-held" });
  }

  /** Nobody knows whether there will be one: reads wait no longer for it. */
  writerLate(now: Instant): void {
    const { writes, reads, tables } = this.#parts;
    writes.writerLate(now);
    tables.writerUnavailable("the one before does not end, or the next is not ready in time");
    reads.writerIs("unavailable", now);
  }

  /** Everybody who is there is told so; nobody is granted what he lets go of. */
  #taken(reason: string, now: Instant): void {
    const { sessions, locks } = this.#parts;
    locks.freeze();
    for (const session of [...sessions.all()]) sessions.end(session, reason, now);
  }

  /**
   * A block that begins below what was in use (the database was put back) is not taken up: one above is asked for. A
   * writer that dies before it has done that may leave the next one a block that is above, but not the new incarnation.
   */
  #tokensReserved({ tokensFrom, tokensTo, incarnation }: Block, least: number): void {
    const { draft, tokens } = this.#parts;
    const above = Math.max(this.tokensAbove, least);
    this.#incarnationOwed = tokensFrom < above;
    if (this.#incarnationOwed) {
      draft.dispatch.push({ to: "writer", kind: "reserve", above, newIncarnation: true });
      return;
    }
    tokens.reserved(tokensFrom, tokensTo);
    this.mark.reserved(tokensTo, incarnation);
  }
}
