/**
 * The one line for the client that started this broker and waits: READY, or why not. A start that fails must say so in
 * its own words and at once; nobody should have to poll, or to read a log, to learn that a directory is not writable.
 */
import { closeSync, fstatSync, writeSync } from "node:fs";
import { isHoldfastError } from "../terms/index.js";

export class Readiness {
  /** Undefined when nobody waits, or all has been said. */
  #fd: number | undefined;

  /** A descriptor that is neither a pipe nor a socket was meant for something else, and is left alone. */
  constructor(fd: number | undefined) {
    this.#fd = fd !== undefined && isPipe(fd) ? fd : undefined;
  }

  ready(): void {
    this.#say("READY");
  }

  failed(error: unknown): void {
    const code = isHoldfastError(error) ? error.code : "INTERNAL";
    const message = error instanceof Error ? error.message : String(error);
    this.#say(JSON.stringify({ error: { code, message } }));
  }

  #say(line: string): void {
    const fd = this.#fd;
    if (fd === undefined) return;
    this.#fd = undefined;
    try {
      writeSync(fd, `${line}\n`);
    } catch {
      // Who waited has gone; the broker is for others too.
    }
    closeSync(fd);
  }
}

function isPipe(fd: number): boolean {
  try {
    const stats = fstatSync(fd);
    return stats.isFIFO() || stats.isSocket();
  } catch {
    return false;
  }
}
