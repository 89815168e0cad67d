/**
 * A broker of a test's own: a private directory, and in it one front after the other, started from the built files as
 * a program would be, stopped or killed at will. When the test is over nothing of it is left: no process, no file.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import type { Broker, ConnectOptions } from "../../src/client/index.js";
import type { HelloParams, StatusResult } from "../../src/protocol/index.js";
import { built, library } from "./built.js";
import { until, within } from "./patience.js";
import { endAllOn, gone, isGone, type KnownProcess, kill, known, startTimeOf } from "./processes.js";
import { type TestLife, tempDir } from "./temp-dir.js";
import { Wire, type WireOptions } from "./wire.js";

export interface StartOptions {
  /** `--limit NAME=VALUE` for each. */
  readonly limits?: { readonly [name: string]: number };
  readonly env?: { readonly [name: string]: string };
  readonly args?: readonly string[];
}

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** `after` of a test, or of a whole file. */
export interface Life {
  after(clean: () => void | Promise<void>): void;
}

/** What a process may know of its surroundings: not a developer's own broker. */
function surroundings(env: StartOptions["env"]): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith("HOLDFAST_"));
  return { ...Object.fromEntries(kept), ...env };
}

export class Home {
  readonly dir: string;
  readonly #fronts: Front[] = [];
  readonly #handles: Broker[] = [];
  readonly #wires: Wire[] = [];
  readonly #lastActs: (() => Promise<void>)[] = [];

  constructor(life: Life) {
    // Hooks run in the order in which they are given: the processes end before their directory goes.
    life.after(() => this.#leave());
    this.dir = tempDir(life as TestLife);
  }

  get socket(): string {
    return join(this.dir, "run", "broker.sock");
  }

  get database(): string {
    return join(this.dir, "data", "data.db");
  }

  /** The arguments with which a broker of this directory begins. */
  static args(dir: string, { limits = {}, args = [] }: StartOptions): string[] {
    const limited = Object.entries(limits).flatMap(([name, value]) => ["--limit", `${name}=${value}`]);
    return ["--dir", dir, ...limited, ...args];
  }

  /** Starts a front and waits until clients may come. */
  async start(options: StartOptions = {}): Promise<Front> {
    const front = this.launch(options);
    await front.ready();
    return front;
  }

  /** Starts a front and does not wait. */
  launch(options: StartOptions = {}): Front {
    const front = new Front(this.dir, options);
    this.#fronts.push(front);
    return front;
  }

  /** A program's handle on the broker that runs here; it starts none. */
  async connect(options: ConnectOptions = {}): Promise<Broker> {
    const { connect } = await library();
    const handle = await within("a handle", connect({ dir: this.dir, start: false, env: {}, ...options }));
    this.#handles.push(handle);
    return handle;
  }

  /** A client that speaks by hand, and has said hello. */
  async wire(hello: Partial<HelloParams> = {}): Promise<Wire> {
    const wire = await Wire.greeted(this.socket, hello);
    this.#wires.push(wire);
    return wire;
  }

  /** The same without the hello. */
  async silent(options: WireOptions = {}): Promise<Wire> {
    const wire = await Wire.open(this.socket, options);
    this.#wires.push(wire);
    return wire;
  }

  async status(): Promise<StatusResult> {
    const wire = await Wire.open(this.socket, { headers: { "holdfast-purpose": "operator" } });
    await wire.hello({ program: "status" });
    const status = await wire.call("admin.status", {});
    await wire.call("session.goodbye", {});
    await wire.drop();
    return status;
  }

  /** The process that does this work; where the last one was just killed, the next. */
  async processOf(role: "front" | "writer" | "reader" | "snapshot"): Promise<KnownProcess> {
    const found = await until(`a process that is the ${role}`, async () => {
      const { processes } = await this.status();
      return processes.find((one) => one.role === role && one.state !== "standby");
    });
    return known(found.pid);
  }

  /** Whom the front has noted down to be killed by its successor. */
  notedChildren(): KnownProcess[] {
    const path = join(this.dir, "run", "children.json");
    if (!existsSync(path)) return [];
    return (JSON.parse(readFileSync(path, "utf8")) as KnownProcess[]).map(({ pid, startTime }) => ({ pid, startTime }));
  }

  /** The broker that a client has started here, as it says itself. */
  notedFront(): KnownProcess | undefined {
    try {
      const { pid, startTime } = JSON.parse(readFileSync(join(this.dir, "run", "broker.json"), "utf8")) as KnownProcess;
      return startTimeOf(pid) === startTime ? { pid, startTime } : undefined;
    } catch {
      return undefined;
    }
  }

  /** Kills the front and all its children at once, as a loss of power would. */
  async killAll(): Promise<void> {
    const front = this.notedFront();
    const all = [
      ...(front === undefined ? [] : [front]),
      ...this.#fronts.map((one) => one.known),
      ...this.notedChildren(),
    ];
    for (const one of all) kill(one, "SIGKILL");
    for (const one of all) await gone("a process of the broker", one);
  }

  /** While the broker still runs, when all else is over. */
  beforeLeaving(act: () => Promise<void>): void {
    this.#lastActs.push(act);
  }

  async #leave(): Promise<void> {
    try {
      for (const act of this.#lastActs) await act();
    } finally {
      await this.#end();
    }
  }

  async #end(): Promise<void> {
    for (const wire of this.#wires) wire.socket.terminate();
    await this.killAll();
    // A handle whose broker is gone has nothing to wait for.
    await Promise.all(this.#handles.map((handle) => handle.close().catch(() => undefined)));
    // One that starts a broker where it finds none may have done so before it was closed.
    await endAllOn(this.dir);
  }
}

/** One front process. */
export class Front {
  readonly child: ChildProcess;
  readonly exited: Promise<Ending>;
  readonly known: KnownProcess;
  /** All that it wrote on stdout and stderr. */
  output = "";
  readonly #ready: Promise<void>;

  constructor(dir: string, options: StartOptions) {
    this.child = spawn(process.execPath, [built.front, ...Home.args(dir, options)], {
      cwd: dir,
      env: { ...surroundings(options.env), HOLDFAST_READY_FD: "3" },
      // A group of its own, as a shell would give it: for Ctrl-C.
      detached: true,
      stdio: ["ignore", "pipe", "pipe", "pipe"],
    });
    this.known = known(this.child.pid ?? 0);
    for (const stream of [this.child.stdout, this.child.stderr])
      stream?.on("data", (text: Buffer) => {
        this.output += String(text);
      });
    this.exited = new Promise((resolve) => this.child.once("exit", (code, signal) => resolve({ code, signal })));
    this.#ready = this.#firstWord(this.child.stdio[3] as Readable);
    this.#ready.catch(() => undefined);
  }

  get pid(): number {
    return this.known.pid;
  }

  get isGone(): boolean {
    return isGone(this.known);
  }

  /** Resolves when it says that clients may come; rejects with its last words when it ends instead. */
  ready(): Promise<void> {
    return within("a broker to be ready", this.#ready);
  }

  async kill(): Promise<void> {
    kill(this.known, "SIGKILL");
    await within("the front's end", this.exited);
  }

  /** SIGTERM; how it ended. */
  async stop(): Promise<Ending> {
    kill(this.known, "SIGTERM");
    return within("the front to end in good order", this.exited);
  }

  async #firstWord(pipe: Readable): Promise<void> {
    let words = "";
    const spoken = new Promise<void>((resolve, reject) => {
      pipe.on("data", (text: Buffer) => {
        words += String(text);
        if (!words.includes("\n")) return;
        if (words.startsWith("READY")) resolve();
        else reject(new Error(`the broker did not start: ${words}`));
      });
      void this.exited.then(({ code, signal }) =>
        reject(new Error(`the broker ended (${code ?? signal}) before it was ready: ${words}${this.output}`)),
      );
    });
    await spoken;
  }
}

/** Waits until the broker of this directory is another process than the given one. */
export function successorOf(home: Home, before: KnownProcess): Promise<KnownProcess> {
  return until(`a broker after pid ${before.pid}`, () => {
    const front = home.notedFront();
    return front !== undefined && front.pid !== before.pid ? front : undefined;
  });
}
