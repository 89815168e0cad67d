/**
 * What `holdfast acquire` leaves for `holdfast release`: the secret of a session that lives as long as a process. One
 * file a lock, process and broker, in the broker's run directory, readable by its owner alone; it is made in one step, so
 * that two calls for the same lock and process cannot both believe that it is theirs.
 *
 * One session a lock, and not one a process: sessions number their requests, and two calls of `holdfast` at the same
 * time could not share the numbers.
 */
import { createHash } from "node:crypto";
import { linkSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface BoundProcess {
  readonly pid: number;
  /** Tells it from a later process with the same number. */
  readonly startTime: string;
}

export interface BoundSecret {
  readonly name: string;
  /** Further names that were acquired with it. */
  readonly also?: readonly string[];
  readonly process: BoundProcess;
  readonly secret: string;
  /** Absent while the lock is waited for. */
  readonly token?: number;
  /** Of the broker that has the session; absent in what an older version left. */
  readonly socket?: string;
  /** The `holdfast acquire` that made this file: while it lives and there is no token, it waits. */
  readonly maker: number;
  /** As that of a process. */
  readonly makerStart?: string | undefined;
}

export class BoundSecrets {
  readonly socket: string;
  readonly #directory: string;

  /** @param socket of the broker that is meant: another one with the same run directory knows nothing of its sessions */
  constructor(directory: string, socket: string) {
    this.#directory = directory;
    this.socket = socket;
  }

  /** False: there is one for this lock and process already. */
  create(secret: BoundSecret): boolean {
    const path = this.#pathOf(secret);
    const draft = this.#draft(path, secret);
    try {
      linkSync(draft, path);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
      throw error;
    } finally {
      rmSync(draft, { force: true });
    }
  }

  replace(secret: BoundSecret): void {
    const path = this.#pathOf(secret);
    renameSync(this.#draft(path, secret), path);
  }

  remove(secret: BoundSecret): void {
    rmSync(this.#pathOf(secret), { force: true });
  }

  /** All of this broker; of a lock, by whichever of its names, and of a process, if given. */
  find({ name, pid }: { name?: string; pid?: number | undefined } = {}): BoundSecret[] {
    return this.all().filter(
      (one) =>
        (one.socket === undefined || one.socket === this.socket) &&
        (name === undefined || one.name === name || one.also?.includes(name) === true) &&
        (pid === undefined || one.process.pid === pid),
    );
  }

  /** Of whichever broker. What cannot be read is left out. */
  all(): BoundSecret[] {
    return this.#files()
      .map((file) => this.#read(file))
      .filter((one) => one !== undefined);
  }

  /** Files of processes that are gone: their sessions ended with them. */
  sweep(isAlive: (process: BoundProcess) => boolean): void {
    for (const secret of this.all()) if (!isAlive(secret.process)) this.remove(secret);
  }

  #files(): string[] {
    try {
      return readdirSync(this.#directory).filter((file) => file.endsWith(".secret"));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw error;
    }
  }

  #read(file: string): BoundSecret | undefined {
    try {
      const found = JSON.parse(readFileSync(join(this.#directory, file), "utf8")) as BoundSecret;
      return typeof found.secret === "string" && typeof found.process?.pid === "number" ? found : undefined;
    } catch {
      // Taken away in between, or not one of ours.
      return undefined;
    }
  }

  #pathOf({ process: { pid, startTime }, name, socket }: BoundSecret): string {
    const start = createHash("sha256").update(startTime).digest("hex").slice(0, 12);
    const where = socket === undefined ? "" : `\0${socket}`;
    const lock = createHash("sha256").update(`${name}${where}`).digest("hex").slice(0, 16);
    return join(this.#directory, `${pid}-${start}-${lock}.secret`);
  }

  #draft(path: string, secret: BoundSecret): string {
    const draft = `${path}.${process.pid}`;
    // Also for one that is replaced: the run directory may have been taken away since.
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    writeFileSync(draft, `${JSON.stringify(secret)}\n`, { mode: 0o600, flush: true });
    return draft;
  }
}
