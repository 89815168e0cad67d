/**
 * One life of the broker: the real core, outbox, routes and letters, in the loop that the real front runs. In each round
 * it takes in what there is (one new connection at most, as the event loop does) and then ends the turn.
 */
import type { Command, Core, Job, LedgerEntry, StoreEvent, Turn } from "../../src/core/index.js";
import { Incoming } from "../../src/front/incoming.js";
import { Outbox } from "../../src/front/outbox.js";
import { Postman } from "../../src/front/postman.js";
import { recall, type WriterReady } from "../../src/front/rebirth.js";
import { Routes } from "../../src/front/routes.js";
import { System } from "../../src/front/system.js";
import { type LedgerContents, LedgerFull } from "../../src/ledger/index.js";
import { connectionId, type Limits, wallTime } from "../../src/terms/index.js";
import type { Agenda, Appointment } from "./agenda.js";
import type { BrokerEnd, Cable } from "./cable.js";
import { type Disk, Killed } from "./disk.js";
import type { Processes } from "./processes.js";
import type { Random } from "./random.js";
import type { Rates } from "./rates.js";
import type { Store } from "./store.js";

export interface BrokerParts {
  readonly agenda: Agenda;
  readonly random: Random;
  readonly rates: () => Rates;
  readonly limits: Limits;
  readonly disk: Disk;
  readonly store: Store;
  readonly processes: Processes;
  readonly wallNow: () => number;
  readonly bootId: string;
  /** Which of all its brokers this is. */
  readonly life: number;
  readonly observer: Observer;
  /** It died of itself: the world has asked for it. */
  readonly onKilled: () => void;
}

/** A bystander who sees all that the core is told and decides, and what comes of it, in this order. */
export interface Observer {
  /** The core has taken up what the ledger remembered, as far as it is believed beside what the writer has found. */
  born(remembered: LedgerContents | "damaged", found: WriterReady, bootId: string): void;
  command(command: Command): void;
  /** Bytes of this connection were read, or it is not read by the broker's own will. */
  heard(connection: number): void;
  decided(turn: Turn): void;
  dispatched(job: Job): void;
  delivered(letters: Turn["send"]): void;
  /** All of the turn has happened. */
  turned(core: Core): void;
}

/** As the real one has them: a gap between two looks that is longer than this is a pause (ms). */
const tickMs = 100;
const pauseMs = 250;
/** How soon a turn comes though nothing happens, while the ledger is full (ms). */
const againMs = 250;
/** How long a drain waits for what is in the store's hands. */
const drainMs = 10_000;

export class Broker implements BrokerEnd {
  core: Core | undefined;
  alive = true;
  /** Clients may come. */
  listening = false;
  /** It is to end, and begins nothing new. */
  draining = false;
  /** It came to its end in good order. */
  endedWell = false;
  #stoppedAt: number | undefined;
  #pausedMs = 0;
  #seenAt = 0;
  readonly #overdue: (() => void)[] = [];
  #ledgerFull = false;
  #connections = 0;
  readonly #knocking: Cable[] = [];
  readonly #cables = new Set<Cable>();
  readonly #readable = new Set<Cable>();
  readonly #mail: StoreEvent[] = [];
  readonly #parts: BrokerParts;
  readonly #postman: Postman;
  readonly #incoming: Incoming;
  readonly #system: System;
  #outbox: Outbox | undefined;
  #due: Appointment | undefined;
  #greeting = {
    incarnation: "",
    epoch: 0,
    broker: { version: "0", pid: 1, startTime: "1" },
    runDir: "/run/simulated",
    limits: { frameBytesMax: 16 * 1024 * 1024 },
  };

  constructor(parts: BrokerParts) {
    this.#parts = parts;
    const { limits, processes, life } = parts;
    this.#greeting = { ...this.#greeting, broker: { version: "0", pid: 1, startTime: `${life}` } };
    const wallNow = () => wallTime(parts.wallNow());
    const stop = () => undefined;
    const status = () => {
      throw new Error("nobody asks for the status here");
    };
    const hold = () => {
      throw new Error("every client here reads what it is sent");
    };
    const now = () => parts.agenda.now;
    const log = () => undefined;
    this.#postman = new Postman({ limits, log, greeting: () => this.#greeting, now, wallNow, hold, takes: hold });
    this.#system = new System({
      ...{ postman: this.#postman, now, options: { processes, carriers: processes, log } },
      after: (ms, go) => this.#later(ms, go),
      answer: (command) => {
        this.#tell(command);
        this.#soon();
      },
    });
    const roleOf = () => "admin" as const;
    const places = { database: "/data/data.db", dataDir: "/data" };
    const routes = new Routes({ places, limits, processes, wallNow, roleOf, status, stop });
    this.#incoming = new Incoming(routes, { decide: (command) => this.#tell(command) });
  }

  /** What it has decided is written down and told. */
  get upToDate(): boolean {
    return this.#stoppedAt === undefined && !this.#ledgerFull;
  }

  /** Nothing is left that it would do by itself. */
  get quiet(): boolean {
    return this.#mail.length === 0 && this.#readable.size === 0 && this.#knocking.length === 0;
  }

  // ── what comes ────────────────────────────────────────────────────────────────────────────────────────────────────

  knock(cable: Cable): void {
    this.#knocking.push(cable);
    this.#soon();
  }

  readable(cable: Cable): void {
    this.#readable.add(cable);
    this.#soon();
  }

  fromStore(event: StoreEvent): void {
    if (!this.alive) return;
    this.#mail.push(event);
    this.#soon();
  }

  /** Nothing of it runs until `goOn`. */
  stop(): void {
    if (this.#stoppedAt !== undefined) return;
    this.#stoppedAt = this.#parts.agenda.now;
    this.#parts.agenda.cancel(this.#due);
    this.#due = undefined;
  }

  goOn(): void {
    const since = this.#stoppedAt;
    if (since === undefined || !this.alive) return;
    this.#stoppedAt = undefined;
    const { agenda, random } = this.#parts;
    // It was last seen alive a tick before, at most.
    const gap = agenda.now - Math.max(this.#seenAt, since - random.below(tickMs));
    const ticking = this.core?.nextDeadline(agenda.now) !== undefined;
    if (ticking && gap > tickMs + pauseMs) this.#pausedMs += gap;
    this.#soon();
  }

  get stopped(): boolean {
    return this.#stoppedAt !== undefined;
  }

  drain(): void {
    if (this.core === undefined || this.draining) return;
    this.draining = true;
    this.#tell({ kind: "drain" });
    this.#postman.sayClosing("it was told to end");
    this.#parts.agenda.after(drainMs, () => {
      if (this.alive) this.#leave();
    });
    this.#soon();
  }

  /** The process is gone: every client sees its connection break. */
  end(): void {
    this.alive = false;
    this.listening = false;
    this.#parts.agenda.cancel(this.#due);
    for (const cable of [...this.#cables, ...this.#knocking]) cable.orphaned();
  }

  // ── one round of the loop ─────────────────────────────────────────────────────────────────────────────────────────

  #round(): void {
    this.#due = undefined;
    if (!this.alive || this.#stoppedAt !== undefined) return;
    this.#seenAt = this.#parts.agenda.now;
    try {
      // Told before what came meanwhile is looked at.
      this.#stoodStill();
      for (const go of this.#overdue.splice(0)) go();
      this.#accept();
      this.#read();
      for (const event of this.#mail.splice(0)) this.#take(event);
      if (this.core !== undefined) this.#turn(this.core);
    } catch (error) {
      // A broker that cannot write its ledger at its birth gives up, and another tries.
      const stillborn = error instanceof LedgerFull && this.core === undefined;
      if (!stillborn && !(error instanceof Killed)) throw error;
      return this.#parts.onKilled();
    }
    this.#sleep();
  }

  #stoodStill(): void {
    const ms = this.#pausedMs;
    if (ms === 0) return;
    this.#pausedMs = 0;
    this.#tell({ kind: "paused", ms });
    this.#postman.paused(ms);
    this.#system.paused(ms);
  }

  #accept(): void {
    if (!this.listening) return;
    const cable = this.#knocking.shift();
    if (cable === undefined) return;
    this.#connections++;
    this.#cables.add(cable);
    cable.accepted(connectionId(this.#connections), this);
    this.#postman.open(cable);
    this.#tell({ kind: "connected", connection: cable.id });
  }

  /** Of each connection a chunk: all that lies there, or less. */
  #read(): void {
    const { random } = this.#parts;
    for (const cable of [...this.#readable]) {
      let frames = random.chance(0.8) ? cable.inbox.length : 1 + random.below(3);
      while (frames-- > 0 && cable.inbox.length > 0 && !cable.paused) {
        const conversation = this.#postman.touch(cable);
        const bytes = cable.read();
        this.#parts.observer.heard(cable.id);
        if (conversation === undefined || bytes === undefined || this.#postman.putsOff(conversation, bytes)) continue;
        this.#incoming.take(conversation, bytes, this.#parts.agenda.now);
      }
      if (cable.inbox.length === 0 || cable.paused) this.#readable.delete(cable);
      if (cable.inbox.length === 0 && cable.ended) this.#closed(cable);
    }
    for (const cable of this.#cables) if (cable.paused) this.#parts.observer.heard(cable.id);
  }

  #closed(cable: Cable): void {
    if (!this.#cables.delete(cable)) return;
    const heardAt = this.#postman.gone(cable);
    if (heardAt !== undefined) this.#tell({ kind: "disconnected", connection: cable.id, heardAt });
  }

  #take(event: StoreEvent): void {
    if (this.core === undefined) return this.#firstWord(event);
    if (event.kind === "tokens-reserved" || event.kind === "writer-ready")
      this.#greeting = { ...this.#greeting, incarnation: event.incarnation };
    this.#tell(event);
  }

  #turn(core: Core): void {
    const { agenda, disk, store, observer } = this.#parts;
    core.expire(agenda.now);
    core.check();
    const turn = core.takeTurn();
    observer.decided(turn);
    if (turn.ledger.length === 0)
      for (const point of ["before-rows", "within-rows", "after-rows"] as const) disk.passes(point);
    this.#outbox?.obey(turn);
    disk.passes("after-letters");
    this.#postman.flush(agenda.now);
    if (this.#system.work()) this.#soon();
    store.flush();
    observer.turned(core);
    if (core.ready) this.listening = true;
    if (this.draining && core.idle) this.#leave();
  }

  /** In good order: what was answered arrives, and the ledger is closed. */
  #leave(): void {
    // What is with the writer after all that time is given up, and what was asked behind it as well.
    this.endedWell = this.core?.idle ?? true;
    this.#postman.closeAll("it ends");
    const { core } = this;
    if (core !== undefined) {
      this.#tell({ kind: "end" });
      const turn = core.takeTurn();
      this.#parts.observer.decided(turn);
      this.#outbox?.obey(turn);
      this.#parts.observer.turned(core);
    }
    this.#parts.onKilled();
  }

  #sleep(): void {
    if (!this.alive || this.#due !== undefined) return;
    const { agenda } = this.#parts;
    if (!this.quiet) return this.#soon();
    const next = this.core?.nextDeadline(agenda.now);
    const again = this.#ledgerFull ? agenda.now + againMs : undefined;
    const at = next === undefined ? again : Math.min(next, again ?? next);
    if (at !== undefined) this.#wakeAt(at);
  }

  #soon(): void {
    const { agenda, random, rates } = this.#parts;
    if (this.alive && this.#stoppedAt === undefined) this.#wakeAt(agenda.now + random.exponential(rates().loopMs));
  }

  #wakeAt(at: number): void {
    if (this.#due !== undefined && this.#due.at <= at && !this.#due.off) return;
    this.#parts.agenda.cancel(this.#due);
    this.#due = this.#parts.agenda.at(at, () => this.#round());
  }

  // ── the core ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #tell(command: Command): void {
    const { core } = this;
    if (core === undefined) return;
    this.#parts.observer.command(command);
    core.handle(command, this.#parts.agenda.now);
    core.check();
  }

  /** The writer has settled what was in doubt: what the ledger knows becomes a core. */
  #firstWord(event: StoreEvent): void {
    const { disk, store, limits, bootId, agenda, wallNow, observer } = this.#parts;
    if (event.kind === "writer-unavailable") return this.#parts.onKilled();
    if (event.kind !== "writer-ready") return;
    this.#greeting = { ...this.#greeting, incarnation: event.incarnation, epoch: event.epoch };
    const { previousBootId } = event;
    if (previousBootId !== null && previousBootId !== bootId) disk.discard();
    const now = agenda.now;
    const parts = { limits, bootId, now, wallNow: wallTime(wallNow()), log: () => undefined };
    const remembered = disk.read();
    const ledger = { read: () => remembered, commit: (entries: readonly LedgerEntry[]) => disk.commit(entries) };
    this.core = recall(ledger, event, parts);
    this.core.check();
    observer.born(remembered, event, bootId);
    this.#outbox = new Outbox({
      ledger: disk,
      store: {
        obey: (job) => {
          observer.dispatched(job);
          store.obey(job);
        },
        flush: () => {
          disk.passes("after-jobs");
        },
      },
      system: (job) => {
        observer.dispatched(job);
        this.#system.ask(job);
      },
      deliver: (letters) => {
        observer.delivered(letters);
        this.#postman.deliver(letters);
      },
      onLedger: (command) => {
        this.#ledgerFull = command.full;
        this.#tell(command);
        this.#soon();
      },
    });
  }

  /** A timer of its own: what is due while it stands still comes first when it goes on. */
  #later(ms: number, go: () => void): () => void {
    const due = this.#parts.agenda.after(ms, () => {
      if (!this.alive) return;
      if (this.#stoppedAt === undefined) go();
      else this.#overdue.push(go);
    });
    return () => this.#parts.agenda.cancel(due);
  }
}
