/**
 * The loop: input → command → turn → outbox. Read this first.
 *
 *   link ──frame──► routes ──► core.handle          store, operating system ──► core.handle
 *                                   │  once a turn, after all readable sockets were read
 *                                   ▼
 *              core.expire, core.takeTurn ──► outbox: ledger, then store, then letters to links
 *
 * Deliberately absent: SQL, fsync, decisions.
 */
import type { Command, Core, LedgerCommand, StoreEvent, Takes } from "../core/index.js";
import { closings, type StatusResult } from "../protocol/index.js";
import { Store } from "../store/index.js";
import type { ConnectionId, Instant, SnapshotProcessId } from "../terms/index.js";
import type { Link } from "../transport/index.js";
import { DatabaseRoom } from "./database-room.js";
import { Incoming } from "./incoming.js";
import type { Greeting } from "./letters.js";
import type { FrontOptions } from "./options.js";
import { Outbox } from "./outbox.js";
import { Past } from "./past.js";
import { Postman } from "./postman.js";
import { Pulse } from "./pulse.js";
import { settleThePast, type WriterReady } from "./rebirth.js";
import { Routes } from "./routes.js";
import { statusOf } from "./status.js";
import { System } from "./system.js";
import { WriterNews } from "./writer-news.js";

/** How long a drain waits for what is in the store's hands (ms); after it the children are ended all the same. */
const drainMs = 10_000;
/** How soon a turn comes though nothing happens: the ledger was full, or a client is over its limit. */
const againMs = 250;
/** What is told of the database before a writer has had it. */
const noWriterYet = { epoch: 0, incarnation: "" };

export class Front {
  readonly #options: FrontOptions;
  readonly #pulse: Pulse;
  readonly #store: Store;
  readonly #incoming: Incoming;
  readonly #postman: Postman;
  readonly #system: System;
  readonly #writerNews: WriterNews;
  readonly #room = new DatabaseRoom();
  readonly #startedAt;
  #core!: Core;
  #past!: Past;
  #outbox!: Outbox;
  #greeting!: Greeting;
  #firstEvent: ((event: StoreEvent) => void) | undefined;
  #onTurn: (() => void) | undefined;
  /** As the last turn has found it, and since when it has been so. */
  #wasIdle = true;
  #idleSince: number;
  #ledgerFull = false;

  /** Resolves when clients may come. Rejects with START_FAILED, or what the ledger or the store say. */
  static async start(options: FrontOptions): Promise<Front> {
    const front = new Front(options);
    try {
      await front.#live();
    } catch (error) {
      await front.#store.close();
      throw error;
    }
    return front;
  }

  private constructor(options: FrontOptions) {
    const { places, limits, processes, entries, begun, bootId, log } = options;
    this.#options = options;
    this.#pulse = new Pulse(
      () => this.#turn(),
      (ms, at) => this.#paused(ms, at),
    );
    this.#startedAt = this.#pulse.wallNow();
    this.#idleSince = this.#pulse.now();
    this.#writerNews = new WriterNews(log);
    const now = () => this.#pulse.now();
    const wallNow = () => this.#pulse.wallNow();
    const hold = (process: SnapshotProcessId, held: boolean) => this.#hold(process, held);
    const takes = (connection: ConnectionId, how: Takes) =>
      this.#happened({ kind: "client-takes", connection, takes: how });
    this.#postman = new Postman({ limits, log, greeting: () => this.#greeting, now, wallNow, hold, takes });
    this.#system = new System({
      options,
      postman: this.#postman,
      now,
      after: (ms, go) => this.#pulse.after(ms, go),
      answer: (command) => this.#happened(command),
    });
    this.#store = new Store({ entry: entries, begun, places, limits, bootId, nowWall: wallNow, log }, (event) =>
      this.#fromStore(event),
    );
    const status = () => this.#status();
    const stop = () => options.onStopRequested();
    const roleOf = (connection: ConnectionId) => this.#core.roleOf(connection);
    const routes = new Routes({ places, limits, processes, wallNow, roleOf, status, stop });
    this.#incoming = new Incoming(routes, { decide: (command, now) => this.#core.handle(command, now) });
  }

  /** For how long there has been no connection, no session and no lock (ms). */
  get idleMs(): number {
    return this.#wasIdle && this.#isIdle() ? this.#pulse.now() - this.#idleSince : 0;
  }

  get summary(): { sessions: number; connections: number; held: number; waiting: number } {
    return this.#core.counts;
  }

  // ── links: what the transport calls ───────────────────────────────────────────────────────────────────────────────

  onOpen(link: Link): void {
    this.#postman.open(link);
    this.#happened({ kind: "connected", connection: link.id });
  }

  onFrame(link: Link, data: Buffer, isBinary: boolean): void {
    const conversation = this.#postman.touch(link);
    if (conversation === undefined) return;
    this.#pulse.soon();
    if (isBinary !== (conversation.encoding === "msgpack"))
      return conversation.link.close(closings.wrongKind.code, "the other kind of frame was agreed on");
    if (this.#postman.putsOff(conversation, data)) return;
    this.#incoming.take(conversation, data, this.#pulse.now());
  }

  onClose(link: Link): void {
    const heardAt = this.#postman.gone(link);
    if (heardAt !== undefined) this.#happened({ kind: "disconnected", connection: link.id, heardAt });
  }

  /** All that was sent to it has left. */
  onDrained(link: Link): void {
    this.#postman.drained(link);
    this.#pulse.soon();
  }

  // ── ending ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Begins nothing new, tells the clients, waits for what is under way, ends the children. */
  async drain(reason: string): Promise<void> {
    this.#core.handle({ kind: "drain" }, this.#pulse.now());
    this.#postman.sayClosing(reason);
    await this.#until(() => this.#core.idle, drainMs);
    this.#postman.closeAll(reason);
    this.#core.handle({ kind: "end" }, this.#pulse.now());
    this.#turn();
    this.#pulse.stop();
    this.#system.stop();
    await this.#store.close();
    this.#past.ledger.close();
  }

  /** It is so at the end of a turn, or the time is over. */
  #until(isSo: () => boolean, msMax?: number): Promise<void> {
    return new Promise((resolve) => {
      const enough = msMax === undefined ? undefined : this.#pulse.after(msMax, () => finish());
      const finish = () => {
        enough?.();
        this.#onTurn = undefined;
        resolve();
      };
      this.#onTurn = () => {
        if (isSo()) finish();
      };
      this.#pulse.soon();
    });
  }

  // ── one turn ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #turn(): void {
    const now = this.#pulse.now();
    this.#core.expire(now);
    this.#outbox.obey(this.#core.takeTurn());
    this.#postman.flush(now);
    if (this.#system.work()) this.#pulse.soon();
    this.#noteIdle(now);
    this.#writerNews.look(this.#core.writer);
    if (this.#ledgerFull || this.#postman.backlog.mustLook) this.#pulse.soonAfter(againMs);
    this.#pulse.wakeAt(this.#core.nextDeadline(now), now);
    this.#onTurn?.();
  }

  #paused(ms: number, at: Instant): void {
    this.#options.log("warn", { pausedMs: Math.round(ms) }, "the broker stood still; every deadline moves by it");
    this.#core.handle({ kind: "paused", ms }, at);
    this.#postman.paused(ms);
    this.#system.paused(ms);
  }

  #noteIdle(now: number): void {
    const idle = this.#isIdle();
    if (!idle || !this.#wasIdle) this.#idleSince = now;
    this.#wasIdle = idle;
  }

  // ── in ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #happened(command: Command): void {
    this.#core.handle(command, this.#pulse.now());
    this.#pulse.soon();
  }

  #fromStore(event: StoreEvent): void {
    if (this.#firstEvent !== undefined && (event.kind === "writer-ready" || event.kind === "writer-unavailable"))
      return this.#firstEvent(event);
    if (event.kind === "writer-ready") this.#greet(event);
    if (event.kind === "tokens-reserved") this.#greeting = { ...this.#greeting, incarnation: event.incarnation };
    this.#room.hear(event);
    const taken = this.#past.hear(event, this.#pulse.now());
    if (taken !== undefined) return this.#end(taken);
    // That a read has begun is only noted.
    if (event.kind !== "read-begun") this.#pulse.soon();
  }

  /** Whoever is there hears that what he holds is lost; whether his writes are applied is told by the next broker. */
  #end(why: string): void {
    this.#turn();
    this.#options.onDatabaseTaken(why);
  }

  #hold(process: SnapshotProcessId, held: boolean): void {
    this.#store.hold(process, held);
    this.#happened({ kind: "snapshot-held", process, held });
  }

  // ── life ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #live(): Promise<void> {
    const { places, limits, bootId, processes, log } = this.#options;
    const word = await settleThePast(places, () => this.#startWriter());
    this.#greet(word.kind === "writer-ready" ? word : noWriterYet);
    const say = (text: string, fields: { readonly [field: string]: unknown }) => log("info", fields, text);
    const times = { now: this.#pulse.now(), wallNow: this.#pulse.wallNow() };
    this.#past = new Past(word, { places, limits, bootId, processes, ...times, log: say });
    this.#core = this.#past.core;
    this.#outbox = new Outbox({
      ledger: this.#past.ledger,
      store: this.#store,
      system: (job) => this.#system.ask(job),
      deliver: (letters) => this.#postman.deliver(letters),
      onLedger: (command) => this.#ledger(command),
    });
    await this.#until(() => this.#past.ready);
  }

  #ledger(command: LedgerCommand): void {
    const { log } = this.#options;
    this.#ledgerFull = command.full;
    if (command.full)
      log("error", {}, "the disk under the ledger is full: no lock is granted, and no session that was away goes on");
    else log("info", {}, "the ledger can be written again");
    this.#core.handle(command, this.#pulse.now());
    this.#pulse.soon();
  }

  #startWriter(): Promise<StoreEvent> {
    return new Promise((resolve) => {
      this.#firstEvent = (event) => {
        this.#firstEvent = undefined;
        resolve(event);
      };
      this.#store.obey({ to: "writer", kind: "start", repair: false });
      this.#store.flush();
    });
  }

  #greet({ incarnation, epoch }: Pick<WriterReady, "incarnation" | "epoch">): void {
    const { version, processes, limits, places } = this.#options;
    this.#greeting = {
      ...{ incarnation, epoch, runDir: places.runDir },
      broker: { version, pid: process.pid, startTime: processes.startTimeOf(process.pid) ?? "" },
      limits: { ...limits },
    };
  }

  #isIdle(): boolean {
    const { connections, sessions, held, waiting } = this.#core.counts;
    return connections === 0 && sessions === 0 && held === 0 && waiting === 0 && this.#core.idle;
  }

  #status(): StatusResult {
    const { counts, writer } = this.#core;
    const uptime = { startedAt: this.#startedAt, wallNow: this.#pulse.wallNow(), idleMs: Math.round(this.idleMs) };
    return statusOf({
      options: this.#options,
      greeting: this.#greeting,
      counts,
      writer,
      full: { database: this.#room.full, ledger: this.#ledgerFull },
      unansweredBytes: this.#postman.unansweredBytes,
      children: this.#store.processes(),
      ...uptime,
    });
  }
}
