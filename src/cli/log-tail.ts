/** The end of a growing file, and what is added to it; a file that is replaced or emptied is read from its start. */
import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { StringDecoder } from "node:string_decoder";

const pieceBytes = 64 * 1024;

/** The last `linesMax` whole or unfinished lines, and how many bytes the file had. Throws ENOENT when there is none. */
export function lastLines(path: string, linesMax: number): { lines: string[]; end: number } {
  const file = openSync(path, "r");
  try {
    const end = fstatSync(file).size;
    let content: Buffer = Buffer.alloc(0);
    let start = end;
    while (start > 0 && countOf(content) <= linesMax) {
      const length = Math.min(pieceBytes, start);
      start -= length;
      const piece = Buffer.alloc(length);
      readSync(file, piece, 0, length, start);
      content = Buffer.concat([piece, content]);
    }
    const lines = content.toString("utf8").split("\n");
    if (lines[lines.length - 1] === "") lines.pop();
    if (start > 0) lines.shift();
    return { lines: linesMax === 0 ? [] : lines.slice(-linesMax), end };
  } finally {
    closeSync(file);
  }
}

function countOf(content: Buffer): number {
  let lines = 0;
  for (const byte of content) if (byte === 10) lines++;
  return lines;
}

/**
 * Follows the file by looking at it from time to time: works on every file system. It is kept open, so that what was
 * written to it before it was moved away is read as well.
 */
export class LogFollower {
  readonly #path: string;
  #offset: number;
  #file: number | undefined;
  #decoder = new StringDecoder("utf8");
  #unfinished = "";

  constructor(path: string, offset: number) {
    this.#path = path;
    this.#offset = offset;
    this.#file = opened(path);
  }

  /** The whole lines that have come since the last look. */
  look(): string[] {
    const lines = this.#rest();
    const stat = statSync(this.#path, { throwIfNoEntry: false });
    if (stat === undefined || (this.#file !== undefined && fstatSync(this.#file).ino === stat.ino)) return lines;
    // Once more: between the two looks it may have been written to.
    lines.push(...this.#rest(), ...this.#startAnew());
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = opened(this.#path);
    return [...lines, ...this.#rest()];
  }

  #rest(): string[] {
    if (this.#file === undefined) return [];
    const { size } = fstatSync(this.#file);
    const lines = size < this.#offset ? this.#startAnew() : [];
    if (size === this.#offset) return lines;
    const piece = Buffer.alloc(size - this.#offset);
    const length = readSync(this.#file, piece, 0, piece.length, this.#offset);
    this.#offset += length;
    const added = (this.#unfinished + this.#decoder.write(piece.subarray(0, length))).split("\n");
    this.#unfinished = added.pop() ?? "";
    return [...lines, ...added];
  }

  /** From the start of what comes next; a line that has no end gets none any more. */
  #startAnew(): string[] {
    const last = this.#unfinished + this.#decoder.end();
    this.#offset = 0;
    this.#decoder = new StringDecoder("utf8");
    this.#unfinished = "";
    return last === "" ? [] : [last];
  }
}

/** Undefined when it is not there, or not yet. */
function opened(path: string): number | undefined {
  try {
    return openSync(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
