/**
 * Processes that run under locks, as Linux shows them: each has its environment in /proc, where the variable
 * HOLDFAST_LOCKS names the locks; and its open files, of which one may have the same text (for those that clear their
 * environment or write over it). Only what this user may read is seen.
 *
 * A process is taken for what it is by pid and start time; the start time is read before the signs, and again
 * right before a signal, so that a pid that is used anew in between is hit by nothing (rule 24).
 */
import { closeSync, constants, lstatSync, openSync, readdirSync, readlinkSync, readSync, statSync } from "node:fs";
import type { CarriedLock, LockCarrier, LockCarriers } from "../front/index.js";
import { isSessionId, token } from "../terms/index.js";
import { processTable, readProcess } from "./processes.js";

export interface LockCarriersParts {
  readonly uid: number;
  /** false: nobody is signalled. */
  readonly maySignal: boolean;
}

const variable = Buffer.from("HOLDFAST_LOCKS=");

/** Nothing where there is no /proc that shows environments. */
export function lockCarriers({ uid, maySignal }: LockCarriersParts): LockCarriers | undefined {
  if (process.platform !== "linux" || environmentOf(process.pid) === undefined) return undefined;
  return {
    *look() {
      for (const name of readdirSync("/proc")) {
        const pid = Number(name);
        if (Number.isInteger(pid)) yield carrierOf(pid, uid);
      }
    },
    signal(carrier, signal) {
      if (processTable.fateOf(carrier) === "dead") return "gone";
      if (!maySignal || ownerOf(carrier.pid) !== uid) return "not-ours";
      try {
        process.kill(carrier.pid, signal);
        return "sent";
      } catch (error) {
        return (error as NodeJS.ErrnoException).code === "ESRCH" ? "gone" : "not-ours";
      }
    },
  };
}

function carrierOf(pid: number, uid: number): LockCarrier | undefined {
  if (pid === process.pid) return undefined;
  const owner = ownerOf(pid);
  // The superuser sees all, and a command that it has begun may run as another.
  if (owner === undefined || (owner !== uid && uid !== 0)) return undefined;
  if (environmentOf(pid)?.includes(variable) !== true && !isMarked(pid)) return undefined;
  const facts = readProcess(pid);
  if (facts === "unknown") throw new Error(`process ${pid} carries a lock, and cannot be looked at`);
  if (facts === "gone" || facts.ppid === process.pid) return undefined;
  // Read again: now it is surely that of the process with this start time, or of one that will not be found by it.
  const locks = [...locksIn(environmentOf(pid) ?? Buffer.alloc(0)), ...markedLocks(pid)];
  return locks.length === 0 ? undefined : { pid, startTime: facts.startTime, locks };
}

function ownerOf(pid: number): number | undefined {
  try {
    return statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid;
  } catch {
    // ESRCH: it ended while it was looked at.
    return undefined;
  }
}

/**
 * `man 5 proc`: NAME=VALUE, each ended by a NUL, as they were when the program began. Empty of a zombie. Valid until the
 * next call: into one buffer for all it is 34 µs a process, with `readFileSync` 138 µs (Node 20, Linux 6, 2 cores).
 */
function environmentOf(pid: number): Buffer | undefined {
  return contentsOf(`/proc/${pid}/environ`);
}

/** Of a file in /proc. */
function contentsOf(path: string): Buffer | undefined {
  let file: number | undefined;
  try {
    // Whatever it is that a process has open: nothing is waited for.
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    return readWhole(file);
  } catch (error) {
    if (outOfFiles.has((error as NodeJS.ErrnoException).code ?? "")) throw error;
    // A kernel thread, one that may not be read, or one that has just ended.
    return undefined;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** That says nothing of the process. */
const outOfFiles: ReadonlySet<string> = new Set(["EMFILE", "ENFILE", "ENOMEM"]);

let scratch = Buffer.alloc(64 * 1024);
/** An environment has 6 MiB at most (`man 2 execve`); of what else a process has open no more is read. */
const bytesMax = 8 * 1024 * 1024;

function readWhole(file: number): Buffer {
  for (let length = 0; ; ) {
    const read = readSync(file, scratch, length, scratch.length - length, null);
    if (read === 0 || length + read > bytesMax) return scratch.subarray(0, length);
    length += read;
    if (length === scratch.length) scratch = Buffer.concat([scratch, Buffer.alloc(scratch.length)]);
  }
}

/** As `holdfast lock` gives it to its command: a file without a name, so that nobody has it who was not given it. */
const mark = /\/holdfast-locks-[0-9a-f-]{36} \(deleted\)$/;

function markPath(pid: number): string {
  return `/proc/${pid}/fd/15`;
}

function isMarked(pid: number): boolean {
  const path = markPath(pid);
  try {
    // Most have none, and an error that is thrown costs more than all the rest.
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined && mark.test(readlinkSync(path));
  } catch (error) {
    if (outOfFiles.has((error as NodeJS.ErrnoException).code ?? "")) throw error;
    return false;
  }
}

function markedLocks(pid: number): CarriedLock[] {
  return isMarked(pid) ? parsed(contentsOf(markPath(pid))?.toString("utf8") ?? "") : [];
}

/** What the variable says, in as far as it can be understood: anybody may have set it to anything. */
export function locksIn(environment: Buffer): CarriedLock[] {
  for (let at = environment.indexOf(variable); at >= 0; at = environment.indexOf(variable, at + 1)) {
    if (at > 0 && environment[at - 1] !== 0) continue;
    const end = environment.indexOf(0, at);
    return parsed(environment.toString("utf8", at + variable.length, end < 0 ? undefined : end));
  }
  return [];
}

function parsed(text: string): CarriedLock[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return [];
  }
  if (!Array.isArray(value)) return [];
  return value.flatMap((entry: unknown) => {
    const { token: number, session } = (entry ?? {}) as { readonly [field: string]: unknown };
    if (typeof number !== "number" || !Number.isSafeInteger(number) || number < 1) return [];
    return typeof session === "string" && isSessionId(session) ? [{ token: token(number), session }] : [];
  });
}
