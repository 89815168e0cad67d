/**
 * A broker of a test's own: in a private temporary directory, started at once, gone without a trace at the end. It is
 * the real thing, so that what a test shows holds for the program.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, HoldfastError, type LimitName, type Millis } from "../terms/index.js";
import type { Broker } from "./broker.js";
import { connectWhile } from "./connect.js";
import { checkOptions, type KnownOptions } from "./known-options.js";
import { type ConnectOptions, type Environment, settingsFrom } from "./options.js";
import { isDead, startTimeOf } from "./process-identity.js";
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

const ephemeralOptions: KnownOptions<EphemeralOptions> = { limits: true, timeoutMs: true, entry: true };

const lookAgainMs = 5;
/** How long a broker is left to its clients for what they have in flight before it is told to end. */
const closeMs = 1000;

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
  checkOptions("ephemeralBroker", options, ephemeralOptions);
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

/** A pid alone may be another's by now: the file of a broker that was killed stays. */
interface BrokerProcess {
  readonly pid: number;
  /** As the system tells it; absent where it does not. */
  readonly startTime: string | undefined;
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
  readonly #clients = new Set<Broker>();
  readonly #connecting = new Set<Promise<Broker>>();
  #process: BrokerProcess | undefined;
  #disposed = false;
  /** Calls off what would take the directory away after this program's end. */
  #callOff: (() => void) | undefined;

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
    return this.#lookUp()?.pid ?? 0;
  }

  /**
   * Connects to it. A broker that was killed is started again by that, unless `start` is false. With the broker's end by
   * `await using` the connection is closed.
   *
   * @throws MISUSE after that, and as `connect`
   * @example const broker = await own.connect({ program: "first" });
   */
  async connect(options: EphemeralConnectOptions = {}): Promise<Broker> {
    if (this.#disposed)
      throw new HoldfastError("MISUSE", `the broker of ${this.dir} was ended for good, and its directory is gone`);
    const connecting = connectWhile(() => !this.#disposed, { ...options, ...this.#base });
    this.#connecting.add(connecting);
    try {
      const client = await connecting;
      this.#clients.add(client);
      client.on("closed", () => this.#clients.delete(client));
      return client;
    } finally {
      this.#connecting.delete(connecting);
    }
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
    this.#callOff ??= sweepAfterUs(this.dir);
    const outcome = await startBroker(start, new AbortController().signal);
    if (outcome.kind === "failed") throw HoldfastError.from(outcome.refusal);
    if (outcome.kind === "ready") this.#process = { pid: outcome.pid, startTime: startTimeOf(outcome.pid) };
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

  /** Closes the connections that `connect` has made, ends the broker and removes the directory. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    await Promise.allSettled(this.#connecting);
    await this.#closeClients();
    await this.stop();
    EphemeralBroker.#living.delete(this);
    this.#callOff?.();
    if (EphemeralBroker.#living.size === 0) process.off("exit", EphemeralBroker.#onExit);
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Those that wait for a lock do not any more; what is under way is finished, if it does not take too long. */
  async #closeClients(): Promise<void> {
    const closed = Promise.all([...this.#clients].map((client) => client.close()));
    const wait = new AbortController();
    await Promise.race([closed, sleep(closeMs, wait.signal).catch(() => {})]);
    wait.abort();
    // What one of them still has in flight is not waited for.
    for (const client of this.#clients) client.detach();
  }

  async #end(how: "SIGTERM" | "SIGKILL"): Promise<void> {
    const broker = this.#lookUp();
    if (broker === undefined) return;
    const { timeoutMs = 30_000 } = this.#options;
    signal(broker, how);
    const patienceEnds = after(now(), timeoutMs);
    while (!isGone(broker)) {
      if (now() > patienceEnds)
        throw new HoldfastError("MISUSE", `the broker (pid ${broker.pid}) did not end within ${timeoutMs} ms`);
      await sleep(lookAgainMs, new AbortController().signal);
    }
  }

  /** The program ends without having ended its broker. */
  #abandon(): void {
    const broker = this.#lookUp();
    if (broker !== undefined) signal(broker, "SIGKILL");
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** The broker that runs, or ran last. */
  #lookUp(): BrokerProcess | undefined {
    try {
      const { pid, startTime } = JSON.parse(readFileSync(this.#info, "utf8")) as Partial<BrokerProcess>;
      if (typeof pid === "number") this.#process = { pid, startTime: startTime === "" ? undefined : startTime };
    } catch {
      // A broker that ended in good order has taken its file away.
    }
    return this.#process;
  }
}

/**
 * Takes the directory away when this program is gone, also one that a signal has ended and that could do nothing more: a
 * broker whose directory is gone ends by itself. A process of its own, which hears of our end by the end of its input.
 * Answers how to call that off.
 */
function sweepAfterUs(dir: string): () => void {
  const script = 'read -r line; until rm -rf -- "$0"; do sleep 1; done';
  // Detached, since Ctrl-C reaches the whole group; and who runs under a lock is ended with it.
  const sweeper = spawn("/bin/sh", ["-c", script, dir], {
    cwd: "/",
    detached: true,
    env: environment(),
    stdio: ["pipe", "ignore", "ignore"],
  });
  // Without a shell all goes on, and only what a signal ends leaves something behind.
  sweeper.on("error", () => {});
  sweeper.unref();
  (sweeper.stdin as Socket | null)?.unref();
  return () => sweeper.kill("SIGKILL");
}

/** Without the settings of the user's real broker. */
function environment(): Environment {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("HOLDFAST_")));
}

function isGone({ pid, startTime }: BrokerProcess): boolean {
  return isDead(pid, startTime);
}

function signal(broker: BrokerProcess, name: "SIGTERM" | "SIGKILL"): void {
  if (isGone(broker)) return;
  try {
    process.kill(broker.pid, name);
  } catch {
    // It ended by itself in this moment.
  }
}
