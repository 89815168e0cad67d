/**
 * Who has had the lock last, in a file that only its holder touches. A service that lets the same client have a wanted
 * lock again and again passes on many locks, and hands over few.
 */
import { closeSync, constants, openSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";

export class Baton {
  readonly #file: number;
  readonly #seen = Buffer.alloc(4);
  readonly #own = Buffer.alloc(4);
  #changes = 0;

  constructor(directory: string, holder: number) {
    this.#file = openSync(join(directory, "baton"), constants.O_RDWR | constants.O_CREAT, 0o600);
    this.#own.writeUInt32LE(holder + 1);
  }

  get changes(): number {
    return this.#changes;
  }

  take(): void {
    readSync(this.#file, this.#seen, 0, 4, 0);
    if (this.#seen.equals(this.#own)) return;
    this.#changes++;
    writeSync(this.#file, this.#own, 0, 4, 0);
  }

  close(): void {
    closeSync(this.#file);
  }
}
