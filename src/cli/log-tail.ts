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

/** Follows the file by looking at it from time to time: works on every file system, and survives rotation. */
export class LogFollower {
  readonly #path: string;
  #offset: number;
  #inode: number;
  #decoder = new StringDecoder("utf8");
  #unfinished = "";

  constructor(path: string, offset: number) {
    this.#path = path;
    this.#offset = offset;
    this.#inode = statSync(path, { throwIfNoEntry: false })?.ino ?? 0;
  }

  /** The whole lines that have come since the last look. */
  look(): string[] {
    const stat = statSync(this.#path, { throwIfNoEntry: false });
    if (stat === undefined) return [];
    if (stat.ino !== this.#inode || stat.size < this.#offset) this.#restart(stat.ino);
    if (stat.size === this.#offset) return [];
    const added = this.#read(stat.size - this.#offset);
    const lines = (this.#unfinished + added).split("\n");
    this.#unfinished = lines.pop() ?? "";
    return lines;
  }

  #restart(inode: number): void {
    this.#inode = inode;
    this.#offset = 0;
    this.#decoder = new StringDecoder("utf8");
    this.#unfinished = "";
  }

  #read(bytes: number): string {
    const file = openSync(this.#path, "r");
    try {
      const piece = Buffer.alloc(bytes);
      const length = readSync(file, piece, 0, bytes, this.#offset);
      this.#offset += length;
      return this.#decoder.write(piece.subarray(0, length));
    } finally {
      closeSync(file);
    }
  }
}
