/** All that reads: plain reads, snapshots and what is read in them, and the folding of the log, which needs them to pause. */
import { type Instant, impossible, type Limits, type Millis, type Refusal } from "../../terms/index.js";
import type { Asker, ReadCommand, StoreEvent, StreamCommand } from "../command.js";
import type { Deadlines } from "../deadlines.js";
import type { Draft } from "../draft.js";
import type { Session } from "../sessions/session.js";
import { LogFold } from "./log-fold.js";
import { ReadLine } from "./read-line.js";
import { ReadTransactions, type ReadTransactionsParts } from "./read-transactions.js";
import { Snapshots } from "./snapshots.js";
import { Streams } from "./streams.js";

export interface ReadsParts {
  readonly limits: Limits;
  readonly draft: Draft;
  readonly deadlines: Deadlines;
  /** A transaction has the writer to itself. */
  readonly writerOwned: () => boolean;
  readonly writer: ReadTransactionsParts["writer"];
  readonly giveBack: ReadTransactionsParts["giveBack"];
}

export class Reads {
  readonly line: ReadLine;
  readonly snapshots: Snapshots;
  readonly streams: Streams;
  readonly transactions: ReadTransactions;
  readonly fold: LogFold;

  constructor(parts: ReadsParts) {
    const onQuiet = (now: Instant) => this.fold.look(now);
    this.line = new ReadLine({ ...parts, onQuiet });
    this.snapshots = new Snapshots({ ...parts, onQuiet });
    this.streams = new Streams({ ...parts, snapshots: this.snapshots });
    this.transactions = new ReadTransactions({ ...parts, snapshots: this.snapshots, streams: this.streams });
    this.fold = new LogFold({ ...parts, reads: this.line, snapshots: this.snapshots });
  }

  get counts() {
    const { line, snapshots } = this;
    return {
      readsQueued: line.queued,
      readsRunning: line.running,
      snapshotsWaiting: snapshots.waiting,
      snapshotsOpen: snapshots.open,
    };
  }

  get idle(): boolean {
    return this.line.idle && this.streams.size === 0;
  }

  read(session: Session, { connection, request, timeoutMs, parcel }: ReadCommand, now: Instant): void {
    const asker = { connection, request };
    this.line.submit(
      { session, asker, after: session.writesSent, timeoutMs, parcel, cancelledAt: undefined, deaths: 0 },
      now,
    );
  }

  stream(session: Session, command: StreamCommand, now: Instant): void {
    if (command.transaction === undefined) this.streams.open(session, command, now);
    else this.transactions.stream(session, command, command.transaction, now);
  }

  cancel(session: Session, asker: Asker, now: Instant): void {
    if (this.streams.cancel(asker, now) || this.transactions.cancel(session, asker, now)) return;
    this.line.cancel(session, asker, now);
  }

  writesSettled(session: Session, now: Instant): void {
    this.line.writesSettled(session, now);
    this.snapshots.writesSettled(session, now);
  }

  connectionLost(session: Session, now: Instant): void {
    this.line.connectionLost(session, now);
    this.streams.connectionLost(session, now);
    this.transactions.connectionLost(session, now);
  }

  sessionEnds(session: Session, over: Refusal, now: Instant): void {
    this.line.sessionEnds(session, over);
    this.streams.sessionEnds(session, over, now);
    this.transactions.sessionEnds(session, over, now);
  }

  writerIs(state: "starting" | "ready" | "unavailable", now: Instant): void {
    // What the fold lets go must find that nothing may be begun now.
    this.line.writerIs(state, now);
    this.snapshots.writerIs(state, now);
    this.fold.writerIs(state, now);
  }

  /** All processes that read end, because the disk under them failed (rule 9); plain reads go to their successors. */
  endAll(why: string, now: Instant): void {
    this.line.endReaders(why);
    this.snapshots.endAll("disk", why, now);
  }

  /** The broker is ending. */
  close(now: Instant): void {
    this.snapshots.close(now);
  }

  /** What readers and snapshots say. */
  handle(
    event: Extract<StoreEvent, { kind: `reader-${string}` | `snapshot-${string}` | `read-${string}` }>,
    now: Instant,
  ) {
    switch (event.kind) {
      case "reader-ready":
        return this.line.readerReady(event.reader, now);
      case "reader-gone":
        return this.line.readerGone(event.reader, event.reason, now);
      case "reader-seen":
        return this.line.readerSeen(event.reader, event.stopped, now);
      case "read-begun":
        return this.line.begun(event.reader, event.read);
      case "read-settled":
        return this.line.settled(event, now);
      case "snapshot-ready":
      case "snapshot-begun":
      case "snapshot-answered":
      case "snapshot-rows":
      case "snapshot-waits":
      case "snapshot-streamed":
      case "snapshot-cleared":
      case "snapshot-gone":
        return this.snapshots.handle(event, now);
      default:
        return impossible(event, "store event");
    }
  }

  due(kind: "read-watch" | "snapshot-watch" | "log-fold", now: Instant): void {
    if (kind === "read-watch") this.line.watch(now);
    else if (kind === "snapshot-watch") this.snapshots.watch(now);
    else this.fold.tryAgain(now);
  }

  paused(ms: Millis): void {
    this.line.paused(ms);
    this.snapshots.paused(ms);
  }

  check(): void {
    this.line.check();
    this.snapshots.check();
    this.streams.check();
    this.transactions.check();
  }
}
