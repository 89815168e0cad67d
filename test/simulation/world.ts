/**
 * A machine with programs, a broker that is started when it is needed, its store and its disk, on one virtual clock. It
 * can be told that something goes wrong; what goes wrong when is decided elsewhere (swarm.ts).
 */
import type { StoreEvent } from "../../src/core/index.js";
import { type Instant, type Limits, limitsWith, type RefusalCode, type SessionId } from "../../src/terms/index.js";
import { Agenda } from "./agenda.js";
import type { Ask, Fence } from "./ask.js";
import { Broker } from "./broker.js";
import type { Cable, Weather } from "./cable.js";
import { Coverage } from "./coverage.js";
import { Disk, type Doom } from "./disk.js";
import { Invariants } from "./invariants.js";
import { Moments } from "./moments.js";
import { Processes } from "./processes.js";
import { Program } from "./program.js";
import { Random } from "./random.js";
import { calm, drawRates, type Rates } from "./rates.js";
import type { Held } from "./shadow.js";
import { Store } from "./store.js";
import type { Doorway } from "./terminal.js";
import { Trace } from "./trace.js";

/** Where the wall clock stands when the world begins. */
const wallStart = Date.UTC(2026, 0, 1);
/** How soon after a look that finds nobody a new broker begins (mean, ms). */
const spawnMs = 30;

export class World implements Doorway {
  readonly seed: number;
  readonly random: Random;
  readonly agenda = new Agenda();
  readonly trace: Trace;
  readonly names: readonly string[];
  readonly limits: Limits;
  readonly disk = new Disk();
  readonly store: Store;
  readonly processes: Processes;
  readonly moments = new Moments(() => this.store.writer.applied);
  readonly invariants: Invariants;
  readonly coverage: Coverage;
  readonly programs: Program[] = [];
  readonly buried: Program[] = [];
  rates: Rates;
  /** The broker that is there, or comes to life. */
  broker: Broker | undefined;
  calmed = false;
  /** The ledger goes with the broker that is ending. */
  #cleared = false;
  #spawning = false;
  #wallStep = 0;
  #boots = 1;
  #lives = 0;
  /** The boot in which the ledger was marked last. */
  #bootMarked: number | undefined;
  #programs = 0;
  #whats = 0;

  constructor(seed: number, traced = false) {
    this.seed = seed;
    this.random = new Random(seed);
    const { random } = this;
    this.rates = drawRates(random);
    this.trace = new Trace(() => this.now, traced);
    this.names = [...["a", "b", "c"].slice(0, random.pick([1, 1, 2, 3])), ...(random.chance(0.5) ? ["s"] : [])];
    this.limits = limitsWith({
      writesDispatchedMax: random.pick([1, 2, 8, 1024]),
      groupBytesMax: random.pick([1024, 4096, 4 * 1024 * 1024]),
      readersMin: 1,
      readersMax: random.pick([2, 3]),
      snapshotProcessesMax: random.pick([1, 2, 3]),
      snapshotMs: random.pick([1000, 600_000]),
      snapshotContendedMs: random.pick([200, 10_000]),
      waitersMax: random.pick([1, 2, 10_000, 10_000]),
      locksPerSessionMax: random.pick([2, 3, 10_000, 10_000]),
      requestsInFlightMax: random.pick([2, 1024]),
      readMs: random.pick([200, 5000]),
      writeMs: random.pick([300, 5000]),
      writeContendedMs: 200,
      txContendedMs: random.pick([300, 10_000]),
      txIdleMs: random.pick([200, 5000]),
      resumeWindowMs: 1000,
      changesKeptMax: random.pick([1, 3, 10_000]),
      tablesWatchedMax: random.pick([1, 2, 1000, 1000]),
      watchesPerSessionMax: random.pick([1, 2, 1000, 1000]),
      changedKeysMax: random.pick([0, 1, 1000]),
      tablesTakenUpMax: random.pick([1, 2, 1000]),
      watchLingerMs: random.pick([0, 300, 2000]),
      historyNamesMax: random.pick([0, 1, 2, 10_000]),
    });
    const rates = () => this.rates;
    this.processes = new Processes(this.weather);
    this.store = new Store({
      ...{ agenda: this.agenda, random, rates, walBytesMax: this.limits.walBytesMax },
      changedKeysMax: this.limits.changedKeysMax,
      tablesTakenUpMax: this.limits.tablesTakenUpMax,
      tell: (event: StoreEvent) => this.broker?.fromStore(event),
    });
    this.invariants = new Invariants({
      ...{ now: () => this.now, limits: this.limits, rows: () => this.disk.rows },
      storedSeq: () => this.store.writer.storedSeq,
      diskFull: () => this.disk.full,
      onRead: (what) => this.#seesItsWrites(what),
      onFold: () => {
        if (this.store.reads) throw new Error("the log was to be folded while something read from it");
      },
      onRefused: (what, code) => this.#refused(what, code),
      onLeaseOver: (held) => this.#leaseIsOver(held),
      onGranted: (held) => this.#nobodyRunsUnderAnother(held),
      onEnded: (held, why) => this.coverage.ended(held, why),
      absentAt: (cursor, names) => this.store.tables.absentAt(cursor, names),
      onTold: (what) => this.coverage.told(what),
    });
    this.coverage = new Coverage(this.invariants);
    this.store.writer.onApplied = (applied) => this.invariants.applied(applied);
    this.disk.onCommitted = (entries) => {
      this.trace.entries(entries);
      if (entries.some(({ kind }) => kind === "mark")) this.#bootMarked = this.#boots;
      this.trace.say("ledger", () => JSON.stringify(entries));
      this.invariants.committed(entries);
    };
  }

  get now(): Instant {
    return this.agenda.now;
  }

  get weather(): Weather {
    return { agenda: this.agenda, random: this.random, rates: () => this.rates };
  }

  say(words: string): void {
    this.trace.text(words);
    this.trace.say("world", () => words);
  }

  // ── programs ──────────────────────────────────────────────────────────────────────────────────────────────────────

  newProgram(outer?: Program): Program {
    this.#programs++;
    const process = this.processes.start();
    const program = new Program(
      { number: this.#programs, process, outer },
      {
        ...{ weather: this.weather, trace: this.trace, doorway: this, processes: this.processes, names: this.names },
        moments: this.moments,
        strangeFence: () => this.#strangeFence(),
        tables: this.store.tables,
        waiterFor: (name) => this.invariants.waiterFor(name),
        nextWhat: () => ++this.#whats,
        onExit: () => this.processes.end(process),
      },
    );
    if (outer !== undefined) outer.inner = program;
    this.programs.push(program);
    return program;
  }

  kill(program: Program): void {
    const { random } = this;
    if (!program.alive) return;
    const keptOpenMs = random.chance(this.rates.heir) ? 1 + random.below(8000) : 0;
    this.say(`p${program.number} is killed`);
    program.die(keptOpenMs);
    program.unsure();
    this.processes.end(program.process);
  }

  /** Another program in the place of one that is gone. */
  replace(program: Program): void {
    this.buried.push(program);
    this.programs.splice(this.programs.indexOf(program), 1);
    this.newProgram();
  }

  // ── the broker ────────────────────────────────────────────────────────────────────────────────────────────────────

  get listening(): boolean {
    return this.broker?.listening === true && !this.broker.draining;
  }

  start(): void {
    if (this.broker !== undefined || this.#spawning) return;
    this.#spawning = true;
    this.agenda.after(this.random.exponential(spawnMs), () => {
      this.#spawning = false;
      if (this.broker === undefined) this.#bear();
    });
  }

  knock(cable: Cable): void {
    this.broker?.knock(cable);
  }

  stopBroker(forMs: number): void {
    const { broker } = this;
    if (broker === undefined || broker.stopped) return;
    this.say(`the broker stands still for ${forMs} ms`);
    broker.stop();
    this.agenda.after(forMs, () => broker.goOn());
  }

  /** SIGKILL: at once, or at a point of its next turn. */
  killBroker(at: Doom | undefined): void {
    if (this.broker === undefined) return;
    if (at === undefined) this.#brokerEnds("it is killed");
    else this.disk.doom = at;
  }

  /** SIGTERM. `cleared`: with the end of its user's last login, which takes the ledger along. */
  endBroker(cleared: boolean): void {
    this.say("the broker is told to end");
    this.#cleared = cleared;
    this.broker?.drain();
  }

  /** All power is lost: every process, and all that was not synced. */
  losePower(): void {
    this.say("power is lost");
    for (const program of [...this.programs]) this.kill(program);
    this.#brokerEnds("power is lost");
    for (const command of [...this.processes.commands.values()]) this.processes.end(command);
    this.#boots++;
    this.store.writer.bootId = `boot ${this.#boots}`;
  }

  damageLedger(): void {
    if (this.broker !== undefined || this.onlyLedgerKnows) return;
    this.say("the ledger is damaged");
    this.disk.damage();
  }

  /** A database that was put back, and nobody has noticed yet: what the ledger says must not be lost before it is read. */
  get onlyLedgerKnows(): boolean {
    const { mark } = this.disk.rows;
    return mark !== undefined && mark.tokensTo > this.store.writer.tokensTo;
  }

  /** How far the tokens had come the ledger must know then, and be believed. */
  putDatabaseBack(): void {
    const knows = this.disk.rows.mark !== undefined && this.#bootMarked === this.#boots;
    if (this.broker !== undefined || !knows) return;
    this.say("the database is put back");
    this.store.writer.putBack();
  }

  clearLedger(): void {
    if (this.broker !== undefined || this.onlyLedgerKnows) return;
    this.say("the ledger is cleared away");
    this.disk.discard();
  }

  stepClock(ms: number): void {
    this.say(`the wall clock steps by ${ms} ms`);
    this.#wallStep += ms;
  }

  fillDisk(forMs: number): void {
    this.say(`the disk is full for ${forMs} ms`);
    this.disk.full = true;
    this.agenda.after(forMs, () => {
      this.disk.full = false;
    });
  }

  #bear(): void {
    this.say("a broker begins");
    const { invariants, store, disk } = this;
    const broker = new Broker({
      ...{ agenda: this.agenda, random: this.random, rates: () => this.rates, limits: this.limits },
      ...{ disk, store, processes: this.processes, bootId: `boot ${this.#boots}` },
      life: ++this.#lives,
      wallNow: () => wallStart + this.now + this.#wallStep,
      observer: {
        born: (remembered, found, bootId) => {
          this.coverage.forget();
          invariants.born(remembered, found, bootId);
        },
        command: (command) => {
          this.trace.say("core", () => JSON.stringify(command, (key, value) => (key === "parcel" ? undefined : value)));
          this.coverage.asked(command);
          invariants.command(command);
        },
        heard: (connection) => invariants.heard(connection),
        decided: (turn) => {
          for (const letter of turn.send) this.coverage.answered(letter);
          invariants.decided(turn);
        },
        dispatched: (job) => {
          this.trace.say("job", () => JSON.stringify(job, (key, value) => (key === "parcel" ? undefined : value)));
          invariants.dispatched(job);
          if (job.kind === "step" && job.step === "commit") this.#breaksBehind(job.session);
        },
        delivered: (letters) => invariants.delivered(letters),
        turned: (core) => invariants.turned(core),
      },
      onKilled: () => this.#brokerEnds("it ends"),
    });
    this.broker = broker;
    disk.doom = undefined;
    disk.full = false;
    store.writer.obey({ to: "writer", kind: "start", repair: false });
    store.flush();
  }

  /** The connection breaks, perhaps, on which a commit came that is with the writer now. */
  #breaksBehind(session: SessionId): void {
    const program = this.programs.find((one) => one.session === session);
    if (program?.alive === true && this.random.chance(this.rates.lossBehindCommit)) program.disconnect();
  }

  #brokerEnds(why: string): void {
    const { broker } = this;
    if (broker === undefined) return;
    this.say(`the broker is gone: ${why}`);
    this.broker = undefined;
    broker.end();
    if (!broker.endedWell || this.#cleared) this.#unsure();
    this.store.orphaned();
    if (this.#cleared) this.clearLedger();
    this.#cleared = false;
  }

  // ── what is asked of it ───────────────────────────────────────────────────────────────────────────────────────────

  /** From here on nothing goes wrong. */
  calmDown(): void {
    this.say("calm");
    this.calmed = true;
    this.rates = calm(this.rates);
    this.disk.doom = undefined;
    this.disk.full = false;
    this.broker?.goOn();
    for (const program of this.programs) program.goOn();
  }

  /** When nothing is on its way, who watches knows who holds what. */
  looksRight(program: Program): void {
    if (!program.alive || program.ended || !program.quiet || this.broker?.upToDate !== true) return;
    for (const view of program.watches) {
      const error = view.errorBeside(this.invariants.shadow.held.values());
      if (error !== undefined) throw new Error(`p${program.number} watches, and is wrong about ${error}`);
    }
  }

  #strangeFence(): Fence {
    const { random } = this;
    const others = this.programs.flatMap(({ held }) => held);
    if (others.length > 0 && random.chance(0.6)) {
      const { name, token } = random.pick(others);
      return { name, token };
    }
    return { name: random.pick(this.names), token: 1 + random.below(5) };
  }

  #unsure(): void {
    for (const program of this.programs) program.unsure();
  }

  /** A read sees every write that its program had asked for before it. */
  #seesItsWrites(what: string): void {
    const read = this.#askOf(what);
    const cable = read?.sentOn.at(-1);
    if (read === undefined || cable === undefined) return;
    const unseen = read.behind.find(
      (write) => write.outcome === "open" && write.sentOn.includes(cable) && !this.#isSeen(write, cable),
    );
    if (unseen !== undefined) throw new Error(`${what} was read before ${unseen.what} was settled`);
  }

  /** One that is refused is over; when it is sent again, a release may have come between. */
  #refused(what: string, code: RefusalCode): void {
    const ask = this.#askOf(what);
    const wasTaken = ask?.fences.some(({ token }) => this.invariants.wasTaken(token));
    if (ask?.sure && code === "FENCED" && !wasTaken) throw new Error(`${what} was overtaken by a release`);
    // What a broker that ends turns away comes to the next one, and nothing that was asked behind it comes before.
    if (code !== "SHUTTING_DOWN") ask?.unsure();
  }

  /** Who can look at a clock does not rely any more on a lease that the broker has ended. */
  #leaseIsOver({ token, session }: Held): void {
    const program = this.programs.find((one) => one.session === session);
    if (program === undefined || !program.alive || program.stopped) return;
    // With a write under way that gives it back it counts as given back.
    if (program.held.some((grant) => grant.token === token && grant.gone === undefined))
      throw new Error(`p${program.number} relies on ${token}, whose lease is over`);
  }

  /** What ran under a lock that was lost is gone before another has it. */
  #nobodyRunsUnderAnother({ claims, token }: Held): void {
    for (const { locks, names, pid } of this.processes.commands.values()) {
      const [lock] = locks;
      const name = names.find((one) => claims.some((claim) => claim.name === one));
      if (lock === undefined || name === undefined || lock.token === token) continue;
      if (lock.token <= this.invariants.voidThrough) continue;
      if (this.invariants.shadow.excludes(name, lock.token, token))
        throw new Error(`${name} was granted under ${token} while process ${pid} runs under ${lock.token}`);
    }
  }

  #askOf(what: string): Ask | undefined {
    for (const program of this.programs) {
      const found = program.asks.find((ask) => ask.what === what);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #isSeen(write: Ask, cable: Cable): boolean {
    const applied = this.store.writer.applied.some(({ what }) => what === write.what);
    return applied || this.invariants.isAnswered(cable.id, write.id) || this.#writesNothing(write);
  }

  /** What was to be written before it may have been cancelled, also behind the read. */
  #writesNothing(commit: Ask): boolean {
    return this.programs.some(({ transactions }) => transactions.some((one) => one.commit === commit && one.isEmpty));
  }
}
