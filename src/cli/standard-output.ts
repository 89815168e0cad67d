/**
 * stdout and stderr, so that nothing of the results is lost without a word, not by a disk that is full nor by a reader
 * that is slow, and so that others who have them open too find them as they were.
 *
 * What a terminal is given goes by Node's own stream, which opens it anew. From a pipe Node's stream would take that it
 * blocks, for all who share it: another program's write to it would fail when it is full (EAGAIN). So it is opened anew
 * here; it takes what there is room for, and the rest is on its way only once `flushed` has resolved.
 *
 * All else takes all of it before `write` returns: a file, since Node's stream for files asks once and takes no notice of
 * a write that was short (https://man7.org/linux/man-pages/man2/write.2.html); a socket, which cannot be opened anew. While
 * that waits for its reader no handler of a signal is called.
 */
import { constants, fstatSync, openSync, writeSync } from "node:fs";
import { Socket } from "node:net";
import type { Writable } from "node:stream";
import { isatty, type WriteStream } from "node:tty";
import { ExitWith } from "./command.js";
import { exitCodes } from "./exit-codes.js";

/** As a shell says it of SIGPIPE, which Node ignores. */
const pipeClosed = exitCodes.signalBase + 13;

/** The reader of the results has gone, and that is its right: nothing is said of it. */
export class ReaderGone extends Error {
  readonly exitCode = pipeClosed;
}

/** The descriptor of stdout, of stderr. */
export type Handle = 1 | 2;

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (why: Error) => void;
}

export class StandardOutput {
  /** Undefined when it is none. */
  readonly terminal: WriteStream | undefined;
  readonly #handle: Handle;
  /** Undefined: each write is waited for. */
  readonly #stream: Writable | undefined;
  /** Writes that the stream has not taken yet. */
  #pending = 0;
  /** The stream takes nothing any more, and that has been told. */
  #lost = false;
  readonly #waiting: Waiting[] = [];

  /** `onLost`: the stream takes nothing any more, and nobody waits for it. */
  constructor(handle: Handle, onLost: (why: Error) => void) {
    this.#handle = handle;
    this.terminal = terminalAt(handle);
    this.#stream = this.terminal ?? pipeAt(handle);
    this.#stream?.on("error", (error) => {
      if (this.#lost) return;
      this.#lost = true;
      const why = notTaken(error);
      const waiting = this.#waiting.splice(0);
      if (waiting.length === 0) onLost(why);
      for (const { reject } of waiting) reject(why);
    });
  }

  /** Throws what the call is to end with when it is no stream, and does not take all of it. */
  write(bytes: string | Uint8Array): void {
    if (this.#stream === undefined)
      return writeWhole(this.#handle, typeof bytes === "string" ? Buffer.from(bytes) : bytes);
    this.#pending++;
    this.#stream.write(bytes, (error) => {
      // What went wrong is told by the event.
      if (error) return;
      this.#pending--;
      if (this.#pending === 0) for (const { resolve } of this.#waiting.splice(0)) resolve();
    });
  }

  /**
   * Resolves when all that was written has been taken; rejects with what the call is to end with when it never will be,
   * unless that has been told before. With the signal's reason as soon as that is aborted: then nobody waits any more.
   */
  async flushed(signal?: AbortSignal): Promise<void> {
    if (this.#pending === 0 || this.#lost) return;
    signal?.throwIfAborted();
    let leave: (() => void) | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        const waiting = { resolve, reject };
        this.#waiting.push(waiting);
        leave = () => {
          this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
          reject(signal?.reason as Error);
        };
        signal?.addEventListener("abort", leave);
      });
    } finally {
      if (leave !== undefined) signal?.removeEventListener("abort", leave);
    }
  }
}

function terminalAt(handle: Handle): WriteStream | undefined {
  if (!isatty(handle)) return undefined;
  return handle === 1 ? process.stdout : process.stderr;
}

/** Where there is no /proc, and of another user's pipe or one that nobody reads, none can be had. */
function pipeAt(handle: Handle): Socket | undefined {
  if (!fstatSync(handle).isFIFO()) return undefined;
  try {
    const fd = openSync(`/proc/self/fd/${handle}`, constants.O_WRONLY | constants.O_NONBLOCK);
    return new Socket({ fd, readable: false, writable: true });
  } catch {
    return undefined;
  }
}

const againMs = 10;
const clock = new Int32Array(new SharedArrayBuffer(4));

function writeWhole(handle: Handle, bytes: Uint8Array): void {
  for (let from = 0; from < bytes.length; ) {
    try {
      from += writeSync(handle, bytes, from);
    } catch (error) {
      // Somebody has made it not to block.
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw notTaken(error as Error);
      Atomics.wait(clock, 0, 0, againMs);
    }
  }
}

function notTaken(error: NodeJS.ErrnoException): Error {
  if (error.code === "EPIPE") return new ReaderGone("", { cause: error });
  const why = error.message.replace(/^[A-Z0-9]+: /, "");
  return new ExitWith(`stdout does not take all of the results: ${why}`, { exitCode: exitCodes.refused, cause: error });
}
