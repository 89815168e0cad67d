/**
 * One broker a run directory, decided by a lock of the operating system that dies with its holder. Files that tell of a
 * broker (broker.json, the socket) decide nothing: they outlive their broker, and pids are used again.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import type { Places } from "../places/index.js";
import { FileLock, isSqliteFailure, type SqliteFailure } from "../sqlite/index.js";
import { HoldfastError } from "../terms/index.js";
import { linger } from "./pulse.js";

/** A broker that ends gives up its socket some milliseconds before its lock. */
const predecessorMs = 250;
/** Much less than a process takes to begin. */
const askAgainMs = 5;
/** So long a place may be taken by somebody who does not say that it is his. */
const nobodyMsMax = 5000;

/** What broker.json says; for people, and for `status` when nobody answers. */
export interface BrokerInfo {
  readonly pid: number;
  readonly startTime: string;
  readonly version: string;
  readonly socket: string;
  readonly database: string;
  /** Device and number, which it keeps when it is given another path. */
  readonly databaseFile: string | undefined;
  /** RFC 3339. */
  readonly startedAt: string;
  readonly bootId: string;
  readonly spawned: boolean;
}

export class SingleInstance {
  readonly #lock: FileLock;
  readonly #infoPath: string;
  #announced = false;

  /** Throws ALREADY_RUNNING. The lock's file is touched by nothing but SQLite (rule 19). */
  static take({ brokerLock, info, runDir }: Pick<Places, "brokerLock" | "info" | "runDir">): SingleInstance {
    const lock = takeLock(brokerLock, predecessorMs);
    if (lock === undefined) throw alreadyRunning(runDir, readInfo(info));
    return new SingleInstance(lock, info);
  }

  /**
   * Waits until the broker that has the place has ended, and has it before a broker that is started then. Throws
   * ALREADY_RUNNING when another one has it all the same.
   *
   * @param pid of the broker that is about to end
   */
  static async takeAfter(
    pid: number,
    { brokerLock, info, runDir }: Pick<Places, "brokerLock" | "info" | "runDir">,
  ): Promise<SingleInstance> {
    for (let nobodyMs = 0; ; ) {
      const lock = takeLock(brokerLock, 0);
      if (lock !== undefined) return new SingleInstance(lock, info);
      const there = readInfo(info);
      if (there?.pid === undefined) nobodyMs += askAgainMs;
      else if (there.pid !== pid) throw alreadyRunning(runDir, there);
      if (nobodyMs > nobodyMsMax) throw alreadyRunning(runDir, there);
      await linger(askAgainMs);
    }
  }

  private constructor(lock: FileLock, infoPath: string) {
    this.#lock = lock;
    this.#infoPath = infoPath;
  }

  announce(info: BrokerInfo): void {
    const draft = `${this.#infoPath}.${process.pid}`;
    writeFileSync(draft, `${JSON.stringify(info, undefined, 2)}\n`, { mode: 0o600 });
    renameSync(draft, this.#infoPath);
    this.#announced = true;
  }

  release(): void {
    if (this.#announced) rmSync(this.#infoPath, { force: true });
    this.#lock.release();
  }
}

function takeLock(path: string, waitMs: number): FileLock | undefined {
  try {
    return FileLock.take(path, waitMs);
  } catch (error) {
    throw isSqliteFailure(error) ? unusableLock(path, error) : error;
  }
}

function unusableLock(path: string, cause: SqliteFailure): HoldfastError {
  const details = { path, sqliteCode: cause.code };
  return new HoldfastError("PERMISSION", `the broker's lock ${path} cannot be taken: ${cause.message}`, {
    details,
    cause,
  });
}

function alreadyRunning(runDir: string, info: Partial<BrokerInfo> | undefined): HoldfastError {
  const who = info?.pid === undefined ? "" : ` (pid ${info.pid}, version ${info.version}, since ${info.startedAt})`;
  return new HoldfastError("ALREADY_RUNNING", `a broker${who} already runs on ${runDir}`, {
    details: { runDir, ...(info ?? {}) },
  });
}

/** Undefined when there is none, or none that can be read. */
export function readInfo(path: string): Partial<BrokerInfo> | undefined {
  try {
    const info: unknown = JSON.parse(readFileSync(path, "utf8"));
    return typeof info === "object" && info !== null ? info : undefined;
  } catch {
    return undefined;
  }
}
