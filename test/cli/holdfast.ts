/**
 * The real `holdfast` on a directory of the test's own: runs it, waits for what it says, and leaves no process behind.
 * What is awaited is always something that the program itself says or does; one bound for all ends a wait that fails.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { endAllOn, type KnownProcess, kill, known, stop } from "../support/processes.js";
import { tempDir } from "../support/temp-dir.js";

/** out/test/cli/holdfast.js → dist/cli.js */
export const cli = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..", "dist", "cli.js");
const boundMs = 60_000;

export interface Ended {
  /** Or 128+n after signal n. */
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface RunOptions {
  /** Without it, stdin is empty; `open`: it is written to by the test. */
  readonly input?: string | Uint8Array | "open";
  /** Instead of `holdfast` with the arguments. */
  readonly program?: readonly [file: string, args: readonly string[]];
  readonly env?: { readonly [name: string]: string };
  readonly cwd?: string;
}

export class Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  readonly outBytes: Buffer[] = [];
  err = "";
  readonly #told: (() => void)[] = [];
  #over = false;

  constructor(args: readonly string[], { input, env, cwd, program }: RunOptions) {
    const [file, words] = program ?? [process.execPath, [cli, ...args]];
    this.child = spawn(file, words, { env: { ...process.env, ...env }, cwd, stdio: "pipe" });
    const { stdin, stdout, stderr } = this.child;
    stdin?.on("error", () => {});
    if (input !== "open") stdin?.end(input ?? "");
    stdout?.on("data", (bytes: Buffer) => {
      this.outBytes.push(bytes);
      this.#news();
    });
    stderr?.on("data", (bytes: Buffer) => {
      this.err += bytes.toString();
      this.#news();
    });
    this.ended = new Promise((resolve) => {
      this.child.once("close", (code, signal) => {
        this.#over = true;
        this.#news();
        resolve({ code: code ?? 128 + (signal === "SIGKILL" ? 9 : 15), out: this.out, err: this.err });
      });
    });
  }

  get out(): string {
    return Buffer.concat(this.outBytes).toString();
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  #news(): void {
    for (const told of this.#told.splice(0)) told();
  }

  /** For one whose stdin is open. */
  type(text: string): void {
    this.child.stdin?.write(text);
  }

  /** Until it has written something, or has ended. */
  async more(): Promise<void> {
    if (this.#over) throw new Error(`holdfast has ended, after:\n${this.out}${this.err}`);
    let timer: NodeJS.Timeout | undefined;
    const bound = new Promise<never>((_, reject) => {
      const late = () => reject(new Error(`holdfast says nothing more, after:\n${this.out}${this.err}`));
      timer = setTimeout(late, boundMs);
    });
    await Promise.race([new Promise<void>((resolve) => this.#told.push(resolve)), bound]);
    clearTimeout(timer);
  }

  /** Until what it wrote (to both streams) fits. */
  async until(fits: RegExp): Promise<RegExpExecArray> {
    const timer = setTimeout(() => this.#news(), boundMs);
    try {
      for (const start = performance.now(); ; ) {
        const found = fits.exec(this.out + this.err);
        if (found !== null) return found;
        if (this.#over || performance.now() - start >= boundMs)
          throw new Error(`holdfast did not say ${fits}, but:\n${this.out}${this.err}`);
        await new Promise<void>((resolve) => this.#told.push(resolve));
      }
    } finally {
      clearTimeout(timer);
    }
  }
}

/** node:test waits for what it is given to run in the end. */
export interface TestLife {
  after(clean: () => void | Promise<void>): void;
}

/** The directory, and whoever runs on it; all are gone when the test is over. */
export class Holdfast {
  readonly dir: string;
  readonly #running: Running[] = [];

  constructor(test: TestLife) {
    test.after(() => this.#end());
    this.dir = tempDir(test);
  }

  /** Starts it and leaves it running. */
  start(args: readonly string[], options: RunOptions = {}): Running {
    const running = new Running(args, { ...options, env: { HOLDFAST_DIR: this.dir, ...options.env } });
    this.#running.push(running);
    return running;
  }

  run(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
    return this.start(args, options).ended;
  }

  /** What it prints; it must succeed. */
  async print(...args: string[]): Promise<string> {
    const { code, out, err } = await this.run(args);
    if (code !== 0) throw new Error(`holdfast ${args.join(" ")} ended with ${code}: ${err}`);
    return out;
  }

  brokerPid(): number | undefined {
    const path = join(this.dir, "run", "broker.json");
    return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as { pid: number }).pid : undefined;
  }

  /** Does it while the broker stands still. */
  async whileStopped(work: () => Promise<void>): Promise<void> {
    const broker = known(this.brokerPid() ?? 0);
    await stop(broker);
    try {
      await work();
    } finally {
      kill(broker, "SIGCONT");
    }
  }

  async #end(): Promise<void> {
    // Not SIGKILL: `holdfast lock` passes TERM on to its command, which would stay otherwise.
    for (const { child } of this.#running) if (child.exitCode === null) child.kill("SIGTERM");
    for (const { ended } of this.#running) await ended;
    // What ran inside a terminal or under a lock ends a little after it, and what such a command was to do next would start the broker again.
    await endAllOn(this.dir, isNoBroker);
    const { code } = await new Running(["stop"], { env: { HOLDFAST_DIR: this.dir } }).ended;
    const pid = this.brokerPid();
    if (code !== 0 && code !== 69 && pid !== undefined) process.kill(pid, "SIGKILL");
    // A broker that was only about to start is not there for `stop`.
    await endAllOn(this.dir);
  }
}

function isNoBroker(words: string): boolean {
  return !/\/(front|writer|reader)\.js\b/.test(words);
}

/** Until the question is answered with yes; asks again as soon as it was answered with no. */
export async function until(question: () => Promise<boolean> | boolean, what: string): Promise<void> {
  for (const start = performance.now(); !(await question()); ) {
    if (performance.now() - start > boundMs) throw new Error(`it did not come to this: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const stillMs = 500;

/** It has read and written so much, and for a while no more. */
export async function standsStill({ pid }: KnownProcess): Promise<void> {
  let before: string | undefined;
  let since = 0;
  await until(() => {
    const now = readFileSync(`/proc/${pid}/io`, "latin1");
    if (now !== before) since = performance.now();
    before = now;
    return performance.now() - since > stillMs;
  }, `process ${pid} stands still`);
}
