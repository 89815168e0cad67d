/** The reader processes that a test plays: each has a row of reads and answers its first, or dies. */
import type { Job, StoreEvent } from "../../../src/core/index.js";
import { plain, type Spelling } from "./fake-writer.js";
import { reader } from "./values.js";

type ReaderJob = Extract<Job, { to: "reader" }>;
type ReadJob = Extract<ReaderJob, { kind: "read" }> & { readonly shows: number };

export interface FakeReader {
  readonly id: number;
  state: "starting" | "ready";
  /** The first one is running. */
  readonly row: ReadJob[];
  /** The last of which it has said that it may be slow. */
  begun: number | undefined;
  /** Why the core has it killed. */
  killed: string | undefined;
  /** The core has asked whether somebody has stopped it, so often. */
  probes: number;
}

export class FakeReaders {
  readonly all = new Map<number, FakeReader>();
  readonly #spelling: Spelling;
  readonly #shows: () => number;

  /** `shows`: how many writes are there for whoever is asked to read now. */
  constructor(spelling = plain, shows = () => 0) {
    this.#spelling = spelling;
    this.#shows = shows;
  }

  obey(job: ReaderJob): void {
    const known = this.all.get(job.reader);
    switch (job.kind) {
      case "start":
        this.all.set(job.reader, {
          ...{ id: job.reader, state: "starting", row: [] },
          ...{ begun: undefined, killed: undefined, probes: 0 },
        });
        return;
      case "probe":
        if (known !== undefined) known.probes++;
        return;
      case "read":
        if (known?.state !== "ready" || known.killed !== undefined)
          throw new Error(`reader ${job.reader} was given a read`);
        known.row.push({ ...job, shows: this.#shows() });
        return;
      case "kill":
        if (known !== undefined) known.killed = job.why;
    }
  }

  ready(id: number): StoreEvent {
    this.#get(id).state = "ready";
    return { kind: "reader-ready", reader: reader(id) };
  }

  /** The first of its row may be slow. */
  begins(id: number): StoreEvent {
    const reader = this.#get(id);
    const job = reader.row[0];
    if (job === undefined) throw new Error(`reader ${id} has nothing to begin`);
    reader.begun = job.read;
    return { kind: "read-begun", reader: job.reader, read: job.read };
  }

  /** The first of its row is answered. */
  answer(id: number): StoreEvent {
    const job = this.#get(id).row.shift();
    if (job === undefined) throw new Error(`reader ${id} has nothing to answer`);
    const body = this.#spelling.saw(this.#what(job), job.parcel, job.shows, 0);
    return { kind: "read-settled", reader: reader(id), read: job.read, answer: { kind: "done", body } };
  }

  gone(id: number, reason = "killed"): StoreEvent {
    this.all.delete(id);
    return { kind: "reader-gone", reader: reader(id), reason };
  }

  /** Who runs this read now, if anyone. */
  running(what: string): FakeReader | undefined {
    return [...this.all.values()].find(({ row }) => row[0] !== undefined && this.#what(row[0]) === what);
  }

  #what(job: ReadJob): string {
    return this.#spelling.whatOf(job.parcel).what;
  }

  #get(id: number): FakeReader {
    const found = this.all.get(id);
    if (found === undefined) throw new Error(`there is no reader ${id}`);
    return found;
  }
}
