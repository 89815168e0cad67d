/**
 * A running broker: the front behind its doors, with what a good background process owes its surroundings.
 *
 *   starting ──► ready ──► stopping ──► stopped
 *                  │
 *                  └─► ended at once (a second signal, a fault, a database that was replaced or taken): children leave at the end
 *                      of their pipes, and the next start settles what they left
 *
 * A stop that is asked for while starting takes effect when the start is done. One that takes longer may never be done (the
 * disk stands still, a stranger keeps the database), and keeps the place from every other: then it is ended at once.
 */
import { Front, fileIdAt } from "../front/index.js";
import { closings } from "../protocol/index.js";
import { loadSqlite, sqliteVersion } from "../sqlite/index.js";
import type { BegunChild } from "../store/index.js";
import { Transport } from "../transport/index.js";
import { readBootId } from "./boot-id.js";
import type { Config } from "./config.js";
import { findEntries } from "./entries.js";
import { IdleExit } from "./idle-exit.js";
import { lockCarriers } from "./lock-carriers.js";
import type { Log } from "./log.js";
import { processTable } from "./processes.js";
import { afterInput, keepHouse, linger, wallNow } from "./pulse.js";
import { SelfCheck, type Verdict } from "./self-check.js";
import { handleSignals } from "./signals.js";
import { SingleInstance } from "./single-instance.js";

/** How long a start may go on after a signal (ms): below the 10 s after which supervisors kill. */
const startStopMs = 5000;

export interface Stop {
  readonly reason: string;
  readonly exitCode: number;
}

export interface BrokerParts {
  readonly config: Config;
  readonly log: Log;
  readonly uid: number;
  readonly begun?: readonly BegunChild[] | undefined;
  /** Clients may come. */
  readonly onReady: () => void;
}

export class Broker {
  readonly #parts: BrokerParts;
  readonly #stopped: Promise<Stop>;
  #stop: (stop: Stop) => void = () => undefined;
  #stopping = false;
  #starting = true;

  constructor(parts: BrokerParts) {
    this.#parts = parts;
    this.#stopped = new Promise((resolve) => {
      this.#stop = (stop) => {
        this.#stopping = true;
        resolve(stop);
      };
    });
  }

  /** From the lock to the last farewell. Rejects when it cannot be started. */
  async run(): Promise<Stop> {
    let serving: Serving | undefined;
    const forgetSignals = this.#heedSignals(() => serving);
    try {
      const instance = SingleInstance.take(this.#parts.config.places);
      try {
        serving = await this.#begin(instance);
        this.#starting = false;
        this.#parts.onReady();
        return await this.#end(serving);
      } finally {
        instance.release();
      }
    } catch (error) {
      this.#starting = false;
      // Only here: the signal that ended a broker may come once more before its process is gone.
      forgetSignals();
      throw error;
    }
  }

  async #begin(instance: SingleInstance): Promise<Serving> {
    const { config, log } = this.#parts;
    const { places, version, spawned } = config;
    const { socket, database } = places;
    const { pid } = process;
    const bootId = readBootId();
    const front = await this.#startFront(bootId);
    const transport = await this.#openDoors(front);
    const startTime = processTable.startTimeOf(pid) ?? "";
    const startedAt = wallNow().toISOString();
    const databaseFile = fileIdAt(database);
    instance.announce({ pid, startTime, version, socket, database, databaseFile, startedAt, bootId, spawned });
    log.line("info", { socket }, "ready");
    return { front, transport, endChores: this.#beginChores(front, transport) };
  }

  async #startFront(bootId: string): Promise<Front> {
    const { config, log, uid, begun } = this.#parts;
    const { places, limits, version, spawned } = config;
    const sqlite = versionOfSqlite();
    const { socket, database } = places;
    log.line("info", { version, node: process.version, sqlite, bootId, socket, database }, "starting");
    return await Front.start({
      places,
      limits,
      version,
      sqliteVersion: sqlite,
      spawned,
      bootId,
      entries: findEntries(config.entryDir),
      begun,
      processes: processTable,
      carriers: lockCarriers({ uid, maySignal: config.signals }),
      log: log.line,
      onStopRequested: () => this.#stop({ reason: "a client asked for it", exitCode: 0 }),
      onDatabaseTaken: (why) => this.#endAtOnce(why, undefined),
    });
  }

  async #openDoors(front: Front): Promise<Transport> {
    const { config, log, uid } = this.#parts;
    try {
      return await Transport.open({
        path: config.places.socket,
        uid,
        platform: process.platform,
        limits: config.limits,
        handlers: {
          onOpen: (link) => front.onOpen(link),
          onFrame: (link, data, isBinary) => front.onFrame(link, data, isBinary),
          onDrained: (link) => front.onDrained(link),
          onClose: (link) => front.onClose(link),
        },
        ready: () => !this.#stopping,
        log: log.line,
        afterInput,
      });
    } catch (error) {
      await front.drain("no door could be opened");
      throw error;
    }
  }

  /** Waits until somebody or something wants the end, and brings it about in good order. */
  async #end({ front, transport, endChores }: Serving): Promise<Stop> {
    const stop = await this.#stopped;
    this.#parts.log.line("info", { ...stop, ...front.summary }, "stopping");
    transport.refuseNew();
    await front.drain(stop.reason);
    transport.closeLinks(closings.restarting.code, stop.reason);
    await transport.linksEnded();
    endChores();
    await transport.close();
    return stop;
  }

  #beginChores(front: Front, transport: Transport): () => void {
    const { config } = this.#parts;
    const { socket } = transport;
    const idle = new IdleExit({
      idleExitMs: config.limits.idleExitMs,
      idleMs: () => front.idleMs,
      accepted: () => transport.accepted,
      withdraw: () => socket.withdraw(),
      restore: () => socket.restore(),
      linger,
      leave: () => this.#stop({ reason: "nobody needs it", exitCode: 0 }),
    });
    const check = new SelfCheck({
      ...config.places,
      stillPublished: () => idle.withdrawn || socket.stillPublished(),
    });
    const onFault = (error: unknown) => this.#endAtOnce("idle exit failed", error);
    return keepHouse({
      look: () => {
        transport.look();
        if (config.spawned && !this.#stopping) idle.look().catch(onFault);
      },
      selfCheck: () => {
        const verdict = this.#stopping ? undefined : check.look();
        if (verdict !== undefined) this.#heed(verdict);
      },
    });
  }

  #heedSignals(serving: () => Serving | undefined): () => void {
    const { config, log } = this.#parts;
    return handleSignals({
      afterInput,
      spawned: config.spawned,
      onStop: (signal) => {
        this.#stop({ reason: signal, exitCode: 0 });
        afterInput(startStopMs, () => {
          if (this.#starting) this.#endAtOnce(`${signal} came, and the start does not come to its end`, undefined);
        });
      },
      onStopNow: (exitCode) => {
        log.line("warn", { exitCode }, "ended at once by a second signal");
        process.exit(exitCode);
      },
      onDump: () => {
        const now = serving();
        log.reopen();
        log.line(
          "info",
          { ...now?.front.summary, links: now?.transport.counts, memory: process.memoryUsage() },
          "how things are",
        );
      },
    });
  }

  #heed({ kind, reason }: Verdict): void {
    if (kind === "detached") this.#endAtOnce(reason, undefined);
    // A supervisor should start it again; a spawned broker is started again when somebody needs it.
    else this.#stop({ reason, exitCode: this.#parts.config.spawned ? 0 : 1 });
  }

  /** What has not been acknowledged must not be now. */
  #endAtOnce(reason: string, error: unknown): never {
    this.#parts.log.line("error", error === undefined ? {} : { error }, `ending at once: ${reason}`);
    process.exit(1);
  }
}

interface Serving {
  readonly front: Front;
  readonly transport: Transport;
  readonly endChores: () => void;
}

function versionOfSqlite(): string {
  const memory = new (loadSqlite())(":memory:");
  try {
    return sqliteVersion(memory);
  } finally {
    memory.close();
  }
}
