/** The text of a file of rows, bit by bit: UTF-8 and nothing else, since what cannot be read must not be stored otherwise. */
import { createReadStream, open, statSync } from "node:fs";
import { Socket } from "node:net";
import type { Readable } from "node:stream";
import { promisify } from "node:util";

export class NotUtf8 extends RangeError {}
export class LineTooLong extends RangeError {}

export interface TextFile {
  /** Without a byte order mark. Throws NotUtf8. */
  readonly text: AsyncIterable<string>;
  /** Read so far. */
  readonly bytes: () => number;
}

export function textFile(path: string, stdin: () => Readable): TextFile {
  let bytes = 0;
  async function* text(): AsyncGenerator<string> {
    const decoder = new TextDecoder("utf-8", { fatal: true });
    const decoded = (part: Uint8Array | undefined): string => {
      try {
        return part === undefined ? decoder.decode() : decoder.decode(part, { stream: true });
      } catch (error) {
        const words = `about byte ${bytes} it is not UTF-8; \`iconv -t UTF-8\` makes it so`;
        throw new NotUtf8(words, { cause: error });
      }
    };
    for await (const part of path === "-" ? stdin() : await streamOf(path)) {
      bytes += (part as Buffer).length;
      yield decoded(part as Buffer);
    }
    yield decoded(undefined);
  }
  return { text: text(), bytes: () => bytes };
}

/** A pipe is not read as a file is: a read that waits for its writer would keep the process from ending. */
async function streamOf(path: string): Promise<Readable> {
  if (!statSync(path).isFIFO()) return createReadStream(path);
  return new Socket({ fd: await promisify(open)(path, "r"), readable: true, writable: false });
}

export interface Line {
  readonly text: string;
  /** From 1. */
  readonly at: number;
}

/** Ended by a line feed, with or without a return before it; nothing else ends one, whatever Unicode says. */
export async function* linesOf(text: AsyncIterable<string>, unitsMax: number): AsyncGenerator<Line> {
  let rest = "";
  let at = 0;
  for await (const part of text) {
    const lines = (rest + part).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) yield { text: line.replace(/\r$/, ""), at: ++at };
    if (rest.length > unitsMax) throw new LineTooLong(`line ${at + 1} is longer than ${unitsMax} characters`);
  }
  if (rest !== "") yield { text: rest.replace(/\r$/, ""), at: ++at };
}
