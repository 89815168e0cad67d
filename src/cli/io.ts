/** The streams and surroundings of the process, as values: tests give their own. */

import { isatty, type ReadStream, type WriteStream } from "node:tty";
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
  /**
   * Resolves when stdout has taken all that was written; rejects with what the call is to end with when it never will, and
   * with the signal's reason.
   */
  readonly flushed: (signal?: AbortSignal) => Promise<void>;
  /** To stderr. */
  readonly say: (text: string) => void;
  /** Resolves when stderr has taken all that was said, or never will. */
  readonly said: () => Promise<void>;
}

export interface Stdin {
  readonly isTerminal: boolean;
  readonly read: () => Promise<string>;
}

export interface Terminal {
  readonly input: ReadStream;
  readonly output: WriteStream;
}

/**
 * Of stdin nothing is touched before somebody reads it: Node would make a pipe non-blocking, for all who share it.
 *
 * `onLost`: nobody takes what is written any more, or not all of it, and nobody has waited for that.
 */
export function processIo(onLost: (why: Error) => void): Io {
  const output = new StandardOutput(1, onLost);
  // Of what goes wrong with it nobody is left to be told.
  const comments = new StandardOutput(2, () => undefined);
  return {
    env: process.env,
    get cwd() {
      return workingDirectory();
    },
    stdin: { isTerminal: isatty(0), read: readStdin },
    get columns() {
      return output.terminal?.columns;
    },
    get lines() {
      return output.terminal?.rows;
    },
    stderrIsTerminal: comments.terminal !== undefined,
    get terminal() {
      return terminalOf(output.terminal ?? comments.terminal);
    },
    write: (bytes) => output.write(bytes),
    flushed: (signal) => output.flushed(signal),
    say: (text) => {
      try {
        comments.write(text);
      } catch {
        // As above.
      }
    },
    said: () => comments.flushed().catch(() => undefined),
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
function terminalOf(output: WriteStream | undefined): Terminal | undefined {
  return isatty(0) && output !== undefined ? { input: process.stdin, output } : undefined;
}

async function readStdin(): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of process.stdin) parts.push(part as Buffer);
  return textOfBytes(Buffer.concat(parts), "stdin");
}
