/**
 * The store as the front has it: jobs in, events out. It obeys; what is to be done, in which order and by whom, was
 * decided before.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { StoreEvent, StoreJob } from "../../core/index.js";
import type { SnapshotProcessId } from "../../terms/index.js";
import type { Child } from "./child.js";
import { Nursery, type StoreOptions } from "./nursery.js";
import { ReaderPool } from "./pool.js";
import { SnapshotPool } from "./snapshot-pool.js";
import { lookEveryMs } from "./start-watch.js";
import { WriterDesk } from "./writer-desk.js";

export interface StoreProcess {
  readonly role: "writer" | "standby" | "reader" | "snapshot";
  readonly pid: number;
  readonly state: string;
}

/** How long a child may take to leave by itself; a writer folds the log into the database before it does. */
const leaveMsMax = 10_000;
/** And to be gone once it is killed. One that is not is inside a system call; the next front finds it written down. */
const goneMsMax = 10_000;
/**
 * Until the first client has had its answer nobody is started who is to stand by: on two processors three starts at
 * once take three times as long. So long after the first reader is ready, and never longer than so after the beginning.
 */
const spareMs = 300;
const spareMsMax = 2000;

export class Store {
  readonly #nursery: Nursery;
  readonly #writer: WriterDesk;
  readonly #readers: ReaderPool;
  readonly #snapshots: SnapshotPool;
  #spared = false;

  /** `on` hears what happens, never from inside of `obey`. */
  constructor(options: StoreOptions, on: (event: StoreEvent) => void) {
    this.#nursery = new Nursery(options);
    const lookLater = (look: () => void) => void sleep(lookEveryMs, undefined, { ref: false }).then(look);
    this.#writer = new WriterDesk(options, this.#nursery, { on, lookLater });
    this.#readers = new ReaderPool(options, this.#nursery, (event) => {
      if (event.kind === "reader-ready") void this.#spareAfter(spareMs);
      on(event);
    });
    this.#snapshots = new SnapshotPool(options, this.#nursery, on);
    void this.#spareAfter(spareMsMax);
  }

  /** Takes effect with `flush`. */
  obey(job: StoreJob): void {
    if (job.to === "writer") this.#writer.obey(job);
    else if (job.to === "reader") this.#readers.obey(job);
    else this.#snapshots.obey(job);
  }

  /** The client for which this process works has not read what came before; or it has. Takes effect at once. */
  hold(process: SnapshotProcessId, held: boolean): void {
    this.#snapshots.hold(process, held);
  }

  /** What was given since the last time leaves now: one write for each child. */
  flush(): void {
    this.#writer.child?.flush();
    this.#readers.flush();
    this.#snapshots.flush();
  }

  processes(): readonly StoreProcess[] {
    const { child, standby, state } = this.#writer;
    const writers: StoreProcess[] = [];
    if (child !== undefined) writers.push({ role: "writer", pid: child.pid, state });
    if (standby !== undefined) writers.push({ role: "standby", pid: standby.pid, state: "waiting" });
    const readers = this.#readers.children.map(({ child, state }) => ({
      role: "reader" as const,
      pid: child.pid,
      state,
    }));
    const snapshots = this.#snapshots.children.map(({ child, state }) => ({
      role: "snapshot" as const,
      pid: child.pid,
      state,
    }));
    return [...writers, ...readers, ...snapshots];
  }

  /**
   * Ends the children and waits until they are gone; what was not answered by then is not worked off. The readers first,
   * so that the writer is the last to leave the database and can put it in order. No events any more. A child that not
   * even SIGKILL ends is left behind.
   */
  async close(): Promise<void> {
    const { child: writer } = this.#writer;
    this.#readers.close();
    this.#snapshots.close();
    const others = this.#nursery.children.filter((child) => child !== writer);
    for (const child of others) child.end();
    await this.#leave(others);
    this.#writer.close();
    await this.#leave(this.#nursery.children);
    this.#nursery.close();
  }

  async #spareAfter(ms: number): Promise<void> {
    if (this.#spared) return;
    await sleep(ms, undefined, { ref: false });
    if (this.#spared) return;
    this.#spared = true;
    this.#readers.mayHaveMore(this.#writer.state === "ready");
    this.#writer.mayStandBy();
  }

  async #leave(children: readonly Child[]): Promise<void> {
    const left = Promise.all(children.map((child) => child.gone));
    if (await isInTime(left, leaveMsMax)) return;
    for (const child of children) child.kill("it did not leave by itself");
    await isInTime(left, goneMsMax);
  }
}

async function isInTime(what: Promise<unknown>, ms: number): Promise<boolean> {
  const patience = new AbortController();
  const late = sleep(ms, "late", { signal: patience.signal }).catch(() => undefined);
  const first = await Promise.race([what, late]);
  patience.abort();
  return first !== "late";
}
