/** The streams and surroundings of the process, as values: tests give their own. */

import type { ReadStream, WriteStream } from "node:tty";
import { HoldfastError } from "../terms/index.js";
import { StandardOutput } from "./standard-output.js";
import { textOfBytes } from "./utf8.js";

export interface Environment {
  readonly [name: string]: string | undefined;
}

export interface Io {
  readonly env: Environment;
  /** Throws CONFIGURATION when the working directory is gone. */
  readonly cwd: string;
  readonly stdin: Stdin;
  /** Columns of the terminal that stdout is, now; undefined when it is none. */
  readonly columns: number | undefined;
  /** Its lines. */
  readonly lines: number | undefined;
  readonly stderrIsTerminal: boolean;
  /** Where somebody types and looks; undefined when stdin, or all that could be looked at, is no terminal. */
  readonly terminal?: Terminal | undefined;
  /** To stdout. Throws what the call is to end with when a file does not take it. */
  readonly write: (bytes: string | Uint8Array) => void;
  /** Resolves when stdout has taken all that was written; rejects with what the call is to end with when it never will. */
  readonly flushed: () => Promise<void>;
  /** To stderr. */
  readonly say: (text: string) => void;
}

export interface Stdin {
  readonly isTerminal: boolean;
  readonly read: () => Promise<string>;
}

export interface Terminal {
  readonly input: ReadStream;
  readonly output: WriteStream;
}

/** `onLost`: nobody takes what is written any more, or not all of it, and nobody has waited for that. */
export function processIo(onLost: (why: Error) => void): Io {
  const { env, stdin, stdout, stderr } = process;
  const output = new StandardOutput(stdout, onLost);
  return {
    env,
    get cwd() {
      return workingDirectory();
    },
    stdin: { isTerminal: stdin.isTTY === true, read: readStdin },
    get columns() {
      return stdout.isTTY === true ? stdout.columns : undefined;
    },
    get lines() {
      return stdout.isTTY === true ? stdout.rows : undefined;
    },
    stderrIsTerminal: stderr.isTTY === true,
    terminal: terminalOfProcess(),
    write: (bytes) => output.write(bytes),
    flushed: () => output.flushed(),
    say: (text) => void stderr.write(text),
  };
}

function workingDirectory(): string {
  try {
    return process.cwd();
  } catch (error) {
    throw unplaced(error);
  }
}

function unplaced(cause: unknown): HoldfastError {
  return new HoldfastError("CONFIGURATION", "the working directory is gone; go to another one", { cause });
}

/** What is typed is shown on stderr when the results go elsewhere. */
function terminalOfProcess(): Terminal | undefined {
  const { stdin, stdout, stderr } = process;
  const output = [stdout, stderr].find((stream) => stream.isTTY === true);
  return stdin.isTTY === true && output !== undefined ? { input: stdin, output } : undefined;
}

async function readStdin(): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of process.stdin) parts.push(part as Buffer);
  return textOfBytes(Buffer.concat(parts), "stdin");
}
