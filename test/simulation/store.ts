/**
 * The shared database and its processes as the broker meets them: what a writer has committed stays, whoever dies; a
 * writer works in groups, stalls, is killed at any point of a group; readers answer or die. It outlives the broker.
 */
import type { Parcel, StoreEvent, StoreJob } from "../../src/core/index.js";
import { decodeFrame, encodeBody, encodeNotification } from "../../src/protocol/index.js";
import { StoreBody, StoreRequest, StreamPiece } from "../../src/store/index.js";
import { FakeReaders } from "../core/support/fake-readers.js";
import { FakeSnapshots, type StreamSpelling } from "../core/support/fake-snapshots.js";
import { type Death, FakeWriter, type Spelling } from "../core/support/fake-writer.js";
import { parcel, seqOf, type TestParcel } from "../core/support/values.js";
import type { Agenda, Appointment } from "./agenda.js";
import type { Random } from "./random.js";
import type { Rates } from "./rates.js";
import { ToldTables } from "./told-tables.js";
import { committing } from "./transaction.js";

export interface StoreParts {
  readonly agenda: Agenda;
  readonly random: Random;
  readonly rates: () => Rates;
  /** An event for the broker that is there. */
  readonly tell: (event: StoreEvent) => void;
  readonly walBytesMax: number;
  readonly changedKeysMax: number;
  readonly tablesTakenUpMax: number;
}

const startMs = 40;
const readMs = 2;
const slowDiskMs = 100;
/** No message of a stream has more. */
const rowBytesMax = 100;

/** A write is `insert … values (WHAT, MARKS)`; a read is `select WHAT`; a savepoint is called as it says. */
function whatIn(request: Parcel): TestParcel {
  if (!(request instanceof StoreRequest)) throw new Error("a parcel that is no request of the store");
  const { size } = request;
  const { args = [], tx, sql = "", key } = paramsOf(request);
  const [, to, savepoint] = /^(savepoint|release) (.*)$/.exec(sql) ?? [];
  if (savepoint !== undefined) return parcel(savepoint, { size, as: to as "savepoint" | "release" });
  const [what = tx === undefined ? "settle" : committing(tx), ...marks] = args;
  const is = (mark: string) => marks.includes(mark);
  const as = sql.startsWith("select") ? "read" : undefined;
  const ownKey = typeof key === "string" ? key : undefined;
  return parcel(what, { size, as, fails: is("fails"), ends: is("ends"), endless: is("endless"), ownKey });
}

/** Of which transaction it is. */
export function transactionOf(request: Parcel): number | undefined {
  return paramsOf(request as StoreRequest).tx;
}

interface Params {
  readonly sql?: string;
  readonly args?: readonly string[];
  readonly stream?: number;
  readonly tx?: number;
  readonly key?: number | string;
}

function paramsOf(request: StoreRequest): Params {
  const frame = decodeFrame(request.raw, request.encoding);
  if (frame.kind !== "request") throw new Error("a request that cannot be read again");
  return frame.params as Params;
}

function bodyOf(content: object, parcelOfIt: Parcel): StoreBody {
  const { encoding } = parcelOfIt as StoreRequest;
  return new StoreBody(encodeBody(content, encoding), encoding);
}

function resultOf(what: string): object {
  return { columns: ["what"], rows: [[what]], rowsAffected: 1, lastInsertRowid: null };
}

const asOnTheWire: Spelling = {
  whatOf: memoised(whatIn),
  did: (what, request) => bodyOf(resultOf(what), request),
  committed: (_, request) => bodyOf({ seq: 1 }, request),
  saw: (what, request, ...seen) => bodyOf({ ...resultOf(what), rows: [[what, ...seen]] }, request),
  outcomes: (keys, request) => {
    const outcomes = keys.map(({ key, did }) =>
      did === undefined
        ? { key, outcome: "never", resultKept: false }
        : { key, outcome: "applied", resultKept: true, result: resultOf(did) },
    );
    return bodyOf({ outcomes }, request);
  },
};

/** Each row says of which stream it is, its place, and what its snapshot shows: one that is missing, or another's, is seen. */
const streamsOnTheWire: StreamSpelling = {
  whatOf: asOnTheWire.whatOf,
  saw: asOnTheWire.saw,
  columns: (_, request) =>
    bodyOf({ stream: paramsOf(request as StoreRequest).stream, columns: ["what", "n"] }, request),
  row: (what, number, request, { shows }) => {
    const { encoding } = request as StoreRequest;
    const { stream } = paramsOf(request as StoreRequest);
    return new StreamPiece(encodeNotification("db.rows", { stream, rows: [[what, number, shows]] }, encoding));
  },
};

function memoised(look: (request: Parcel) => TestParcel): (request: Parcel) => TestParcel {
  const known = new WeakMap<Parcel, TestParcel>();
  return (request) => {
    let found = known.get(request);
    if (found === undefined) {
      found = look(request);
      known.set(request, found);
    }
    return found;
  };
}

export const whatOf = asOnTheWire.whatOf;

export class Store {
  readonly writer: FakeWriter;
  readonly tables: ToldTables;
  readers = this.#noReaders();
  snapshots = this.#noSnapshots();
  readonly #parts: StoreParts;
  #working: Appointment | undefined;
  /** The first of the writer's row has been running since then. */
  #headSince = 0;
  #head: number | undefined;
  readonly #readersDue = new Map<number, Appointment>();
  readonly #snapshotsDue = new Map<number, Appointment>();
  /** Of what belongs to a broker that is gone nothing is told any more. */
  #life = 0;

  constructor(parts: StoreParts) {
    this.#parts = parts;
    const { random } = parts;
    this.writer = new FakeWriter(random.below(100), random.pick([6, 40, 1_000_000]), asOnTheWire);
    this.writer.bootId = "boot 1";
    const { changedKeysMax: keysMax, tablesTakenUpMax } = parts;
    this.tables = new ToldTables({ random, keysMax, tablesTakenUpMax, writer: this.writer });
    this.writer.onCommitted = (seq, applied) => this.tables.committed(seq, applied);
  }

  // ── as the front has it ───────────────────────────────────────────────────────────────────────────────────────────

  obey(job: StoreJob): void {
    if (job.to === "writer") {
      this.writer.obey(job);
      return;
    }
    const begins = job.kind === "start" || job.kind === "read" || job.kind === "begin" || this.#looksAnew(job);
    // Where none could be had reads go on, whatever becomes of the next try.
    if (begins && this.writer.state === "starting" && !this.writer.unavailable)
      throw new Error(`a ${job.to} was to ${job.kind} while the writer settles what was in doubt`);
    if (job.to === "snapshot") return this.snapshots.obey(job);
    // It is gone, and the word of it is on its way.
    if (job.kind !== "start" && !this.readers.all.has(job.reader)) return;
    this.readers.obey(job);
  }

  /** What a transaction streams is of the moment that it sees already. */
  #looksAnew(job: StoreJob): boolean {
    return job.kind === "stream" && this.snapshots.all.get(job.process)?.moment === undefined;
  }

  flush(): void {
    this.#obeyWriterJobs();
    this.#noteHead();
    this.#work();
    this.#workReaders();
    this.#workSnapshots();
  }

  // ── as the world has it ───────────────────────────────────────────────────────────────────────────────────────────

  /** The writer, or the next one, is to be there in a while. */
  start(): void {
    const { random } = this.#parts;
    this.#cancelWork();
    this.#later(random.exponential(startMs), () => {
      if (this.writer.state === "ready") return;
      const { writerUnavailable } = this.#parts.rates();
      if (random.chance(writerUnavailable)) this.#parts.tell(this.writer.refuse());
      else this.#writerReady();
    });
  }

  killWriter(asked: boolean): void {
    const { writer } = this;
    if (writer.state !== "ready") return;
    this.#cancelWork();
    const death = this.#drawDeath();
    if (!asked) writer.taken("kill");
    const gone = writer.die(death, this.#parts.agenda.now);
    for (const said of this.tables.died()) this.#parts.tell(said);
    this.#later(this.#parts.random.exponential(1), () => this.#parts.tell(gone));
  }

  killReader(): void {
    const seats = [...this.readers.all.values()];
    if (seats.length > 0) this.#readerGone(this.#parts.random.pick(seats).id);
  }

  killSnapshot(): void {
    const seats = [...this.snapshots.all.values()];
    if (seats.length > 0) this.#snapshotGone(this.#parts.random.pick(seats).id);
  }

  /** Something reads from the log, and is not being ended. */
  get reads(): boolean {
    for (const { runs, stream } of this.snapshots.all.values())
      if (runs.length > 0 || stream !== undefined) return true;
    for (const { row, killed } of this.readers.all.values()) if (row.length > 0 && killed === undefined) return true;
    return false;
  }

  /** The broker is gone. Its writer goes on for a while with what it has read already, and is killed then. */
  orphaned(): void {
    const { writer } = this;
    const { random, agenda } = this.#parts;
    this.#life++;
    this.#cancelWork();
    for (const due of this.#readersDue.values()) this.#parts.agenda.cancel(due);
    for (const due of this.#snapshotsDue.values()) this.#parts.agenda.cancel(due);
    this.#readersDue.clear();
    this.#snapshotsDue.clear();
    this.readers = this.#noReaders();
    this.snapshots = this.#noSnapshots();
    if (writer.state === "ready")
      writer.die({ jobs: random.below(writer.runnable + 1), phase: "committed" }, agenda.now);
    writer.state = "none";
    writer.unavailable = false;
    writer.asked.length = 0;
    this.tables.forget();
  }

  // ── the writer ────────────────────────────────────────────────────────────────────────────────────────────────────

  #writerReady(): void {
    this.tables.forget();
    this.#parts.tell(this.writer.ready());
    this.#head = undefined;
    this.#noteHead();
  }

  #obeyWriterJobs(): void {
    const { writer } = this;
    const { random, tell } = this.#parts;
    if (writer.asked.length === 0) return;
    if (writer.taken("start").length > 0) this.start();
    if (writer.taken("kill").length > 0) this.#later(random.exponential(1), () => this.killWriter(true));
    for (const job of writer.taken("reserve"))
      this.#later(random.exponential(5), () => {
        if (writer.state === "ready") tell(writer.reserve(job));
      });
    for (const _ of writer.taken("checkpoint"))
      this.#later(random.exponential(20), () => {
        writer.walBytes = 0;
        if (writer.state === "ready") tell({ kind: "checkpointed", walBytes: 0, complete: true });
      });
    if (writer.taken("probe").length > 0)
      this.#later(random.exponential(1), () => {
        if (writer.state !== "ready") return;
        const head = writer.waiting[0];
        this.#noteHead();
        const phase = head === undefined ? "idle" : "running";
        const progress = { seq: head?.seq ?? seqOf(0), phase, since: this.#headSince } as const;
        tell({ kind: "writer-progress", progress });
      });
    for (const job of writer.taken("watch")) {
      this.tables.asked(job);
      this.#later(random.exponential(1), () => this.#watch());
    }
    writer.taken("forget");
    writer.taken("end-session");
  }

  #work(): void {
    const { writer } = this;
    const { random, rates, agenda } = this.#parts;
    if (this.#working !== undefined || writer.state !== "ready" || writer.runnable === 0) return;
    const slowMs = random.chance(rates().slowDisk) ? random.exponential(slowDiskMs) : 0;
    this.#working = agenda.after(random.exponential(rates().writeMs) + slowMs, () => {
      this.#working = undefined;
      if (writer.state !== "ready" || writer.runnable === 0) return;
      if (random.chance(0.05)) writer.walBytes = random.pick([0, this.#parts.walBytesMax + 1]);
      writer.times = { ranMs: random.exponential(2), committedMs: random.exponential(2) };
      this.#watch();
      const settled = writer.settle(1 + random.below(writer.runnable));
      for (const said of this.tables.take()) this.#parts.tell(said);
      this.#noteHead();
      this.#parts.tell(settled);
      this.#watch();
      this.#work();
    });
  }

  /** While a transaction is open it is not for the house. */
  #watch(): void {
    const { writer } = this;
    if (writer.state !== "ready" || writer.inTransaction) return;
    for (const said of this.tables.takeUp()) this.#parts.tell(said);
  }

  #cancelWork(): void {
    this.#parts.agenda.cancel(this.#working);
    this.#working = undefined;
  }

  #drawDeath(): Death {
    const { writer } = this;
    const { random, rates } = this.#parts;
    const runnable = writer.runnable;
    const committed = random.below(runnable + 1);
    const running = Math.min(writer.waiting.length, 1 + random.below(runnable + 1));
    const phase = random.pick(["running", "committing", "committed", "idle"] as const);
    const jobs = phase === "committed" || phase === "committing" ? committed : running;
    return {
      jobs,
      phase: jobs === 0 ? "idle" : phase,
      blind: random.chance(0.1),
      ioFailed: random.chance(rates().diskFailure),
    };
  }

  #noteHead(): void {
    const seq = this.writer.waiting[0]?.seq;
    if (seq !== this.#head) this.#headSince = this.#parts.agenda.now;
    this.#head = seq;
  }

  // ── the readers ───────────────────────────────────────────────────────────────────────────────────────────────────

  #workReaders(): void {
    for (const { id, state, row, begun, killed } of this.readers.all.values()) {
      if (this.#readersDue.has(id)) continue;
      const head = row[0];
      if (killed !== undefined) this.#readerIn(id, 5, () => this.#readerGone(id));
      else if (state === "starting") this.#readerIn(id, startMs, () => this.#parts.tell(this.readers.ready(id)));
      else if (head !== undefined && head.read % 3 === 0 && begun !== head.read)
        this.#readerIn(id, readMs, () => this.#parts.tell(this.readers.begins(id)));
      else if (head !== undefined && !whatOf(head.parcel).endless)
        this.#readerIn(id, readMs, () => this.#parts.tell(this.readers.answer(id)));
    }
  }

  /** What they show is what is there as early as they could look. */
  #noReaders(): FakeReaders {
    return new FakeReaders(asOnTheWire, () => this.writer.applied.length);
  }

  #readerIn(id: number, meanMs: number, go: () => void): void {
    const { agenda, random } = this.#parts;
    const due = agenda.after(random.exponential(meanMs), () => {
      this.#readersDue.delete(id);
      const seat = this.readers.all.get(id);
      if (seat === undefined) return;
      // It was killed while it worked.
      if (seat.killed !== undefined) this.#readerGone(id);
      else go();
      this.#workReaders();
    });
    this.#readersDue.set(id, due);
  }

  #readerGone(id: number): void {
    this.#parts.agenda.cancel(this.#readersDue.get(id));
    this.#readersDue.delete(id);
    this.#parts.tell(this.readers.gone(id));
  }

  // ── the processes for snapshots ───────────────────────────────────────────────────────────────────────────────────

  #workSnapshots(): void {
    for (const { id, state, runs, stream, ends, killed } of this.snapshots.all.values()) {
      if (this.#snapshotsDue.has(id)) continue;
      const head = runs[0];
      // What does not end is not interrupted either: only its kill ends it.
      const stuck = head !== undefined && head.kind !== "begin" && whatOf(head.parcel).endless;
      if (killed !== undefined) this.#snapshotIn(id, 5, () => this.#snapshotGone(id));
      else if (state === "starting") this.#snapshotIn(id, startMs, () => this.#parts.tell(this.snapshots.ready(id)));
      else if (stuck) continue;
      else if (head !== undefined) this.#snapshotIn(id, readMs, () => this.#parts.tell(this.snapshots.answer(id)));
      else if (ends) this.#snapshotIn(id, 1, () => this.#parts.tell(this.snapshots.cleared(id)));
      else if (stream !== undefined && (stream.closed || !stream.saysWaiting))
        this.#snapshotIn(id, readMs, () => this.#flow(id));
    }
  }

  #noSnapshots(): FakeSnapshots {
    return new FakeSnapshots(streamsOnTheWire, () => ({
      writes: this.writer.applied.length,
      commits: this.writer.commits,
    }));
  }

  /** A row, if there is credit for it; the end at any time. */
  #flow(id: number): void {
    const { random, tell } = this.#parts;
    const { stream, ends } = this.snapshots.get(id);
    if (stream === undefined || ends) return;
    if (stream.closed || random.chance(0.15)) return tell(this.snapshots.streamed(id));
    const { credit, given } = stream;
    if (credit >= rowBytesMax || (credit === given && given < rowBytesMax)) return tell(this.snapshots.rows(id));
    tell(this.snapshots.waits(id));
  }

  #snapshotIn(id: number, meanMs: number, go: () => void): void {
    const { agenda, random } = this.#parts;
    const due = agenda.after(random.exponential(meanMs), () => {
      this.#snapshotsDue.delete(id);
      const seat = this.snapshots.all.get(id);
      if (seat === undefined) return;
      if (seat.killed !== undefined) this.#snapshotGone(id);
      else go();
      this.#workSnapshots();
    });
    this.#snapshotsDue.set(id, due);
  }

  #snapshotGone(id: number): void {
    this.#parts.agenda.cancel(this.#snapshotsDue.get(id));
    this.#snapshotsDue.delete(id);
    this.#parts.tell(this.snapshots.gone(id));
  }

  #later(ms: number, go: () => void): void {
    const life = this.#life;
    this.#parts.agenda.after(ms, () => {
      if (life === this.#life) go();
    });
  }
}
