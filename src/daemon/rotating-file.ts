/**
 * A log file that stays bounded: when it is full it becomes FILE.1, FILE.1 becomes FILE.2, and the last one goes. Lines
 * are written at once and whole, so that the last words before an end are there. What cannot be written is lost.
 */
import { closeSync, constants, fstatSync, openSync, renameSync, writeSync } from "node:fs";

const fileBytesMaxStandard = 10 * 1024 * 1024;
const filesMax = 5;
const openFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW;

export class RotatingFile {
  readonly #path: string;
  readonly #fileBytesMax: number;
  #fd: number | undefined;
  #bytes = 0;

  /** Throws what the system says when the file cannot be opened. */
  constructor(path: string, fileBytesMax = fileBytesMaxStandard) {
    this.#path = path;
    this.#fileBytesMax = fileBytesMax;
    this.#open();
  }

  write(line: string): void {
    const bytes = Buffer.byteLength(line);
    if (this.#bytes > 0 && this.#bytes + bytes > this.#fileBytesMax) this.#rotate();
    if (this.#fd === undefined) return;
    this.#bytes += bytes;
    try {
      writeSync(this.#fd, line);
    } catch {
      // The disk is full, most likely: the broker goes on without its log.
    }
  }

  reopen(): void {
    this.close();
    try {
      this.#open();
    } catch {
      // As above.
    }
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #open(): void {
    this.#fd = openSync(this.#path, openFlags, 0o600);
    this.#bytes = fstatSync(this.#fd).size;
  }

  #rotate(): void {
    for (let number = filesMax - 2; number >= 0; number--) {
      const from = number === 0 ? this.#path : `${this.#path}.${number}`;
      try {
        renameSync(from, `${this.#path}.${number + 1}`);
      } catch {
        // Not there yet, or not ours to move: the file that is open goes on growing then.
      }
    }
    this.reopen();
  }
}
