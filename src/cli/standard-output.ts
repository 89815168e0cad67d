/**
 * stdout, so that nothing of the results is lost without a word: not by a disk that is full, nor by a reader that is slow.
 *
 * A file takes all of it before `write` returns: Node's own stream for files asks once and takes no notice of a write that
 * was short (https://man7.org/linux/man-pages/man2/write.2.html). A pipe takes what there is room for, and Node keeps the
 * rest: it is on its way only once `flushed` has resolved.
 */
import { fstatSync, writeSync } from "node:fs";
import { ExitWith } from "./command.js";
import { exitCodes } from "./exit-codes.js";

/** As a shell says it of SIGPIPE, which Node ignores. */
const pipeClosed = exitCodes.signalBase + 13;

/** The reader of the results has gone, and that is its right: nothing is said of it. */
export class ReaderGone extends Error {
  readonly exitCode = pipeClosed;
}

type Stdout = typeof process.stdout;

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (why: Error) => void;
}

export class StandardOutput {
  readonly #stream: Stdout;
  readonly #isFile: boolean;
  /** Writes that a pipe has not taken yet. */
  #pending = 0;
  /** A pipe takes nothing any more, and that has been told. */
  #lost = false;
  readonly #waiting: Waiting[] = [];

  /** `onLost`: a pipe takes nothing any more, and nobody waits for it. */
  constructor(stream: Stdout, onLost: (why: Error) => void) {
    this.#stream = stream;
    this.#isFile = isFile(stream);
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (this.#lost) return;
      this.#lost = true;
      const why = error.code === "EPIPE" ? new ReaderGone("", { cause: error }) : notTaken(error);
      const waiting = this.#waiting.splice(0);
      if (waiting.length === 0) onLost(why);
      for (const { reject } of waiting) reject(why);
    });
  }

  /** Throws what the call is to end with when a file does not take all of it. */
  write(bytes: string | Uint8Array): void {
    if (this.#isFile) return writeWhole(this.#stream.fd, typeof bytes === "string" ? Buffer.from(bytes) : bytes);
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
   * unless that has been told before.
   */
  flushed(): Promise<void> {
    if (this.#pending === 0 || this.#lost) return Promise.resolve();
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }
}

/** Also a device such as /dev/null; a terminal is none. */
function isFile({ fd, isTTY }: Stdout): boolean {
  const stat = fstatSync(fd);
  return isTTY !== true && !stat.isFIFO() && !stat.isSocket();
}

const againMs = 10;
const clock = new Int32Array(new SharedArrayBuffer(4));

function writeWhole(handle: number, bytes: Uint8Array): void {
  for (let from = 0; from < bytes.length; ) {
    try {
      from += writeSync(handle, bytes, from);
    } catch (error) {
      // A device that somebody has made not to block.
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw notTaken(error as Error);
      Atomics.wait(clock, 0, 0, againMs);
    }
  }
}

function notTaken(error: Error): ExitWith {
  const why = error.message.replace(/^[A-Z0-9]+: /, "");
  return new ExitWith(`stdout does not take all of the results: ${why}`, { exitCode: exitCodes.refused, cause: error });
}
