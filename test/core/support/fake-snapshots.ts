/** The processes for snapshots that a test plays: each has what one session asks of it, answers in order, or dies. */
import type { Job, Parcel, SnapshotEvent } from "../../../src/core/index.js";
import { type Refusal, refuse, snapshotProcessId } from "../../../src/terms/index.js";
import { type Savepoints, setOrEnd } from "./savepoints.js";
import { parcel, seqOf, type TestParcel, whatOf } from "./values.js";

type SnapshotJob = Extract<Job, { to: "snapshot" }>;
type Asked = Extract<SnapshotJob, { kind: "begin" | "run" | "stream" }>;

/** How what is asked is read, and what is answered is written. */
export interface StreamSpelling {
  readonly whatOf: (parcel: Parcel) => TestParcel;
  readonly columns: (what: string, parcel: Parcel) => unknown;
  /** `shows`: how many writes its snapshot has. */
  readonly saw: (what: string, parcel: Parcel, shows: number, own: number) => unknown;
  /** A message of so many bytes with the row of this number. */
  readonly row: (what: string, number: number, parcel: Parcel, is: { bytes: number; shows: number }) => Parcel;
}

/** What is there for a snapshot: how many writes, and how many commits. */
export interface Moment {
  readonly writes: number;
  readonly commits: number;
}

const plain: StreamSpelling = {
  whatOf,
  columns: (what) => `columns of ${what}`,
  saw: (what) => `saw ${what}`,
  row: (what, number, _, { bytes: size }) => parcel(`${what} ${number}`, { size }),
};

interface Flowing {
  readonly run: number;
  readonly what: string;
  readonly parcel: Parcel;
  credit: number;
  given: number;
  sent: number;
  /** Nothing more comes of itself. */
  saysWaiting: boolean;
  /** Its client wants no more of it. */
  closed: boolean;
}

export interface FakeSnapshot {
  readonly id: number;
  state: "starting" | "ready";
  /** Not answered, in order. */
  readonly runs: Asked[];
  stream: Flowing | undefined;
  /** What is open in it shows; as early as it may be, when it was asked to open it. */
  moment: Moment | undefined;
  readonly savepoints: Savepoints;
  /** It was told to end whatever is open. */
  ends: boolean;
  /** Why the core has it killed. */
  killed: string | undefined;
}

export class FakeSnapshots {
  readonly all = new Map<number, FakeSnapshot>();
  /** What a snapshot that is opened now has seen. */
  commits = 0;
  readonly #spelling: StreamSpelling;
  readonly #moment: (() => Moment) | undefined;

  /** Without a moment all snapshots show the same, and `commits` is looked at when one is open. */
  constructor(spelling = plain, moment?: () => Moment) {
    this.#spelling = spelling;
    this.#moment = moment;
  }

  obey(job: SnapshotJob): void {
    if (job.kind === "start") {
      const fresh = { runs: [], stream: undefined, moment: undefined, savepoints: [], ends: false, killed: undefined };
      this.all.set(job.process, { id: job.process, state: "starting", ...fresh });
      return;
    }
    const snapshot = this.all.get(job.process);
    if (snapshot === undefined) return;
    if (job.kind === "kill") snapshot.killed = job.why;
    else if (snapshot.state !== "ready" || snapshot.killed !== undefined)
      throw new Error(`snapshot ${job.process} was told to ${job.kind} while it is ${snapshot.killed ?? "starting"}`);
    else if (snapshot.ends) throw new Error(`snapshot ${job.process} was told to ${job.kind} after its end`);
    else this.#told(snapshot, job);
  }

  #told(snapshot: FakeSnapshot, job: Exclude<SnapshotJob, { kind: "start" | "kill" }>): void {
    switch (job.kind) {
      case "begin":
      case "run":
      case "stream":
        this.#looks(snapshot, job);
        snapshot.runs.push(job);
        return;
      case "credit":
        if (snapshot.stream?.run !== job.run) return;
        snapshot.stream.credit += job.bytes;
        snapshot.stream.given += job.bytes;
        snapshot.stream.saysWaiting = false;
        return;
      case "close":
        if (snapshot.stream?.run === job.run) snapshot.stream.closed = true;
        return;
      case "end":
        snapshot.ends = true;
    }
  }

  /** A stream may be one by itself, and what runs is of what was begun. */
  #looks(snapshot: FakeSnapshot, { kind, process }: Asked): void {
    if (this.#moment === undefined) return;
    const isOpen = snapshot.moment !== undefined;
    if (kind !== "stream" && isOpen !== (kind === "run"))
      throw new Error(`snapshot ${process} was told to ${kind}, and it has ${isOpen ? "one" : "none"} open`);
    snapshot.moment ??= this.#moment();
  }

  ready(id: number): SnapshotEvent {
    this.get(id).state = "ready";
    return { kind: "snapshot-ready", process: snapshotProcessId(id) };
  }

  /** The first thing asked of it is answered. */
  answer(id: number): SnapshotEvent {
    const snapshot = this.get(id);
    const process = snapshotProcessId(id);
    const job = snapshot.runs.shift();
    if (job === undefined) throw new Error(`snapshot ${id} has nothing to answer`);
    const { writes, commits } = snapshot.moment ?? { writes: 7, commits: this.commits };
    if (job.kind === "begin") return { kind: "snapshot-begun", process, run: job.run, seq: seqOf(writes), commits };
    const { run, parcel: asked } = job;
    const { what, fails, ends, as } = this.#spelling.whatOf(asked);
    if (fails || ends) {
      const refusal = refuse("SQLITE_ERROR", `${what} failed`);
      return { kind: "snapshot-answered", process, run, answer: { kind: "refused", refusal, ended: ends } };
    }
    if (as === "savepoint" || as === "release") setOrEnd(snapshot.savepoints, what, as);
    if (job.kind === "run")
      return {
        kind: "snapshot-answered",
        process,
        run,
        answer: { kind: "done", body: this.#spelling.saw(what, asked, writes, 0) },
      };
    const { credit } = job;
    snapshot.stream = { run, what, parcel: asked, credit, given: credit, sent: 0, saysWaiting: false, closed: false };
    const body = this.#spelling.columns(what, asked);
    return { kind: "snapshot-answered", process, run, answer: { kind: "done", body } };
  }

  /** One message of so many bytes, with one row. */
  rows(id: number, bytes = 100): SnapshotEvent {
    const stream = this.#streamOf(id);
    stream.sent++;
    const { run, sent, what, parcel: asked } = stream;
    const message = this.#spelling.row(what, sent, asked, { bytes, shows: this.get(id).moment?.writes ?? 0 });
    stream.credit -= message.size;
    return { kind: "snapshot-rows", process: snapshotProcessId(id), run, rows: sent, message };
  }

  waits(id: number): SnapshotEvent {
    const stream = this.#streamOf(id);
    stream.saysWaiting = true;
    const { run, given: credit } = stream;
    return { kind: "snapshot-waits", process: snapshotProcessId(id), run, credit };
  }

  streamed(id: number, refusal?: Refusal): SnapshotEvent {
    const { run } = this.#streamOf(id);
    this.get(id).stream = undefined;
    return { kind: "snapshot-streamed", process: snapshotProcessId(id), run, refusal };
  }

  cleared(id: number): SnapshotEvent {
    const snapshot = this.get(id);
    if (!snapshot.ends) throw new Error(`snapshot ${id} was not told to end`);
    snapshot.ends = false;
    snapshot.runs.length = 0;
    snapshot.stream = undefined;
    snapshot.moment = undefined;
    snapshot.savepoints.length = 0;
    return { kind: "snapshot-cleared", process: snapshotProcessId(id) };
  }

  gone(id: number, reason = "killed"): SnapshotEvent {
    this.all.delete(id);
    return { kind: "snapshot-gone", process: snapshotProcessId(id), reason };
  }

  /** Who has this stream, or is to open it. */
  of(what: string): FakeSnapshot {
    const found = [...this.all.values()].find(
      ({ runs, stream }) =>
        stream?.what === what ||
        runs.some((job) => job.kind !== "begin" && this.#spelling.whatOf(job.parcel).what === what),
    );
    if (found === undefined) throw new Error(`nobody streams ${what}`);
    return found;
  }

  get(id: number): FakeSnapshot {
    const found = this.all.get(id);
    if (found === undefined) throw new Error(`there is no snapshot ${id}`);
    return found;
  }

  #streamOf(id: number): Flowing {
    const { stream } = this.get(id);
    if (stream === undefined) throw new Error(`snapshot ${id} has no stream`);
    return stream;
  }
}
