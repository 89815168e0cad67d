/** The writer's process begins here: loads what it needs, waits for its orders, and then for work. */
import { isDiskFailure, loadSqlite } from "../../sqlite/index.js";
import { isHoldfastError } from "../../terms/index.js";
import { compileEarly } from "../pipe/early-compiler.js";
import { afterReading, FrameQueue } from "../pipe/frames.js";
import { memoryTaken, worthALookMs } from "../pipe/memory.js";
import { type FromWriter, readToWriter, sendFromWriter, type WriterOrders } from "../pipe/messages.js";
import { endProcess, exitCodes, Parent, report } from "../pipe/parent.js";
import { noteFailedDisk } from "./failed-disk.js";
import { ProcessMustEnd } from "./process-end.js";
import { Writer } from "./writer.js";
import { WriterLockHeld } from "./writer-lock.js";

/** How soon what it owes is tried again where nothing else brings about a turn (ms). */
const againMs = 250;

const out = new FrameQueue();
let writer: Writer | undefined;
let database = "";
let unavailable = false;
let working = false;
let againSoon = false;

function send(message: FromWriter): void {
  sendFromWriter(out, message);
}

/** Nothing that is thrown inside is answered: whether it counts is for the next writer to find out. */
function orEnd<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof ProcessMustEnd) {
      if (error.exitCode === exitCodes.diskFailed) noteFailedDisk(database);
      endProcess(error.exitCode, error.message);
    }
    report(error instanceof Error ? (error.stack ?? "") : "");
    endProcess(exitCodes.impossible, String(error));
  }
}

function begin(orders: WriterOrders): void {
  database = orders.database;
  try {
    writer = Writer.start(orders, report);
    send(writer.ready);
    parent.flush(out);
    compileEarly();
  } catch (error) {
    unavailable = true;
    const reason = error instanceof Error ? error.message : String(error);
    report(`no writer: ${reason}`);
    const word = isHoldfastError(error) ? { refused: error.code } : {};
    const why = { lockHeld: error instanceof WriterLockHeld, ioFailed: isDiskFailure(error) };
    if (why.ioFailed) noteFailedDisk(database);
    send({ kind: "unavailable", reason, ...why, ...word });
    parent.endAfter(out, 0);
  }
}

function work(): void {
  if (writer === undefined || working) return;
  const current = writer;
  const began = performance.now();
  const more = orEnd(() => current.turn(send));
  parent.flush(out);
  orEnd(() => current.tidy());
  const leaves = performance.now() - began > worthALookMs && leavesIfFull(current);
  if (leaves) return;
  if (!more) return workAgain(current);
  working = true;
  afterReading(() => {
    working = false;
    work();
  });
}

function workAgain({ owes }: Writer): void {
  if (!owes || againSoon) return;
  againSoon = true;
  setTimeout(() => {
    againSoon = false;
    work();
  }, againMs);
}

/** Between two groups: what it has answered is on disk, and the rest is for the next writer. */
function leavesIfFull({ bytesMax, inTransaction }: Writer): boolean {
  const taken = inTransaction ? undefined : memoryTaken(bytesMax);
  if (taken === undefined) return false;
  working = true;
  report(taken);
  parent.endAfter(out, 0);
  return true;
}

const parent = new Parent({
  take(frame) {
    const message = readToWriter(frame);
    if (message.kind === "go") begin(message.orders);
    else if (writer !== undefined) writer.take(message);
    else if (!unavailable) throw new Error(`a writer without orders was sent ${message.kind}`);
  },
  read: work,
  ended() {
    orEnd(() => writer?.close());
  },
});

loadSqlite();
send({ kind: "loaded" });
parent.flush(out);
