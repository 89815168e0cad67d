/**
 * A disk that fails when told to: a small library in C (faulty-disk.c), compiled by the test and loaded before all
 * others (LD_PRELOAD), that stands between SQLite and the system's fsync and write.
 *
 * With `shadowingEnv` it also keeps, beside each file of the database, a copy of what the last sync has brought to the disk;
 * `losePower` puts these copies in the files' places, and the machine has another boot id. So what was only written, and
 * never synced, is gone. After a sync that failed the system believes that the pages are clean, and no later sync brings
 * them to the disk unless they are written anew; so it is here.
 *
 * An order is a file: `sync`, `write` or `kill` in the orders' directory, with what to do and to which files, for example
 * `stop data.db-wal`. What happens once (stop, eio) takes the order with it, so that one process and one call obey.
 */
import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { until } from "./patience.js";
import { type KnownProcess, known, stateOf } from "./processes.js";

const source = fileURLToPath(new URL("../../../test/support/faulty-disk.c", import.meta.url));

export class FaultyDisk {
  readonly #orders: string;
  readonly #library: string;
  /** A file with the boot id. */
  readonly #boot: string;

  /** Compiles it into this directory. Wants a C compiler, as better-sqlite3 does where it has no ready binary. */
  static make(dir: string): FaultyDisk {
    const library = join(dir, "faulty-disk.so");
    const { status, stderr, error } = spawnSync("cc", ["-O1", "-shared", "-fPIC", "-o", library, source, "-ldl"], {
      encoding: "utf8",
    });
    if (status !== 0)
      throw new Error(
        `the faulty disk could not be compiled (a C compiler is needed as "cc"): ${error?.message ?? stderr}`,
      );
    return new FaultyDisk(dir, library);
  }

  private constructor(dir: string, library: string) {
    this.#orders = join(dir, "orders");
    this.#library = library;
    this.#boot = join(dir, "boot-id");
    mkdirSync(this.#orders, { recursive: true });
    writeFileSync(this.#boot, `${randomUUID()}\n`);
  }

  /** For the broker whose disk it is. */
  get env(): { readonly [name: string]: string } {
    return { LD_PRELOAD: this.#library, HOLDFAST_TEST_DISK: this.#orders };
  }

  /** The same for one whose power will be lost. */
  get shadowingEnv(): { readonly [name: string]: string } {
    return { ...this.env, HOLDFAST_TEST_SHADOWS: "1", HOLDFAST_TEST_BOOT: this.#boot };
  }

  /** Of the run of the machine that a broker finds there. */
  get bootId(): string {
    return readFileSync(this.#boot, "utf8").trim();
  }

  /**
   * What the disk has when the power goes: the files as they were synced last, and the machine is started anew. All
   * processes must be gone. The ledger is left as it is, for nobody may believe it.
   */
  losePower(database: string): void {
    writeFileSync(this.#boot, `${randomUUID()}\n`);
    for (const file of [database, `${database}-wal`]) {
      rmSync(file, { force: true });
      if (existsSync(`${file}.shadow`)) copyFileSync(`${file}.shadow`, file);
    }
    for (const file of [`${database}.stale`, `${database}-wal.stale`, `${database}-shm`]) rmSync(file, { force: true });
  }

  /** The next sync of such a file stands still before it reaches the disk. Resolves with the process that stands. */
  async stopAtSync(file: string, doing: () => void): Promise<KnownProcess> {
    this.#order("sync", `stop ${file}`);
    doing();
    const pid = await this.#taken("sync");
    return until(`process ${pid} to stand still at its sync`, () => stateOf(pid) === "T" && known(pid));
  }

  /** The next sync of such a file fails. Resolves when it has. */
  async failSync(file: string, doing: () => void): Promise<void> {
    this.#order("sync", `eio ${file}`);
    doing();
    await this.#taken("sync");
  }

  /** Every write to such a file finds the disk full, until `makeRoom`. */
  fill(file: string): void {
    this.#order("write", `full ${file}`);
  }

  /** This process hears of no signal that the broker sends it, as one does inside a system call that does not return. */
  hang({ pid }: KnownProcess): void {
    this.#order("kill", `${pid}`);
  }

  /** Such a file lies on a file system that has become read-only, until `makeRoom`: the kernel has found it damaged. */
  freeze(file: string): void {
    this.#order("write", `readonly ${file}`);
  }

  makeRoom(): void {
    rmSync(join(this.#orders, "write"), { force: true });
  }

  #order(name: string, text: string): void {
    const path = join(this.#orders, name);
    rmSync(`${path}.taken`, { force: true });
    writeFileSync(`${path}.draft`, text);
    renameSync(`${path}.draft`, path);
  }

  #taken(name: string): Promise<number> {
    const path = join(this.#orders, `${name}.taken`);
    return until(`a ${name} that obeys the order`, () => {
      return existsSync(path) && Number(readFileSync(path, "utf8"));
    });
  }
}
