/**
 * A store with real children, for tests: jobs are given as the core would give them, events are waited for by name. What
 * is awaited comes, or the test's own bound ends it and says what it was.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { StoreAnswer, StoreEvent, StoreJob } from "../../src/core/index.js";
import { decodeBody, type Encoding, encodeRequest } from "../../src/protocol/index.js";
import { type BegunChild, Store, StoreBody, type StoreOptions, StoreRequest } from "../../src/store/index.js";
import {
  limitsWith,
  type Refusal,
  readerId,
  requestKey,
  type SessionId,
  seq,
  sessionId,
} from "../../src/terms/index.js";
import { type TestLife, tempDir } from "../support/temp-dir.js";

const awaitedMsMax = 30_000;
const out = join(fileURLToPath(import.meta.url), "../../../src/store");
export const entries = { writer: join(out, "writer/writer.main.js"), reader: join(out, "reader/reader.main.js") };

export interface RigOptions {
  readonly dir?: string;
  readonly limits?: { readonly [name: string]: number };
  readonly env?: NodeJS.ProcessEnv;
  readonly execArgv?: readonly string[];
  readonly standby?: boolean;
  readonly begun?: readonly BegunChild[];
  readonly bootId?: string;
  readonly node?: string;
}

/** What a request came to, in plain words. */
export type Answered =
  | { readonly kind: "done"; readonly result: Result }
  | { readonly kind: "refused"; readonly refusal: Refusal; readonly ended?: boolean }
  | { readonly kind: "absent" };

// biome-ignore lint/suspicious/noExplicitAny: a test looks into results of every shape.
export type Result = any;

type Kind = StoreEvent["kind"];
type EventOf<K extends Kind> = Extract<StoreEvent, { kind: K }>;

interface Waiter {
  readonly wants: (event: StoreEvent) => boolean;
  readonly settle: (event: StoreEvent) => void;
}

export interface WriteOptions {
  readonly session?: SessionId;
  readonly key?: number;
  readonly alone?: boolean;
  readonly mode?: "run" | "replay";
  readonly encoding?: Encoding;
}

export interface StepOptions {
  readonly session?: SessionId;
  readonly key?: number | undefined;
  readonly encoding?: Encoding;
}

export const alice = sessionId("a".repeat(32));
export const bob = sessionId("b".repeat(32));

export class StoreRig {
  readonly dir: string;
  readonly places: StoreOptions["places"];
  readonly events: StoreEvent[] = [];
  readonly log: string[] = [];
  readonly store: Store;
  readonly #waiters = new Set<Waiter>();
  #nextSeq = 1;
  #nextRead = 1;

  constructor(life: TestLife, options: RigOptions = {}) {
    this.dir = options.dir ?? tempDir(life);
    const at = (name: string) => join(this.dir, name);
    this.places = {
      database: at("data.db"),
      writerLock: at("data.db.writer.lock"),
      progress: at("writer.progress"),
      children: at("children.json"),
      runDir: this.dir,
    };
    const { env, execArgv = [], standby = false, bootId = "boot-1", node = process.execPath } = options;
    this.store = new Store(
      {
        node,
        entry: entries,
        begun: options.begun,
        places: this.places,
        limits: limitsWith(options.limits),
        bootId,
        nowWall: Date.now,
        log: (_level, fields, text) => this.log.push(`${String(fields["role"])}: ${text}`),
        execArgv,
        env: { ...process.env, ...env },
        standby,
      },
      (event) => this.#hear(event),
    );
  }

  #hear(event: StoreEvent): void {
    this.events.push(event);
    for (const waiter of [...this.#waiters])
      if (waiter.wants(event)) {
        this.#waiters.delete(waiter);
        waiter.settle(event);
      }
  }

  /** The next event of this kind from now on. */
  next<K extends Kind>(kind: K, wants: (event: EventOf<K>) => boolean = () => true): Promise<EventOf<K>> {
    return this.#await(`the event ${kind}`, (event) => event.kind === kind && wants(event as EventOf<K>)) as Promise<
      EventOf<K>
    >;
  }

  #await(what: string, wants: (event: StoreEvent) => boolean): Promise<StoreEvent> {
    return new Promise((settle, reject) => {
      const late = setTimeout(() => {
        this.#waiters.delete(waiter);
        reject(
          new Error(
            `${what} did not come; before it came ${JSON.stringify(this.events.slice(-3))}; log: ${this.log.join(" | ")}`,
          ),
        );
      }, awaitedMsMax);
      // Whatever else keeps the test alive, a wait that nobody looks at any more does not.
      late.unref();
      const waiter: Waiter = {
        wants,
        settle: (event) => {
          clearTimeout(late);
          settle(event);
        },
      };
      this.#waiters.add(waiter);
    });
  }

  obey(...jobs: StoreJob[]): void {
    for (const job of jobs) this.store.obey(job);
    this.store.flush();
  }

  async startWriter(repair = false): Promise<EventOf<"writer-ready">> {
    const ready = this.next("writer-ready");
    const unavailable = this.next("writer-unavailable");
    this.obey({ to: "writer", kind: "start", repair });
    const event = await Promise.race([ready, unavailable]);
    if (event.kind === "writer-unavailable") throw new Error(`no writer: ${event.reason}`);
    this.#forgetWaiters();
    this.#nextSeq = Math.max(this.#nextSeq, event.storedSeq + 1);
    return event;
  }

  async startReader(id = 1): Promise<void> {
    const ready = this.next("reader-ready");
    this.obey({ to: "reader", kind: "start", reader: readerId(id), withoutWriter: false });
    await ready;
  }

  /** Those of a race that was lost. */
  #forgetWaiters(): void {
    for (const waiter of this.#waiters) waiter.settle({ kind: "writer-unavailable", reason: "no longer awaited" });
    this.#waiters.clear();
  }

  /** The job, and its answer when it comes. With `flush` of the store it leaves. */
  give(
    method: "db.execute" | "db.batch" | "db.script" | "tx.commit",
    params: object,
    options: WriteOptions = {},
  ): { seq: number; answer: Promise<Answered> } {
    const { session = alice, key, alone = false, mode = "run", encoding = "json" } = options;
    const at = this.#nextSeq++;
    const raw = encodeRequest(at, method, key === undefined ? params : { ...params, key }, encoding);
    const answer = this.answerTo(at);
    this.store.obey({
      to: "writer",
      kind: "write",
      seq: seq(at),
      mode,
      session,
      key: key === undefined ? undefined : requestKey(key),
      ackedBelow: 0,
      alone,
      parcel: new StoreRequest(method, encoding, raw),
    });
    return { seq: at, answer };
  }

  /** A commit that is only looked up, as any write is. */
  giveCommit(params: object, options: WriteOptions): { seq: number; answer: Promise<Answered> } {
    return this.give("tx.commit", params, options);
  }

  write(
    method: "db.execute" | "db.batch" | "db.script",
    params: object,
    options: WriteOptions = {},
  ): Promise<Answered> {
    const { answer } = this.give(method, params, options);
    this.store.flush();
    return answer;
  }

  execute(sql: string, args: readonly unknown[] = [], options: WriteOptions = {}): Promise<Answered> {
    return this.write("db.execute", { sql, args }, options);
  }

  /** All in one turn, so that they come to the writer together. */
  together(
    requests: readonly { readonly sql: string; readonly args?: readonly unknown[]; readonly options?: WriteOptions }[],
  ): Promise<Answered[]> {
    const answers = requests.map(
      ({ sql, args = [], options }) => this.give("db.execute", { sql, args }, options).answer,
    );
    this.store.flush();
    return Promise.all(answers);
  }

  /** A step of a transaction; its answer when it comes. `begin` gives the number under which the others follow. */
  begin(session = alice, commits?: number): { readonly transaction: number; readonly answer: Promise<Answered> } {
    const transaction = this.#nextSeq;
    return { transaction, answer: this.#step("begin", { transaction, session, commits }) };
  }

  run(transaction: number, sql: string, args: readonly unknown[] = [], options: StepOptions = {}): Promise<Answered> {
    return this.#step("run", { transaction, ...options }, ["tx.execute", { tx: 1, sql, args }]);
  }

  runBatch(transaction: number, statements: readonly object[]): Promise<Answered> {
    return this.#step("run", { transaction }, ["tx.batch", { tx: 1, statements }]);
  }

  commit(transaction: number, { key, tx = 1, ...options }: StepOptions & { tx?: number } = {}): Promise<Answered> {
    return this.#step("commit", { transaction, key, ...options }, ["tx.commit", { tx, key }]);
  }

  rollBack(transaction: number): Promise<Answered> {
    return this.#step("rollback", { transaction });
  }

  #step(
    step: "begin" | "run" | "commit" | "rollback",
    {
      transaction,
      session = alice,
      key,
      encoding = "json",
      commits,
    }: StepOptions & { readonly transaction: number; readonly commits?: number | undefined },
    request?: readonly ["tx.execute" | "tx.batch" | "tx.commit", object],
  ): Promise<Answered> {
    const at = this.#nextSeq++;
    const answer = this.answerTo(at);
    const parcel =
      request === undefined
        ? undefined
        : new StoreRequest(request[0], encoding, encodeRequest(at, request[0], request[1], encoding));
    this.obey({
      to: "writer",
      kind: "step",
      step,
      seq: seq(at),
      transaction: seq(transaction),
      session,
      key: key === undefined ? undefined : requestKey(key),
      commits,
      parcel,
    });
    return answer;
  }

  settle(session: SessionId, keys: readonly number[], encoding: Encoding = "json"): Promise<Answered> {
    const at = this.#nextSeq++;
    const answer = this.answerTo(at);
    const parcel = new StoreRequest("session.settle", encoding, Buffer.from("{}"));
    this.obey({ to: "writer", kind: "settle", seq: seq(at), session, keys: keys.map(requestKey), parcel });
    return answer;
  }

  async answerTo(at: number): Promise<Answered> {
    const found = (event: EventOf<"writer-settled">) => event.answers.find((one) => one.seq === at);
    const event = await this.next("writer-settled", (candidate) => found(candidate) !== undefined);
    return opened((found(event) as { answer: StoreAnswer }).answer);
  }

  async read(
    method: "db.query" | "db.execute" | "db.batch",
    params: object,
    reader = 1,
    encoding: Encoding = "json",
  ): Promise<Answered> {
    const { answer } = this.giveRead(method, params, reader, encoding);
    this.store.flush();
    return answer;
  }

  giveRead(
    method: "db.query" | "db.execute" | "db.batch",
    params: object,
    reader = 1,
    encoding: Encoding = "json",
  ): { answer: Promise<Answered> } {
    const read = this.#nextRead++;
    const settled = this.next("read-settled", (event) => event.read === read);
    this.store.obey({
      to: "reader",
      kind: "read",
      reader: readerId(reader),
      read,
      parcel: new StoreRequest(method, encoding, encodeRequest(read, method, params, encoding)),
    });
    return { answer: settled.then(({ answer }) => opened(answer)) };
  }

  async rows(sql: string, args: readonly unknown[] = []): Promise<unknown[][]> {
    const answered = await this.read("db.query", { sql, args });
    if (answered.kind !== "done") throw new Error(`not read: ${JSON.stringify(answered)}`);
    return answered.result.rows;
  }

  pidOf(role: string): number {
    const found = this.store.processes().find((child) => child.role === role);
    if (found === undefined) throw new Error(`there is no ${role}`);
    return found.pid;
  }

  /** As the kernel's out-of-memory killer, or a person, would. */
  async killWriter(): Promise<EventOf<"writer-gone">> {
    const gone = this.next("writer-gone");
    process.kill(this.pidOf("writer"), "SIGKILL");
    return gone;
  }
}

function opened(answer: StoreAnswer): Answered {
  if (answer.kind !== "done") return answer;
  if (!(answer.body instanceof StoreBody)) throw new Error("a body that is none of the store's");
  const { bytes, encoding } = answer.body;
  return { kind: "done", result: bytes.length === 0 ? undefined : decodeBody(bytes, encoding) };
}

/** A rig that is closed when the test ends. */
export function rig(
  life: TestLife & { after(clean: () => Promise<void> | void): void },
  options: RigOptions = {},
): StoreRig {
  let made: StoreRig | undefined;
  // Before the directory is removed, which is asked for when it is made.
  life.after(() => made?.store.close());
  made = new StoreRig(life, options);
  return made;
}
