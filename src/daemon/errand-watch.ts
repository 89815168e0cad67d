/**
 * Watches over an errand from a thread of its own, since SQLite keeps the main one busy for minutes. The errand gets a
 * SIGTERM, and does what it does with one, when its caller has gone: the end of the pipe that it has as stdin. What pins
 * the log gets it too when the log has grown too long; what is to be said of that is said before.
 */
import { realpathSync, statSync } from "node:fs";
import { Worker } from "node:worker_threads";

export interface LogBound {
  readonly database: string;
  /** The log may grow to so many bytes; one that is larger at the beginning may not grow. */
  readonly bytesMax: number;
  /** Without the line's end. */
  readonly line: string;
}

/** How often the log is looked at. */
const lookMs = 50;

/** In words, so that it needs no file of its own beside the bundle. */
const watching = `
const { fstatSync, statSync, writeSync } = require("node:fs");
const { Socket } = require("node:net");
const { path, bytesMax, bytesBefore, line, lookMs } = require("node:worker_threads").workerData;
const end = () => process.kill(process.pid, "SIGTERM");
const stdin = fstatSync(0);
if (stdin.isFIFO() || stdin.isSocket()) {
  const caller = new Socket({ fd: 0, readable: true, writable: false });
  caller.on("error", () => {}).once("close", end).resume();
}
if (path !== undefined) {
  const timer = setInterval(() => {
    const bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    if (bytes < bytesMax || bytes <= bytesBefore) return;
    clearInterval(timer);
    writeSync(1, line + "\\n");
    end();
  }, lookMs);
}
`;

/** Until the process ends, which it does not keep from ending. */
export function watchErrand(log?: LogBound): void {
  new Worker(watching, { eval: true, workerData: { lookMs, ...(log === undefined ? {} : boundOf(log)) } }).unref();
}

function boundOf({ database, bytesMax, line }: LogBound): object {
  const file = statSync(database, { throwIfNoEntry: false }) === undefined ? database : realpathSync(database);
  // Its log lies beside the file itself, and not beside a link to it. By stat: nobody may open it here (rule 19).
  const path = `${file}-wal`;
  return { path, bytesMax, bytesBefore: statSync(path, { throwIfNoEntry: false })?.size ?? 0, line };
}
