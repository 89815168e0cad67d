/** A reader's process begins here: loads what it needs, waits for its orders, and then for requests. */
import { loadSqlite } from "../../sqlite/index.js";
import { afterReading, type Frame, FrameQueue } from "../pipe/frames.js";
import { type Answer, type FromReader, type ReadMessage, readToReader, sendFromReader } from "../pipe/messages.js";
import { Parent, report } from "../pipe/parent.js";
import { Reader } from "./reader.js";

/** The front has not taken so much yet: it reads slowly, and reading on would only fill memory. */
const waitingBytesMax = 16 * 1024 * 1024;
/** Answers leave when they come to so much, if not before. */
const answersBytesMax = 256 * 1024;

const out = new FrameQueue();
let reader: Reader | undefined;
let requests: ReadMessage[] = [];
let answers: Answer[] = [];
let answersBytes = 0;
let held = false;

function send(message: FromReader): void {
  sendFromReader(out, message);
  parent.flush(out);
}

function flush(): void {
  if (answers.length === 0) return;
  const ready = answers;
  answers = [];
  answersBytes = 0;
  send({ kind: "answers", answers: ready });
}

function work(current: Reader): void {
  const batch = requests;
  requests = [];
  for (const [place, request] of batch.entries()) {
    if (parent.waitingBytes > waitingBytesMax) return hold(current, batch.slice(place));
    const answer = current.answer(request, flush);
    answers.push(answer);
    answersBytes += answer.kind === "done" ? answer.bytes.length : 0;
    if (answersBytes > answersBytesMax) flush();
  }
  flush();
}

function hold(current: Reader, rest: ReadMessage[]): void {
  requests = [...rest, ...requests];
  held = true;
  parent.whenDrained(() => {
    held = false;
    afterReading(() => work(current));
  });
}

function take(frame: Frame): void {
  const message = readToReader(frame);
  if (message.kind === "read") {
    requests.push(message);
    return;
  }
  try {
    reader = new Reader(message.orders);
    send({ kind: "ready" });
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
    if (reader !== undefined && !held) work(reader);
  },
  ended() {
    reader?.close();
  },
});

loadSqlite();
send({ kind: "loaded" });
