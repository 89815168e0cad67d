/**
 * A reader's process begins here: loads what it needs, waits for its orders, and then for requests. One that is to hold
 * a snapshot begins here too, and is never given anything else.
 */
import { loadSqlite } from "../../sqlite/index.js";
import { compileEarly } from "../pipe/early-compiler.js";
import { afterReading, type Frame, FrameQueue } from "../pipe/frames.js";
import { memoryTaken, worthALookMs } from "../pipe/memory.js";
import { type Answer, type FromReader, type ReadMessage, readToReader, sendFromReader } from "../pipe/messages.js";
import { Parent, report } from "../pipe/parent.js";
import { readToSnapshot, sendFromSnapshot, type ToSnapshot } from "../pipe/snapshot-messages.js";
import { Reader } from "./reader.js";
import { Snapshot } from "./snapshot.js";

/** The front has not taken so much yet: it reads slowly, and reading on would only fill memory. */
const waitingBytesMax = 16 * 1024 * 1024;
/** Answers leave when they come to so much, if not before. */
const answersBytesMax = 256 * 1024;
/** Of a stream so much at most waits here for the front to take it. */
const streamWaitingBytesMax = 256 * 1024;

const out = new FrameQueue();
let reader: Reader | undefined;
let requests: ReadMessage[] = [];
let answers: Answer[] = [];
let answersBytes = 0;
let held = false;
/** The number of the read that is looked at. */
let running = 0;
/** The last that was run was said to run: nothing else is run before its answer is sent. */
let saidToRun = false;
/** It says no more, and is gone when all that it has said has left. */
let leaving = false;
let snapshot: Snapshot | undefined;
/** The next message of the stream is made when this turn is over, or when the front has taken what it has. */
let advancing = false;

function send(message: FromReader): void {
  sendFromReader(out, message);
  parent.flush(out);
}

function flush(): void {
  if (answers.length === 0) return;
  gather();
  parent.flush(out);
}

function gather(): void {
  if (answers.length === 0) return;
  const ready = answers;
  answers = [];
  answersBytes = 0;
  sendFromReader(out, { kind: "answers", answers: ready });
}

/** Of a read that may be slow the front is told that it is the one that runs; of one that is against all experience it cannot be. */
function begins(mayBeSlow: boolean): void {
  if (mayBeSlow) {
    gather();
    send({ kind: "begins", read: running });
  } else if (saidToRun) flush();
  saidToRun = mayBeSlow;
}

function work(current: Reader): void {
  const began = performance.now();
  const batch = requests;
  requests = [];
  for (const [place, request] of batch.entries()) {
    if (parent.waitingBytes > waitingBytesMax) return hold(current, batch.slice(place));
    running = request.read;
    const answer = current.answer(request, begins);
    answers.push(answer);
    answersBytes += answer.kind === "done" ? answer.bytes.length : 0;
    if (answersBytes > answersBytesMax) flush();
  }
  flush();
  if (performance.now() - began > worthALookMs) leaveIfFull(current);
}

/** Between two pieces of work: what was not begun is for another. */
function leaveIfFull({ limits }: Reader): void {
  const taken = memoryTaken(limits.childBytesMax);
  if (taken === undefined) return;
  leaving = true;
  report(taken);
  parent.endAfter(out, 0);
}

function hold(current: Reader, rest: ReadMessage[]): void {
  requests = [...rest, ...requests];
  held = true;
  parent.whenDrained(() => {
    held = false;
    afterReading(() => work(current));
  });
}

/** One thing after the other; between two messages of a stream whatever has come is heard. */
function serve(message: ToSnapshot): void {
  if (leaving) return;
  if (reader === undefined) throw new Error("asked for a snapshot before it was told of which file");
  snapshot ??= new Snapshot({ reader, send: (answer) => sendFromSnapshot(out, answer) });
  snapshot.take(message);
  parent.flush(out);
  if (message.kind === "end") leaveIfFull(reader);
  else flow(snapshot);
}

function flow(current: Snapshot): void {
  if (advancing || !current.flowing) return;
  advancing = true;
  const go = () => {
    advancing = false;
    current.advance();
    parent.flush(out);
    flow(current);
  };
  if (parent.waitingBytes > streamWaitingBytesMax) parent.whenDrained(go);
  else afterReading(go);
}

function take(frame: Frame): void {
  const asked = readToSnapshot(frame);
  if (asked !== undefined) return serve(asked);
  const message = readToReader(frame);
  if (message.kind === "read") {
    requests.push(message);
    return;
  }
  try {
    reader = new Reader(message.orders);
    send({ kind: "ready" });
    compileEarly();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    report(`no reader: ${reason}`);
    sendFromReader(out, { kind: "unavailable", reason });
    parent.endAfter(out, 0);
  }
}

const parent = new Parent({
  take,
  read() {
    if (reader !== undefined && !held && !leaving) work(reader);
  },
  ended() {
    reader?.close();
  },
});

loadSqlite();
send({ kind: "loaded" });
