/**
 * The only writer of the database, from its start write to its end. Executes in the order in which it is told; who may
 * write, and what follows from an answer, is decided elsewhere.
 */
import {
  type Database,
  type FileLock,
  isBusy,
  isFull,
  isSqliteFailure,
  openDatabase,
  StatementCache,
  sentenceOf,
} from "../../sqlite/index.js";
import { HoldfastError, type Refusal, refuse, seq } from "../../terms/index.js";
import type { Answer, FromWriter, ToWriter, WriterOrders } from "../pipe/messages.js";
import { exitCodes } from "../pipe/parent.js";
import { ProgressFile } from "../pipe/progress-file.js";
import { Planner } from "../statement/plan.js";
import { forgetFailedDisk, hasFailedDisk } from "./failed-disk.js";
import { GroupCommit } from "./group-commit.js";
import { told, usersOf, writersOf } from "./lock-holders.js";
import { MetaRow } from "./meta-row.js";
import { OwnKeys } from "./own-keys.js";
import { endOnDiskFailure, ProcessMustEnd } from "./process-end.js";
import { RepliesKept } from "./replies-kept.js";
import { RequestRunner } from "./request-runner.js";
import { SchemaWatch } from "./schema-watch.js";
import { StepRunner } from "./step-runner.js";
import { ToldChanges } from "./told-changes.js";
import { Transaction } from "./transaction.js";
import { WatchTriggers } from "./watch-triggers.js";
import { WriteAheadLog } from "./write-ahead-log.js";
import { WriteQueue } from "./write-queue.js";
import { takeWriterLock } from "./writer-lock.js";

type GroupTimes = Pick<Extract<FromWriter, { kind: "settled" }>, "ranMs" | "committedMs">;
type Chore = Extract<ToWriter, { kind: "reserve" | "checkpoint" | "watch" }>;

/** How long another process may keep the database before writes are refused (ms). Below `writeContendedMs`. */
const busyMs = 2000;
const noGroup: GroupTimes = { ranMs: 0, committedMs: 0 };

export class Writer {
  /** Kept and never let go: if it were collected, its file would be closed and the lock gone. */
  readonly lock: FileLock;
  /** The memory that it may have. */
  readonly bytesMax: number;
  readonly #database: Database;
  readonly #log: WriteAheadLog;
  readonly #meta: MetaRow;
  readonly #replies: RepliesKept;
  readonly #queue: WriteQueue;
  readonly #transaction: Transaction;
  readonly #groups: GroupCommit;
  readonly #steps: StepRunner;
  readonly #watches: WatchTriggers;
  readonly #told: ToldChanges;
  readonly #now: () => number;
  #chores: Chore[] = [];
  #housekept = 0;
  /** No lock is held any more: what is written down when this ends. */
  #nothingHeld = false;

  /** Takes the lock, opens the database, makes the start write. Throws when there can be no writer; nothing is told then. */
  static start(orders: WriterOrders, report: (text: string) => void): Writer {
    // rule 2: the lock comes before the database is opened, and goes with the process.
    const lock = takeWriterLock(orders.writerLock, report);
    try {
      return new Writer(lock, orders, report);
    } catch (error) {
      if (isFull(error)) throw noRoom(orders.database, error);
      if (!isBusy(error)) throw error;
      const message = `the database ${orders.database} is locked by ${told(writersOf(orders.database))}`;
      throw new Error(message, { cause: error });
    }
  }

  private constructor(lock: FileLock, orders: WriterOrders, report: (text: string) => void) {
    const { limits, bootId, place } = orders;
    this.lock = lock;
    this.bytesMax = limits.childBytesMax;
    const progress = new ProgressFile(orders.progress);
    const database = openDatabase({ path: orders.database, role: "writer", durability: "full", busyMs });
    this.#database = database;
    this.#log = new WriteAheadLog(database, orders.database, progress);
    this.#foldFirst(orders);
    // rule 1: before this has returned nothing is told.
    this.#meta = MetaRow.start(database, bootId, { place });
    const schema = new SchemaWatch(database);
    this.#replies = new RepliesKept(database, limits, this.#meta.repliesBytes);
    const ownKeys = new OwnKeys(database, limits);
    const planner = new Planner(limits);
    this.#queue = new WriteQueue(planner, limits);
    const watches = new WatchTriggers(database, limits.changedKeysMax);
    const told = new ToldChanges(seq(this.#meta.ready.storedSeq), limits.changedKeysMax);
    this.#watches = watches;
    this.#told = told;
    const runner = new RequestRunner(database, new StatementCache(database), { limits, schema, watches });
    const now = () => performance.now();
    this.#now = now;
    this.#transaction = new Transaction({
      database,
      meta: this.#meta,
      replies: this.#replies,
      ownKeys,
      progress,
      ...{ schema, watches, told, now },
    });
    const obstacle = () => this.#obstacle(limits.walBytesHardMax);
    const parts = {
      limits,
      obstacle,
      queue: this.#queue,
      planner,
      transaction: this.#transaction,
      replies: this.#replies,
      ownKeys,
      runner,
      schema,
      now,
      report,
    };
    this.#groups = new GroupCommit(parts);
    this.#steps = new StepRunner(parts);
  }

  /**
   * rule 9: what a failed disk left in the log is written anew, with success, or there is no writer. Where nobody knows
   * whether one has failed it is tried, and nobody is waited for: after a clean end there is nothing to fold.
   */
  #foldFirst({ database, repair, first }: WriterOrders): void {
    if (repair || hasFailedDisk(database)) {
      if (!this.#log.truncate()) throw cannotFold(database);
      forgetFailedDisk(database);
    } else if (first && this.#log.bytes > 0) this.#log.truncateAtOnce();
  }

  get ready(): FromWriter {
    return { kind: "ready", ...this.#meta.ready };
  }

  /** A client's transaction is open. */
  get inTransaction(): boolean {
    return this.#steps.open;
  }

  /** A stranger or a full disk was in the way of something that is tried again, though nothing may come that asks for it. */
  get owes(): boolean {
    return this.#chores.length > 0 && !this.#steps.open;
  }

  take(message: Exclude<ToWriter, { kind: "go" }>): void {
    switch (message.kind) {
      case "write":
      case "step":
      case "settle":
        return this.#queue.add(message);
      case "forget":
        return this.#replies.forget(message.session, message.below);
      case "end-session":
        return this.#replies.endSession(message.session);
      case "nothing-held":
        this.#nothingHeld = true;
        return;
      case "reserve":
      case "checkpoint":
      case "watch":
        this.#chores.push(message);
    }
  }

  /** One group, or what else there is. Gives whether there is more to do. Throws ProcessMustEnd. */
  turn(send: (message: FromWriter) => void): boolean {
    const isStep = this.#queue.nextStep !== undefined;
    const wasOpen = this.#steps.open;
    // While a client's transaction is open nothing else is done: not for others, and not for the house.
    if (!wasOpen) this.#doChores(send);
    if (wasOpen && this.#queue.length > 0 && !isStep)
      throw new Error("a write was sent to the writer while a transaction has it");
    if (this.#queue.length > 0) {
      const begun = this.#now();
      const answers = isStep ? this.#steps.next() : this.#groups.next();
      const committedMs = this.#transaction.takeCommittedMs();
      const ranMs = this.#now() - begun - committedMs;
      this.#settled(answers, isStep ? noGroup : { ranMs, committedMs }, send);
    } else if (!wasOpen && this.#replies.housekeepingDue) {
      this.#groups.housekeep();
      this.#settled([], noGroup, send);
    }
    const hasWaited = wasOpen && !this.#steps.open && (this.#chores.length > 0 || this.#replies.housekeepingDue);
    return this.#queue.length > 0 || hasWaited;
  }

  /** After the answers have left. Throws ProcessMustEnd. */
  tidy(): void {
    if (this.#steps.open) return;
    try {
      this.#log.foldIfDue();
    } catch (error) {
      endOnDiskFailure(error);
      throw error;
    }
  }

  /** A last fold of the log, so that the file is whole by itself when nobody reads it any more. */
  close(): void {
    if (this.#nothingHeld) this.#noteNothingHeld();
    this.#database.close();
  }

  /** In a client's transaction that is open it goes with it. */
  #noteNothingHeld(): void {
    try {
      this.#meta.nothingHeld();
    } catch (error) {
      endOnDiskFailure(error);
      // Without the note the next broker is careful for nothing, and that only if the ledger is gone by then.
      if (!isBusy(error) && !isFull(error)) throw error;
    }
  }

  #obstacle(walBytesHardMax: number): Refusal | undefined {
    try {
      if (!this.#log.isOver(walBytesHardMax)) return undefined;
    } catch (error) {
      endOnDiskFailure(error);
      throw error;
    }
    const message = `the write-ahead log has ${this.#log.bytes} bytes, which a snapshot keeps from being folded; at most ${walBytesHardMax} are allowed`;
    return refuse("DISK_FULL", message, { limit: "walBytesHardMax", walBytes: this.#log.bytes });
  }

  #settled(answers: readonly Answer[], times: GroupTimes, send: (message: FromWriter) => void): void {
    for (const commit of this.#told.take()) send({ kind: "changed", ...commit });
    const { bytes: walBytes } = this.#log;
    const { storedSeq } = this.#transaction;
    send({ kind: "settled", walBytes, housekept: this.#housekeptNow(), storedSeq, ...times, answers });
  }

  #housekeptNow(): number {
    this.#housekept += this.#replies.takeEndsStored();
    return this.#housekept;
  }

  #doChores(send: (message: FromWriter) => void): void {
    const chores = this.#chores;
    this.#chores = [];
    for (const chore of chores) {
      if (chore.kind === "checkpoint") send(this.#checkpoint());
      else if (chore.kind === "watch") {
        const watched = this.#watch(chore);
        if (watched !== undefined) send(watched);
        else this.#chores.push(chore);
      } else {
        const reserved = this.#reserve(chore.above, chore.newIncarnation);
        if (reserved !== undefined) send(reserved);
        // A full disk, or a stranger in the way: with the next turn. A broker that starts waits for these tokens.
        else this.#chores.push(chore);
      }
      // Each may have waited for a stranger: it does not stand still.
      this.#transaction.idle();
    }
  }

  #reserve(above: number, newIncarnation: boolean): FromWriter | undefined {
    if (this.#transaction.begin() !== undefined) return undefined;
    const reservation = this.#meta.reserve(above, newIncarnation);
    if (reservation === undefined)
      throw new ProcessMustEnd(exitCodes.superseded, "another writer has taken over the database");
    const refusal = this.#transaction.commitPlain();
    return refusal === undefined ? { kind: "reserved", ...reservation } : undefined;
  }

  #watch({ set, tables, dropped }: Extract<Chore, { kind: "watch" }>): FromWriter | undefined {
    try {
      return { kind: "watched", set, ...this.#watches.change(tables, dropped), upTo: this.#told.last };
    } catch (error) {
      // A stranger is in the way: with the next turn.
      if (isBusy(error)) return undefined;
      endOnDiskFailure(error);
      throw error;
    }
  }

  #checkpoint(): FromWriter {
    try {
      const complete = this.#log.truncateAtOnce();
      return { kind: "checkpointed", walBytes: this.#log.bytes, complete };
    } catch (error) {
      endOnDiskFailure(error);
      throw error;
    }
  }
}

function cannotFold(database: string): Error {
  const users = usersOf(database);
  const who = users.length === 0 ? "" : `; it is open in ${told(users)}: end that first`;
  return new Error(`the log could not be folded into the database after the disk had failed${who}`);
}

function noRoom(database: string, cause: unknown): HoldfastError {
  const said = isSqliteFailure(cause) ? sentenceOf(cause) : String(cause);
  return new HoldfastError("DISK_FULL", `no room on the disk of ${database}: ${said}; make room there`, { cause });
}
