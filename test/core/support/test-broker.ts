/**
 * The core with a front, a store and an operating system that a test plays, on a clock that the test moves. After every
 * command the core's own check runs and the turn is obeyed as the real front obeys it: rows, jobs, letters.
 */
import {
  type ChangedTable,
  type Command,
  Core,
  type Job,
  type Letter,
  type Memory,
  type StoreEvent,
  type Turn,
} from "../../../src/core/index.js";
import { type ConnectionId, type Instant, type Limits, limitsWith, type Token } from "../../../src/terms/index.js";
import { FakeReaders } from "./fake-readers.js";
import { FakeSnapshots } from "./fake-snapshots.js";
import { type Death, FakeWriter } from "./fake-writer.js";
import { LedgerRows } from "./ledger-rows.js";
import { TestClient } from "./test-client.js";
import { at, seqOf } from "./values.js";

export interface TestBrokerOptions {
  readonly limits?: { readonly [name: string]: number };
  readonly memory?: Partial<Memory>;
  readonly writer?: FakeWriter;
  readonly ledger?: LedgerRows;
  readonly startMs?: number;
  /** The writer is ready and so are the readers (the standard), or nothing has happened yet. */
  readonly started?: boolean;
}

const noMemory: Memory = { sessions: [], grants: [], waiters: [], capacities: [], tokensAbove: 0, graceMs: 0 };
let clients = 0;

export class TestBroker {
  readonly limits: Limits;
  readonly core: Core;
  readonly writer: FakeWriter;
  readonly readers = new FakeReaders();
  readonly snapshots = new FakeSnapshots();
  readonly ledger: LedgerRows;
  /** When the front has last heard of a connection, where that is not with its last command. */
  readonly heardAt = new Map<ConnectionId, number>();
  /** Connections that the front itself does not read now. */
  readonly unread = new Set<ConnectionId>();
  /** Processes that the core wants ended, by the token that they carry. */
  readonly ending = new Map<number, Extract<Job, { kind: "end-processes" }>>();
  readonly probes: Extract<Job, { kind: "probe-process" }>[] = [];
  /** Every letter, in order; clients find theirs here. */
  readonly letters: Letter[] = [];
  readonly turns: Turn[] = [];
  now: Instant;

  constructor(options: TestBrokerOptions = {}) {
    this.limits = limitsWith(options.limits);
    this.writer = options.writer ?? new FakeWriter();
    this.ledger = options.ledger ?? new LedgerRows();
    this.now = at(options.startMs ?? 1000);
    this.core = new Core(this.limits, seqOf(this.writer.storedSeq));
    this.core.restore({ ...noMemory, ...options.memory }, this.now);
    this.#obey();
    if (options.started ?? true) this.start();
  }

  /** The writer's first word, and the readers that are started then. */
  start(): void {
    this.#from(this.writer.ready());
    this.startReaders();
  }

  startReaders(): void {
    for (const { id, state } of [...this.readers.all.values()])
      if (state === "starting") this.#from(this.readers.ready(id));
  }

  /** A client that has said hello to a session of its own. */
  client(program?: string, hello: Parameters<TestClient["hello"]>[0] = {}): TestClient {
    const client = this.stranger(program);
    client.hello(hello);
    return client;
  }

  /** A client that is connected and has said nothing. */
  stranger(program?: string): TestClient {
    clients++;
    const made = new TestClient(this, clients, program ?? `client ${clients}`);
    made.connect();
    return made;
  }

  do(command: Command): readonly Letter[] {
    this.core.handle(command, this.now);
    return this.#obey();
  }

  // ── the store ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The writer answers the first `jobs` of what it has: all, unless said otherwise. */
  settle(jobs?: number): readonly Letter[] {
    return this.#from(this.writer.settle(jobs));
  }

  /** The writer watches what it was told to watch last. */
  watched(
    upTo: number,
    found: { absent?: string[]; wrong?: { table: string; what: string }[] } = {},
  ): readonly Letter[] {
    const last = this.writer.taken("watch").at(-1);
    if (last === undefined) throw new Error("the writer was not told to watch anything");
    const { absent = [], wrong = [] } = found;
    return this.#from({ kind: "tables-watched", set: last.set, upTo: seqOf(upTo), absent, wrong });
  }

  /** A commit has changed these tables. */
  changed(at: number, tables: readonly (string | ChangedTable)[], outside = false): readonly Letter[] {
    const rows = tables.map((one) =>
      typeof one === "string" ? { table: one, inserts: 1, updates: 0, deletes: 0 } : one,
    );
    return this.#from({ kind: "tables-changed", seq: seqOf(at), outside, tables: rows, bytes: 100 });
  }

  killWriter(death: Death): readonly Letter[] {
    return this.#from(this.writer.die(death, this.now));
  }

  writerReady(): readonly Letter[] {
    const letters = this.#from(this.writer.ready());
    this.startReaders();
    return letters;
  }

  /** The reader that runs this read answers it. */
  read(what: string): readonly Letter[] {
    const reader = this.readers.running(what);
    if (reader === undefined) throw new Error(`nobody runs ${what}`);
    return this.#from(this.readers.answer(reader.id));
  }

  readerGone(id: number, reason?: string): readonly Letter[] {
    return this.#from(this.readers.gone(id, reason));
  }

  /** Those that the core had killed are gone. */
  buryReaders(): void {
    for (const { id, killed } of [...this.readers.all.values()]) if (killed !== undefined) this.readerGone(id);
  }

  startSnapshots(): void {
    for (const { id, state } of [...this.snapshots.all.values()])
      if (state === "starting") this.do(this.snapshots.ready(id));
  }

  /** The process that was asked for something answers the first of it. */
  answersSnapshot(): readonly Letter[] {
    const asked = [...this.snapshots.all.values()].find(({ runs, killed }) => runs.length > 0 && killed === undefined);
    if (asked === undefined) throw new Error("no process with a snapshot has anything to answer");
    return this.do(this.snapshots.answer(asked.id));
  }

  /** The process that is to open this stream has done so. */
  opens(what: string): readonly Letter[] {
    return this.do(this.snapshots.answer(this.snapshots.of(what).id));
  }

  /** A message of so many bytes, with one row. */
  rows(what: string, bytes = 100): readonly Letter[] {
    return this.do(this.snapshots.rows(this.snapshots.of(what).id, bytes));
  }

  /** The last row was sent. */
  streamEnds(what: string): readonly Letter[] {
    return this.do(this.snapshots.streamed(this.snapshots.of(what).id));
  }

  /** Those that were told to end what is open in them have done so. */
  clearSnapshots(): void {
    for (const { id, ends, killed } of [...this.snapshots.all.values()])
      if (ends && killed === undefined) this.do(this.snapshots.cleared(id));
  }

  /** Those that the core had killed are gone. */
  burySnapshots(): void {
    for (const { id, killed } of [...this.snapshots.all.values()])
      if (killed !== undefined) this.do(this.snapshots.gone(id));
  }

  // ── the operating system ──────────────────────────────────────────────────────────────────────────────────────────

  /** No process that carries this token lives any more. */
  processesGone(token: Token): readonly Letter[] {
    if (!this.ending.delete(token)) throw new Error(`nobody waits for the processes of ${token}`);
    return this.do({ kind: "processes-gone", token });
  }

  // ── time ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Lets time pass, deadline by deadline, as the real front sleeps. */
  pass(ms: number): readonly Letter[] {
    const letters: Letter[] = [];
    const end = this.now + ms;
    for (let next = this.core.nextDeadline(this.now); next !== undefined && next <= end; ) {
      this.now = at(Math.max(this.now, next));
      letters.push(...this.#expire());
      const after = this.core.nextDeadline(this.now);
      // A deadline that stays where it is would be a loop without end.
      if (after !== undefined && after <= this.now && after === next)
        throw new Error(`deadline ${after} does not go away`);
      next = after;
    }
    this.now = at(end);
    letters.push(...this.#expire());
    return letters;
  }

  /** The whole broker stands still; it notices before it does anything else. */
  pause(ms: number): readonly Letter[] {
    this.now = at(this.now + ms);
    return this.do({ kind: "paused", ms });
  }

  // ── the turn ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #from(event: StoreEvent): readonly Letter[] {
    return this.do(event);
  }

  #expire(): readonly Letter[] {
    this.core.expire(this.now);
    return this.#obey();
  }

  #obey(): readonly Letter[] {
    this.core.check();
    const turn = this.core.takeTurn();
    this.core.check();
    this.turns.push(turn);
    this.ledger.commit(turn.ledger);
    for (const job of turn.dispatch) {
      if (job.to === "writer") this.writer.obey(job);
      else if (job.to === "reader") this.readers.obey(job);
      else if (job.to === "snapshot") this.snapshots.obey(job);
      else if (job.kind === "probe-process") this.probes.push(job);
      else if (job.kind === "end-processes") this.ending.set(job.token, job);
    }
    this.letters.push(...turn.send);
    return [...turn.send, ...turn.dispatch.flatMap((job) => (job.kind === "look-connection" ? this.#look(job) : []))];
  }

  #look({ session, connection }: Extract<Job, { kind: "look-connection" }>): readonly Letter[] {
    const heardAt = this.unread.has(connection) ? this.now : at(this.heardAt.get(connection) ?? 0);
    return this.do({ kind: "connection-seen", session, connection, heardAt });
  }
}
