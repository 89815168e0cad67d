/**
 * One child process as the front sees it.
 *
 *   spawned ──(its code is loaded)──► told what to do ──► gone: exited, and every answer that it had written was read
 *
 * What it prints goes to the log; the last line of it is the reason that is given when it ends.
 */
import { type ChildProcess, spawn } from "node:child_process";
import type { Socket } from "node:net";
import { createInterface } from "node:readline";
import { type Frame, FrameCutter, FrameQueue } from "../pipe/frames.js";
import { withinMemory } from "./memory-bound.js";
import { startTimeOf } from "./process-identity.js";

export type StoreLog = (
  level: "debug" | "info" | "warn" | "error",
  fields: { readonly [field: string]: unknown },
  text: string,
) => void;

export interface ChildOptions {
  readonly role: string;
  readonly node: string;
  readonly entry: string;
  readonly execArgv: readonly string[];
  /** The memory that it may have. */
  readonly bytesMax: number;
  readonly env: NodeJS.ProcessEnv;
  readonly log: StoreLog;
  readonly take: (frame: Frame) => void;
  readonly gone: (end: ChildEnd) => void;
}

export interface ChildEnd {
  readonly exitCode: number | null;
  readonly reason: string;
}

const fatal = /^FATAL ERROR: |^terminate called /;

export class Child {
  readonly role: string;
  readonly pid: number;
  readonly startTime: string;
  /** What leaves with the next flush. */
  readonly out = new FrameQueue();
  /** Settled when the process is gone. */
  readonly gone: Promise<void>;
  readonly #process: ChildProcess;
  readonly #orders: Socket;
  readonly #answers: Socket;
  #lastWords = "";
  #killedFor: string | undefined;

  /** Throws when the process cannot be started. */
  constructor({ role, node, entry, execArgv, bytesMax, env, log, take, gone }: ChildOptions) {
    this.role = role;
    const { file, args } = withinMemory(bytesMax, { file: node, args: [...execArgv, entry] });
    const child = spawn(file, args, { stdio: ["ignore", "pipe", "pipe", "pipe", "pipe"], env });
    const { pid } = child;
    // The reason comes as an event, which nobody waits for: a child without a number never was.
    child.on("error", (error) => log("error", { role }, `cannot start: ${error.message}`));
    if (pid === undefined) throw new Error(`a process for the ${role} cannot be started`);
    this.pid = pid;
    this.startTime = startTimeOf(pid) ?? "";
    this.#process = child;
    this.#orders = child.stdio[3] as unknown as Socket;
    const answers = child.stdio[4] as unknown as Socket;
    this.#answers = answers;
    const cutter = new FrameCutter();
    answers.on("data", (chunk: Buffer) => cutter.push(chunk, take));
    // A child that is gone is noticed at its end; what was still to be told to it is nobody's loss.
    this.#orders.on("error", () => {});
    answers.on("error", (error) => log("warn", { role, pid }, `reading from it failed: ${error.message}`));
    this.#listen(log);
    // One that is held back would not be read to its end, and `close` comes after that.
    child.once("exit", () => answers.resume());
    this.gone = new Promise((settle) => {
      child.once("close", (exitCode, signal) => {
        gone({ exitCode, reason: this.#reason(exitCode, signal) });
        settle();
      });
    });
  }

  flush(): void {
    this.out.flush(this.#orders);
  }

  /** It leaves when it has read to the end; what it was told is not worked off. */
  end(): void {
    this.#orders.end();
  }

  /** Whether what it answers is left in the pipe for now. */
  hold(held: boolean): void {
    if (held && this.#killedFor === undefined) this.#answers.pause();
    else this.#answers.resume();
  }

  kill(why: string): void {
    this.#killedFor ??= why;
    // Its end is known only when its answers have been read to theirs.
    this.#answers.resume();
    this.#process.kill("SIGKILL");
  }

  #listen(log: StoreLog): void {
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on("line", (line) => {
        // Node's own last words stand before a list of addresses.
        if (!fatal.test(this.#lastWords)) this.#lastWords = line;
        log("warn", { role: this.role, pid: this.pid }, line);
      });
    }
  }

  #reason(exitCode: number | null, signal: NodeJS.Signals | null): string {
    if (this.#killedFor !== undefined) return `killed: ${this.#killedFor}`;
    const end = signal === null ? `exit code ${exitCode}` : `signal ${signal}`;
    return this.#lastWords === "" ? end : `${end}: ${this.#lastWords}`;
  }
}
