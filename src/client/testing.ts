/**
 * A broker of a test's own: in a private temporary directory, started at once, gone without a trace at the end. It is
 * the real thing, so that what a test shows holds for the program.
 */
import { mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, HoldfastError, type LimitName, type Millis } from "../terms/index.js";
import type { Broker } from "./broker.js";
import { connect } from "./connect.js";
import { type ConnectOptions, type Environment, settingsFrom } from "./options.js";
import { isDead } from "./process-identity.js";
import { now, sleep } from "./pulse.js";
import { startBroker } from "./spawn.js";

export interface EphemeralOptions {
  /** Limits of the broker other than the standard ones, such as `{ resumeWindowMs: 500 }`. */
  readonly limits?: { readonly [Name in LimitName]?: number } | undefined;
  /** How long a start and an end may take (ms, default 30,000). */
  readonly timeoutMs?: Millis | undefined;
  /** For tools: the file by which the broker begins. */
  readonly entry?: string | undefined;
}

/** What a connection to a broker of its own cannot choose. */
export type EphemeralConnectOptions = Omit<ConnectOptions, "dir" | "socket" | "database" | "env" | "broker">;

const lookAgainMs = 5;

/**
 * Starts a broker in a new private directory.
 *
 * @returns when it is ready
 * @throws START_FAILED with the broker's own words
 * @example
 * import { ephemeralBroker } from "holdfast/testing";
 * await using own = await ephemeralBroker({ limits: { resumeWindowMs: 500 } });
 * const broker = await own.connect();
 */
export async function ephemeralBroker(options: EphemeralOptions = {}): Promise<EphemeralBroker> {
  // Short, and without symbolic links: a socket's path has little room.
  const dir = realpathSync(mkdtempSync(join(tmpdir(), "holdfast-")));
  const broker = new EphemeralBroker(dir, options);
  try {
    await broker.start();
    return broker;
  } catch (error) {
    await broker[Symbol.asyncDispose]();
    throw error;
  }
}

export class EphemeralBroker {
  /** Those that nobody has ended yet. One listener for all of them: Node warns of the eleventh. */
  static readonly #living = new Set<EphemeralBroker>();
  static readonly #onExit = () => {
    for (const broker of EphemeralBroker.#living) broker.#abandon();
  };
  readonly dir: string;
  readonly socket: string;
  readonly #options: EphemeralOptions;
  readonly #base: ConnectOptions;
  readonly #info: string;
  #pid = 0;

  /** @internal */
  constructor(dir: string, options: EphemeralOptions) {
    this.dir = dir;
    this.#options = options;
    const args = Object.entries(options.limits ?? {}).flatMap(([name, value]) => ["--limit", `${name}=${value}`]);
    const { entry } = options;
    this.#base = { dir, env: environment(), broker: entry === undefined ? { args } : { args, entry } };
    const { places } = settingsFrom(this.#base);
    this.socket = places.socket;
    this.#info = places.info;
    if (EphemeralBroker.#living.size === 0) process.once("exit", EphemeralBroker.#onExit);
    EphemeralBroker.#living.add(this);
  }

  /** Of the broker that runs, or ran last: also of one that a client has started after a kill. */
  get pid(): number {
    try {
      const { pid } = JSON.parse(readFileSync(this.#info, "utf8")) as { pid?: unknown };
      if (typeof pid === "number") this.#pid = pid;
    } catch {
      // A broker that ended in good order has taken its file away.
    }
    return this.#pid;
  }

  /**
   * Connects to it. A broker that was killed is started again by that, unless `start` is false.
   *
   * @example const broker = await own.connect({ program: "first" });
   */
  connect(options: EphemeralConnectOptions = {}): Promise<Broker> {
    return connect({ ...options, ...this.#base });
  }

  /**
   * Starts it again after `stop` or `kill`.
   *
   * @throws START_FAILED
   * @example await own.kill(); await own.start();
   */
  async start(): Promise<void> {
    const { start } = settingsFrom({ ...this.#base, startTimeoutMs: this.#options.timeoutMs }).plan(false, true);
    if (start === undefined) throw new HoldfastError("MISUSE", "a broker cannot be started here");
    const outcome = await startBroker(start, new AbortController().signal);
    if (outcome.kind === "failed") throw HoldfastError.from(outcome.refusal);
    if (outcome.kind === "ready") this.#pid = outcome.pid;
  }

  /**
   * Ends it in good order and waits until it is gone. Clients that need it may start it again: close them first.
   *
   * @example await own.stop();
   */
  stop(): Promise<void> {
    return this.#end("SIGTERM");
  }

  /**
   * Ends it as a crash does, by SIGKILL, and waits until it is gone. Nothing that was acknowledged is lost.
   *
   * @example await own.kill();
   */
  kill(): Promise<void> {
    return this.#end("SIGKILL");
  }

  /** Ends it and removes the directory. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    EphemeralBroker.#living.delete(this);
    if (EphemeralBroker.#living.size === 0) process.off("exit", EphemeralBroker.#onExit);
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 5 });
  }

  async #end(how: "SIGTERM" | "SIGKILL"): Promise<void> {
    const { pid } = this;
    const { timeoutMs = 30_000 } = this.#options;
    signal(pid, how);
    const patienceEnds = after(now(), timeoutMs);
    while (!isGone(pid)) {
      if (now() > patienceEnds)
        throw new HoldfastError("MISUSE", `the broker (pid ${pid}) did not end within ${timeoutMs} ms`);
      await sleep(lookAgainMs, new AbortController().signal);
    }
  }

  /** The program ends without having ended its broker. */
  #abandon(): void {
    signal(this.pid, "SIGKILL");
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Without the settings of the user's real broker. */
function environment(): Environment {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("HOLDFAST_")));
}

function isGone(pid: number): boolean {
  return pid === 0 || isDead(pid, undefined);
}

function signal(pid: number, name: "SIGTERM" | "SIGKILL"): void {
  if (isGone(pid)) return;
  try {
    process.kill(pid, name);
  } catch {
    // It ended by itself in this moment.
  }
}
