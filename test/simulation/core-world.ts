/**
 * A world around the core: clients that ask, lose their connections, come back or die, a writer and readers that work,
 * stall and are killed at any point, a broker that is killed itself, and time. What happens when is decided elsewhere
 * (core-swarm.ts); a bystander checks the promises after every turn (core-watch.ts).
 */
import { createHash } from "node:crypto";
import { type Command, Core, type Job, type Letter } from "../../src/core/index.js";
import { type Instant, type Limits, limitsWith } from "../../src/terms/index.js";
import { FakeReaders } from "../core/support/fake-readers.js";
import { type Death, FakeWriter } from "../core/support/fake-writer.js";
import { LedgerRows } from "../core/support/ledger-rows.js";
import { at, connection, seqOf, whatOf } from "../core/support/values.js";
import { type Call, CoreActor, fencesOf, resetNumbers, staleFence, whatIn } from "./core-actor.js";
import { CoreWatch } from "./core-watch.js";
import { Random } from "./random.js";

type Probe = Extract<Job, { kind: "probe-process" }>;

export class CoreWorld {
  readonly random: Random;
  readonly limits: Limits;
  readonly names: readonly string[];
  readonly actors: CoreActor[] = [];
  readonly buried: CoreActor[] = [];
  readonly watch = new CoreWatch();
  readonly ledger = new LedgerRows();
  readonly writer: FakeWriter;
  readers = new FakeReaders();
  core: Core;
  now: Instant = at(10_000);
  probes: Probe[] = [];
  readonly #settlements: {
    readonly question: Call;
    readonly unanswered: readonly Call[];
    readonly actor: CoreActor;
  }[] = [];
  /** The first of the writer's row has been running since then. */
  #headSince = 0;
  #head: number | undefined;
  #connections = 0;
  #pausedMs = 0;
  readonly #trace = createHash("sha256");

  constructor(seed: number) {
    resetNumbers();
    this.random = new Random(seed);
    const { random } = this;
    this.names = ["a", "b", "c"].slice(0, 1 + random.below(3));
    this.limits = limitsWith({
      writesDispatchedMax: random.pick([1, 2, 8, 1024]),
      groupBytesMax: random.pick([1024, 4096, 4 * 1024 * 1024]),
      readersMin: random.pick([1, 2]),
      readersMax: random.pick([2, 3, 4]),
      waitersMax: random.pick([2, 10_000]),
      locksPerSessionMax: random.pick([2, 10_000]),
      readMs: random.pick([200, 5000]),
      writeMs: random.pick([300, 5000]),
      writeContendedMs: 200,
    });
    this.writer = new FakeWriter(random.below(100), random.pick([6, 40, 1_000_000]));
    this.writer.onApplied = (applied) => this.watch.applied(applied);
    this.core = this.#born();
    for (let i = 2 + random.below(4); i > 0; i--) this.actors.push(new CoreActor(random, this.names));
  }

  /** The hash of all that was decided. */
  get trace(): string {
    return this.#trace.copy().digest("hex");
  }

  // ── clients ───────────────────────────────────────────────────────────────────────────────────────────────────────

  ask(actor: CoreActor): void {
    if (!actor.live || actor.leaving || !actor.alive) return;
    const { random } = this;
    if (random.chance(0.03)) return this.send(actor, actor.write([staleFence(this.names, random)]));
    // A fence may be used by others than its holder: a program with two sessions.
    const other = random.pick(this.actors).fence;
    const call = random.chance(0.05) && other !== undefined ? actor.write([other]) : actor.next();
    if (call !== undefined) this.send(actor, call);
  }

  connect(actor: CoreActor): void {
    const greeting = actor.open.some(({ command }) => command.kind === "hello");
    if (!actor.alive) this.#replace(actor);
    else if (actor.connection === undefined) this.speak(actor);
    else if (!actor.live && !greeting) this.send(actor, actor.hello());
  }

  /** Another program in the place of one that died; what that one was told stays true. */
  #replace(dead: CoreActor): void {
    if (dead.connection !== undefined) return;
    this.buried.push(dead);
    this.actors[this.actors.indexOf(dead)] = new CoreActor(this.random, this.names);
  }

  /** A new connection, and hello. One that it has already is taken over. */
  speak(actor: CoreActor): void {
    this.#connections++;
    const old = actor.connection;
    actor.connection = connection(this.#connections);
    this.tell({ kind: "connected", connection: actor.connection });
    if (this.random.chance(0.05)) {
      // A client that died in between.
      this.tell({ kind: "disconnected", connection: actor.connection });
      actor.connection = old;
      return;
    }
    this.send(actor, actor.hello());
    if (old !== undefined) this.tell({ kind: "disconnected", connection: old });
  }

  disconnect(actor: CoreActor): void {
    if (actor.connection === undefined) return;
    const { connection: lost } = actor;
    actor.connectionLost(this.now);
    this.watch.present.delete(actor.session);
    this.tell({ kind: "disconnected", connection: lost });
  }

  cancel(actor: CoreActor): void {
    const { connection: to } = actor;
    if (to === undefined || actor.open.length === 0) return;
    this.tell({ kind: "cancel", connection: to, request: this.random.pick(actor.open).request });
  }

  /** The process is gone; its connection closes later, or at once, or a child keeps it. */
  die(actor: CoreActor): void {
    if (!this.random.chance(0.3)) return;
    actor.alive = false;
    actor.leaving = true;
    // Its session may be over before the end of its connection is seen: its locks are taken then.
    for (const call of actor.calls) call.sure = false;
    if (this.random.chance(0.7)) this.disconnect(actor);
  }

  // ── the store ─────────────────────────────────────────────────────────────────────────────────────────────────────

  work(jobs: number): void {
    const { writer } = this;
    if (writer.state === "starting") return this.#writerReady();
    if (writer.state !== "ready") return;
    const runnable = Math.min(jobs, writer.runnable);
    if (runnable > 0) this.tell(writer.settle(runnable));
    this.#noteHead();
  }

  #writerReady(): void {
    this.watch.writerReady();
    this.tell(this.writer.ready());
    this.#head = undefined;
    this.#noteHead();
  }

  killWriter(asked: boolean): void {
    const { writer, random } = this;
    if (writer.state !== "ready") return;
    const runnable = writer.runnable;
    const committed = random.below(runnable + 1);
    const running = Math.min(writer.waiting.length, 1 + random.below(runnable + 1));
    const phase = random.pick(["running", "committing", "committed", "idle"] as const);
    const jobs = phase === "committed" || phase === "committing" ? committed : running;
    const death: Death = {
      jobs,
      phase: jobs === 0 ? "idle" : phase,
      blind: random.chance(0.1),
      ioFailed: random.chance(0.1),
    };
    if (!asked) writer.taken("kill");
    this.tell(writer.die(death, this.now));
  }

  /** Reservations, folds, looks at what runs, and kills that the core has asked for. */
  chores(): void {
    const { writer } = this;
    if (writer.taken("kill").length > 0) return this.killWriter(true);
    for (const job of writer.taken("reserve")) if (writer.state === "ready") this.tell(writer.reserve(job));
    for (const _ of writer.taken("checkpoint"))
      if (writer.state === "ready") this.tell({ kind: "checkpointed", walBytes: 0, complete: true });
    if (writer.taken("probe").length > 0 && writer.state === "ready") {
      const head = writer.waiting[0];
      this.#noteHead();
      const running = {
        seq: head?.seq ?? seqOf(0),
        phase: head === undefined ? "idle" : "running",
        since: this.#headSince,
      } as const;
      this.tell({ kind: "writer-progress", progress: running });
    }
    if (this.random.chance(0.1)) writer.walBytes = this.random.pick([0, this.limits.walBytesMax + 1]);
    writer.taken("start");
    writer.taken("forget");
    writer.taken("end-session");
  }

  #noteHead(): void {
    const seq = this.writer.waiting[0]?.seq;
    if (seq !== this.#head) this.#headSince = this.now;
    this.#head = seq;
  }

  readSomething(): void {
    const seats = [...this.readers.all.values()];
    if (seats.length === 0) return;
    const seat = this.random.pick(seats);
    const head = seat.row[0];
    if (seat.killed !== undefined && this.random.chance(0.7)) this.tell(this.readers.gone(seat.id));
    else if (seat.state === "starting")
      this.tell(this.random.chance(0.1) ? this.readers.gone(seat.id) : this.readers.ready(seat.id));
    else if (head !== undefined && !whatOf(head.parcel).endless) this.tell(this.readers.answer(seat.id));
  }

  killReader(): void {
    const seats = [...this.readers.all.values()];
    if (seats.length > 0) this.tell(this.readers.gone(this.random.pick(seats).id));
  }

  answerOneProbe(): void {
    const probe = this.probes.shift();
    if (probe === undefined) return;
    const { session, process } = probe;
    const owner = [...this.actors, ...this.buried].find((actor) => actor.process?.pid === process.pid);
    this.tell({ kind: "process-fate", session, process, fate: owner?.alive ? "alive" : "dead" });
  }

  // ── time, and lives ───────────────────────────────────────────────────────────────────────────────────────────────

  pass(ms: number): void {
    const end = this.now + ms;
    for (let steps = 0; steps < 400; steps++) {
      const next = this.core.nextDeadline(this.now);
      if (next === undefined || next > end) break;
      this.now = at(Math.max(next, this.now));
      this.#expire();
    }
    this.now = at(Math.max(end, this.now));
    this.#expire();
  }

  pause(ms: number): void {
    this.now = at(this.now + ms);
    this.#pausedMs += ms;
    for (const actor of this.actors) actor.awaySince += ms;
    this.tell({ kind: "paused", ms });
  }

  /** The broker is killed, perhaps between its rows and its letters; its writer may have gone on for a while. */
  restart(): void {
    const { random, writer } = this;
    if (random.chance(0.5)) {
      this.core.expire(this.now);
      this.ledger.commit(this.#watched(this.core.takeTurn()).ledger);
    }
    if (writer.state === "ready") writer.die({ jobs: random.below(writer.runnable + 1), phase: "committed" }, this.now);
    writer.state = "none";
    writer.asked.length = 0;
    for (const actor of this.actors) for (const call of actor.calls) call.sure = false;
    this.readers = new FakeReaders();
    this.probes = [];
    for (const actor of this.actors) {
      this.watch.present.delete(actor.session);
      actor.connectionLost(this.now);
      if (this.ledger.sessions.has(actor.session)) actor.awaySince = this.now;
    }
    this.core = this.#born();
  }

  #born(): Core {
    const core = new Core(this.limits, seqOf(this.writer.storedSeq));
    core.restore(this.ledger.memory(), this.now);
    this.core = core;
    this.watch.writerReady();
    this.tell(this.writer.ready());
    this.#head = undefined;
    this.#noteHead();
    return core;
  }

  // ── the turn ──────────────────────────────────────────────────────────────────────────────────────────────────────

  send(actor: CoreActor, call: Call): void {
    const { connection: to } = actor;
    if (to === undefined) throw new Error("a call without a connection");
    call.sentOn.push(to);
    const { command } = call;
    if (command.kind === "write") this.watch.asked(whatIn(call), command.fences, call.request);
    if (command.kind === "release" && this.random.chance(0.5) && call.behind.length === 0) this.#acknowledge(actor);
    this.tell({ ...command, connection: to } as Command);
  }

  #acknowledge(actor: CoreActor): void {
    if (actor.connection !== undefined)
      this.tell({ kind: "ack", connection: actor.connection, below: actor.ackedBelow });
  }

  tell(command: Command): void {
    this.core.handle(command, this.now);
    this.core.check();
    if (this.random.chance(0.2)) this.core.expire(this.now);
    this.#obey();
  }

  #expire(): void {
    this.core.expire(this.now);
    this.core.check();
    this.#obey();
  }

  #watched(turn: ReturnType<Core["takeTurn"]>): ReturnType<Core["takeTurn"]> {
    if (turn.ledger.length + turn.dispatch.length + turn.send.length > 0) {
      this.#trace.update(JSON.stringify([this.now, turn]));
      this.watch.turn(turn);
    }
    return turn;
  }

  #obey(): void {
    const turn = this.#watched(this.core.takeTurn());
    this.core.check();
    this.ledger.commit(turn.ledger);
    if ((this.ledger.mark?.seq ?? 0) > this.writer.storedSeq)
      throw new Error("the ledger's mark is ahead of the database");
    for (const job of turn.dispatch) this.#dispatch(job);
    for (const letter of turn.send) this.#deliver(letter);
  }

  #dispatch(job: Job): void {
    if (job.to === "writer") return this.writer.obey(job);
    if (job.to === "system") {
      if (job.kind === "probe-process") this.probes.push(job);
      return;
    }
    if (job.kind !== "kill" && this.writer.state !== "ready" && this.core.writer.kind !== "unavailable")
      throw new Error(`reader ${job.reader} was to ${job.kind} while the writer is ${this.writer.state}`);
    if (job.kind === "read") this.#seesItsWrites(whatOf(job.parcel).what);
    this.readers.obey(job);
  }

  /** A read sees every write that its client had asked for before it. */
  #seesItsWrites(what: string): void {
    for (const actor of this.actors)
      for (const call of actor.calls) {
        if (whatIn(call) !== what) continue;
        const unseen = call.behind.find((write) => this.#mayStillBeApplied(write, call));
        if (unseen !== undefined) throw new Error(`${what} was read before ${whatIn(unseen)} was settled`);
      }
  }

  #mayStillBeApplied(write: Call, read: Call): boolean {
    const [to] = read.sentOn;
    if (to === undefined || !write.sentOn.includes(to)) return false;
    const applied = this.writer.applied.some(({ what }) => what === whatIn(write));
    return !applied && this.watch.answers(to, write.request) === 0;
  }

  #deliver(letter: Letter): void {
    if (letter.kind === "answer") this.#settled(letter.request, letter.body);
    const actor = this.actors.find(({ connection: to }) => to === letter.to);
    if (actor === undefined) return;
    if (letter.kind === "expired") this.watch.present.delete(actor.session);
    if (letter.kind === "expired" && actor.alive && !actor.leaving)
      throw new Error(`${actor.session} was ended while it spoke`);
    if (letter.kind === "hangup") return this.disconnect(actor);
    const call = actor.hear(letter);
    if (letter.kind === "welcome" && call !== undefined) this.#welcomed(actor, letter, call);
    if (call?.command.kind === "goodbye") this.#begin(actor);
    if (call?.command.kind === "hello" && letter.kind === "refused") this.#turnedAway(actor, letter);
  }

  #welcomed(actor: CoreActor, { resumed, grants, lost }: Extract<Letter, { kind: "welcome" }>, hello: Call): void {
    if (actor.known && !resumed) throw new Error(`${actor.session} came back and was not known`);
    const gone = lost.find((fence) => !actor.isReleasing(fence));
    if (gone !== undefined) throw new Error(`${actor.session} lost ${gone.name}`);
    const listed = hello.command.kind === "hello" ? hello.command : undefined;
    for (const { token, key } of grants)
      if (!listed?.pending.includes(key) && !listed?.grants.some((grant) => grant.token === token))
        throw new Error(`${actor.session} was given ${token} back, which it had not listed`);
    for (const fence of grants.flatMap(fencesOf)) actor.grants.set(fence.token, fence);
    actor.live = true;
    actor.known = true;
    // As a program does: all at once, before anything else is heard.
    for (const call of actor.resend()) if (actor.live && call.outcome === "open") this.send(actor, call);
  }

  #turnedAway(actor: CoreActor, { refusal }: Extract<Letter, { kind: "refused" }>): void {
    if (refusal.refused !== "SESSION_EXPIRED") return this.disconnect(actor);
    const awayMs = this.now - actor.awaySince;
    const early = actor.bound || awayMs < actor.windowMs;
    if (early && !actor.leaving && actor.alive)
      throw new Error(`${actor.session} was ended after ${awayMs} of ${actor.windowMs} ms`);
    this.#begin(actor);
  }

  /** Another session; what is not known of the old one is asked, for good. */
  #begin(actor: CoreActor): void {
    const old = actor.session;
    const unanswered = actor.begin().filter(({ command, key }) => command.kind === "write" && key > 0);
    this.watch.present.delete(old);
    if (unanswered.length > 0 && actor.connection !== undefined) {
      const question = actor.settle(
        old,
        unanswered.map(({ key }) => key),
      );
      this.#settlements.push({ question, unanswered, actor });
      this.send(actor, question);
    }
  }

  /** Said for good: what was never applied is not applied after this either. */
  #settled(request: string | number, body: unknown): void {
    const asked = this.#settlements.find(({ question }) => question.request === request);
    if (asked === undefined) return;
    const outcomes = new Map(
      String(body)
        .split(" ")
        .map((one) => one.split(":") as [string, string]),
    );
    for (const call of asked.unanswered) {
      const outcome = outcomes.get(`${call.key}`) === "applied" ? "done" : "none";
      asked.actor.verdicts.push({ what: whatIn(call), outcome });
    }
  }
}
