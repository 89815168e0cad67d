/**
 * One of the eight: walks the directories from its own starting point, takes the lock of each, and writes a row for
 * every file. What somebody else holds is left for the end and then waited for; so a directory whose indexer was
 * killed is found unfinished by the next who gets its lock, and is written again from the start. A row is an upsert:
 * however often it is written, it is there once.
 */
import { type Broker, isHoldfastError, type LockHandle } from "../../client/index.js";
import { Latencies, machineMs } from "./latencies.js";
import { type Assignment, type IndexerCounts, listen, tell } from "./messages.js";
import { connectForDemo } from "./reach.js";
import { hashFile, type IndexedFile, listDirectories, listFiles } from "./tree.js";

/** Directories that one indexer works on at once, and files of each that are under way. */
const directoriesMax = 2;
const filesMax = 4;
/** How often the progress is told, and how old the knowledge of finished directories may be. */
const tellMs = 200;

export const insertFile =
  "INSERT INTO files(path, bytes, sha256) VALUES (?, ?, ?) ON CONFLICT(path) DO UPDATE SET bytes = excluded.bytes, sha256 = excluded.sha256";

export const insertDirectory = "INSERT OR REPLACE INTO directories(path, files, indexer) VALUES (?, ?, ?)";

export async function runIndexer(): Promise<void> {
  let indexer: Indexer | undefined;
  listen((message) => {
    if (message.kind === "begin") {
      indexer = new Indexer(message);
      void indexer.run().catch(fail);
    } else if (message.kind === "stand-in-line") void indexer?.standInLine(message.directory).catch(fail);
    else if (message.kind === "first-write-after") indexer?.watchFirstWrite(message.atMs);
  });
  tell({ kind: "ready" });
}

function fail(error: unknown): void {
  process.stderr.write(
    `holdfast demo: indexer ${process.pid}: ${error instanceof Error ? error.message : String(error)}\n`,
  );
  process.exit(1);
}

class Indexer {
  readonly #assignment: Assignment;
  readonly #writes = new Latencies();
  readonly #done = new Set<string>();
  #doneKnownAt = 0;
  /** Directories that this indexer works on or waits for: none is asked for twice. */
  readonly #mine = new Set<string>();
  #broker!: Broker;
  #files = 0;
  #bytes = 0;
  #directories = 0;
  #waits = 0;
  #waitedMs = 0;
  #firstWriteAfter: number | undefined;
  #side: Promise<void> = Promise.resolve();

  constructor(assignment: Assignment) {
    this.#assignment = assignment;
  }

  async run(): Promise<void> {
    const { tree, home, number, numberMax } = this.#assignment;
    this.#broker = await connectForDemo(home, `indexer ${number + 1}`);
    const timer = setInterval(() => tell({ kind: "counts", counts: this.#counts() }), tellMs);
    const all = listDirectories(tree);
    const start = Math.floor((all.length * number) / numberMax);
    const later: string[] = [];
    await this.#each([...all.slice(start), ...all.slice(0, start)], async (directory) => {
      if (!(await this.#take(directory, { wait: false }))) later.push(directory);
    });
    await this.#each(later, async (directory) => void (await this.#take(directory, { wait: true })));
    await this.#side;
    clearInterval(timer);
    tell({ kind: "counts", counts: this.#counts() });
    await this.#broker.close();
    tell({ kind: "done" });
  }

  /** All of them, a few at a time. */
  async #each(directories: readonly string[], work: (directory: string) => Promise<void>): Promise<void> {
    const queue = directories[Symbol.iterator]();
    const hand = async () => {
      for (const directory of queue) await work(directory);
    };
    await Promise.all(Array.from({ length: directoriesMax }, hand));
  }

  /** The conductor's wish: wait for this directory beside the usual work, so that its lock has somebody to go to. */
  async standInLine(directory: string): Promise<void> {
    const before = this.#side;
    this.#side = this.#take(directory, { wait: true }).then(() => before);
    await this.#side;
  }

  /** False: somebody else has it, and waiting was not wanted. */
  async #take(directory: string, { wait }: { wait: boolean }): Promise<boolean> {
    if (this.#mine.has(directory) || (await this.#isDone(directory))) return true;
    this.#mine.add(directory);
    const taken = (await this.#work(directory, 0)) || (wait && (await this.#waitFor(directory)));
    if (!taken) this.#mine.delete(directory);
    return taken;
  }

  async #waitFor(directory: string): Promise<boolean> {
    this.#waits++;
    const start = machineMs();
    return this.#work(directory, undefined, () => {
      this.#waitedMs += machineMs() - start;
    });
  }

  /**
   * Works on it under its lock. With `withLock`, since this program has several directories in work at once: the broker
   * must not take one of them to be finished only after another is had.
   */
  async #work(directory: string, waitMs: 0 | undefined, granted = () => {}): Promise<boolean> {
    try {
      await this.#broker.withLock(`index/${directory}`, { waitMs, reason: "hashing its files" }, async (lock) => {
        granted();
        const files = listFiles(this.#assignment.tree, directory);
        tell({ kind: "granted", directory, files: files.length, atMs: machineMs() });
        const row = await lock.get("SELECT 1 AS done FROM directories WHERE path = ?", [directory]);
        if (row === undefined) await this.#index(directory, files, lock);
        this.#done.add(directory);
      });
    } catch (error) {
      if (waitMs === 0 && isHoldfastError(error) && error.code === "LOCK_HELD") return false;
      throw error;
    }
    tell({ kind: "left", directory });
    return true;
  }

  /** Every write goes through the lock's handle: were the lock lost, the database would refuse it. */
  async #index(directory: string, files: readonly string[], lock: LockHandle): Promise<void> {
    let written = 0;
    const queue = files[Symbol.iterator]();
    const hand = async () => {
      for (const path of queue) {
        const file = await hashFile(this.#assignment.tree, path);
        if (file === undefined) continue;
        await this.#write(file, lock);
        written++;
      }
    };
    await Promise.all(Array.from({ length: filesMax }, hand));
    await lock.execute(insertDirectory, [directory, written, this.#assignment.number + 1]);
    this.#directories++;
  }

  async #write({ path, bytes, sha256 }: IndexedFile, lock: LockHandle): Promise<void> {
    const sentAt = machineMs();
    await lock.execute(insertFile, [path, bytes, sha256]);
    const atMs = machineMs();
    this.#writes.add(atMs - sentAt);
    this.#files++;
    this.#bytes += bytes;
    if (this.#firstWriteAfter !== undefined && sentAt > this.#firstWriteAfter) {
      tell({ kind: "first-write", afterMs: this.#firstWriteAfter, atMs });
      this.#firstWriteAfter = undefined;
    }
  }

  watchFirstWrite(atMs: number): void {
    this.#firstWriteAfter = atMs;
  }

  async #isDone(directory: string): Promise<boolean> {
    if (this.#done.has(directory)) return true;
    if (machineMs() - this.#doneKnownAt < tellMs) return false;
    this.#doneKnownAt = machineMs();
    for (const { path } of await this.#broker.query("SELECT path FROM directories")) this.#done.add(String(path));
    return this.#done.has(directory);
  }

  #counts(): IndexerCounts {
    return {
      files: this.#files,
      bytes: this.#bytes,
      directories: this.#directories,
      waits: this.#waits,
      waitedMs: this.#waitedMs,
      writes: this.#writes.summary(),
      busy: 0,
    };
  }
}
