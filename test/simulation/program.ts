/**
 * A client program in the simulated world: what it asks is drawn, what it is told is noted. Each question has one
 * outcome, and what is told of a write is final.
 */
import { type Call, type Grant, Watch } from "../../src/client/conversation/index.js";
import type { ProcessIdentity, Role } from "../../src/core/index.js";
import { guardedStartMs } from "../../src/protocol/index.js";
import { type Outcome, type Refusal, refusals, type SessionId } from "../../src/terms/index.js";
import { Ask, type Fence } from "./ask.js";
import type { Cable } from "./cable.js";
import type { Command } from "./processes.js";
import type { Style, Surroundings } from "./surroundings.js";
import { TableWatcher } from "./table-watcher.js";
import { Terminal, type Told } from "./terminal.js";
import type { Transaction } from "./transaction.js";
import { WatchView } from "./watch-view.js";
import { drawWish, type Wisher } from "./wishes.js";

export interface ProgramOptions {
  readonly number: number;
  readonly process: ProcessIdentity;
  /** The program under whose lock this one runs, and which waits for its end. */
  readonly outer: Program | undefined;
}

/** How often a program asks for no more rights than it needs, or for less. */
const roleChance = 0.08;

export class Program implements Wisher {
  readonly number: number;
  readonly process: ProcessIdentity;
  readonly style: Style;
  readonly transacts: boolean;
  /** What its session may do; absent: everything. */
  readonly role: Role | undefined;
  alive = true;
  /** It asks nothing new. */
  leaving = false;
  /** Its conversation is over. */
  ended = false;
  session: SessionId | undefined;
  /** Of the session that it has now: a command that it starts is told it. */
  secret = "";
  /** The program that runs under a lock of this one. */
  inner: Program | undefined;
  /** All that it ever asked. */
  readonly asks: Ask[] = [];
  /** What runs under locks that were taken with a guard. */
  readonly guards = new Map<Grant, Command>();
  /** What was asked for to be shared: it may be exclusive since. */
  readonly shared = new Set<Grant>();
  /** What it lost by its own clock; the broker may still have it. */
  readonly expired = new Set<number>();
  readonly watches: WatchView[] = [];
  readonly tables: TableWatcher;
  /** All transactions that it ever began. */
  readonly transactions: Transaction[] = [];
  readonly #around: Surroundings;
  readonly #terminal: Terminal;
  #open: Ask[] = [];
  /** Whether they are still held is asked before a command is started. */
  readonly #confirming = new Map<Ask, Grant>();
  /** Streams that are open, as far as it was told. */
  readonly #streams = new Set<Ask>();

  constructor({ number, process, outer }: ProgramOptions, around: Surroundings) {
    const { weather, trace, doorway } = around;
    const { random } = weather;
    this.number = number;
    this.process = process;
    this.#around = around;
    this.style = random.pick(["blocking", "free", "silent"]);
    this.transacts = random.chance(0.15);
    this.role = random.chance(roleChance) ? random.pick(["read", "write"]) : undefined;
    const readable = random.chance(0.8);
    const bound = readable && random.chance(0.2);
    const introduction = {
      ...{ program: `p${number}`, version: "1" },
      ...(this.role === undefined ? {} : { role: this.role }),
      ...(readable ? { process } : {}),
      ...(bound ? { bound } : {}),
      ...(outer === undefined ? {} : { outer: outer.secret }),
    };
    const resumeWindowMs = random.pick([300, 1000, 3000, 10_000]);
    const patienceMs = random.pick([2000, 30_000]);
    this.#terminal = new Terminal({
      ...{ name: `p${number}`, weather, trace, doorway, encoding: random.chance(0.7) ? "json" : "msgpack" },
      options: { introduction, resumeWindowMs, bound, openMs: 600_000, patienceMs },
      onEffect: (effect) => this.#hear(effect),
      onSent: (id, cable) => this.#sent(id, cable),
    });
    this.#terminal.handle({ kind: "open" });
    this.tables = new TableWatcher({
      ...{ random, truth: around.tables },
      handle: (event) => this.#terminal.handle(event),
    });
  }

  get at(): Terminal["conversation"]["at"] {
    return this.#terminal.conversation.at;
  }

  /** Questions without an outcome. */
  get open(): readonly Ask[] {
    return this.#open;
  }

  /** Locks that it holds, as far as it knows. */
  get held(): Grant[] {
    return [...this.#terminal.conversation.grants].filter(({ state }) => state === "held");
  }

  /** It waits for a lock, or for somebody who runs under one of its own. */
  get waits(): boolean {
    return this.#open.some((ask) => ask.waits);
  }

  get mayGiveBack(): boolean {
    if (this.#runsInner) return false;
    return this.style !== "blocking" || !this.waits;
  }

  /** It could run another under its locks. What it would still wait for then, the other could wait for behind it. */
  get mayNest(): boolean {
    return this.alive && !this.leaving && !this.stopped && !this.#runsInner && !this.waits && this.held.length > 0;
  }

  get #runsInner(): boolean {
    return this.inner?.alive === true && !this.inner.ended;
  }

  /** What it says of the locks that it does not give back before the next one is had. */
  get underNow(): { readonly under?: readonly number[] } {
    if (this.style === "silent") return {};
    if (this.style === "free") return { under: [] };
    // What it hands over may be left to it, and then it is not given back before.
    const grants = [...this.#terminal.conversation.grants].filter(({ mayStay }) => mayStay);
    return { under: grants.map(({ token }) => token) };
  }

  /** One lock that it holds, by one of its names. */
  get fences(): readonly Fence[] {
    const { held } = this;
    if (held.length === 0) return [];
    const { names, token } = this.#around.weather.random.pick(held);
    return [{ name: this.#around.weather.random.pick(names), token }];
  }

  get transaction(): Transaction | undefined {
    const last = this.transactions.at(-1);
    return last?.over === false ? last : undefined;
  }

  get stopped(): boolean {
    return this.#terminal.stopped;
  }

  /** Nothing is on its way between it and the broker. */
  get quiet(): boolean {
    return this.at === "open" && this.#terminal.quiet && !this.stopped;
  }

  // ── what it does ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** Asks something, at random. */
  act(): void {
    if (!this.alive || this.leaving || this.ended || this.stopped) return;
    const { random } = this.#around.weather;
    if (random.chance(0.06)) return this.#cancelOne();
    if (random.chance(0.04)) return this.#watch();
    this.tables.act();
    if (random.chance(0.08)) return this.#nurse();
    // It waits for the command that it has started.
    if (this.#runsInner) return;
    for (const ask of drawWish(this, this.#around)) this.#ask(ask);
  }

  begins(transaction: Transaction): void {
    this.transactions.push(transaction);
  }

  /** Whatever it has begun. */
  endTransaction(): void {
    const { transaction } = this;
    if (transaction !== undefined) this.#ask(transaction.end(this.#around, this.mayGiveBack));
  }

  releaseOne(): void {
    const [grant] = this.held;
    if (grant !== undefined && this.mayGiveBack) this.#ask(this.releasing(grant));
  }

  releasing(grant: Grant): Ask {
    // What runs under it ends before it is given back.
    const command = this.guards.get(grant);
    if (command !== undefined) this.#around.processes.end(command);
    this.guards.delete(grant);
    return new Ask("release", "lock.release", { name: grant.name, token: grant.token }, { grant });
  }

  /** It is done: its session ends. */
  close(): void {
    if (this.leaving) return;
    this.leaving = true;
    this.#terminal.handle({ kind: "close" });
  }

  #cancelOne(): void {
    const { random } = this.#around.weather;
    if (this.#open.length > 0) this.#terminal.handle({ kind: "cancel", call: random.pick(this.#open) });
  }

  /** More credit for a stream, or its end in the middle. */
  #nurse(): void {
    const { random } = this.#around.weather;
    const [call] = this.#streams;
    if (call === undefined) return;
    if (random.chance(0.7)) this.#terminal.handle({ kind: "stream", call, credit: random.pick([50, 500]) });
    else this.#close(call);
  }

  closeStreams(): void {
    for (const call of [...this.#streams]) this.#close(call);
  }

  #close(call: Ask): void {
    call.over = true;
    this.#streams.delete(call);
    this.#terminal.handle({ kind: "stream", call, credit: "closed" });
  }

  #watch(): void {
    const { weather, names } = this.#around;
    const { random } = weather;
    const [old] = this.watches;
    if (old !== undefined && random.chance(0.4)) {
      this.watches.shift();
      return this.#terminal.handle({ kind: "unwatch", watch: old.watch });
    }
    const view = new WatchView(new Watch(random.chance(0.5) ? { name: random.pick(names) } : { prefix: "" }));
    this.watches.push(view);
    this.#terminal.handle({ kind: "watch", watch: view.watch });
  }

  #ask(ask: Ask): void {
    const { held } = this;
    // An upgrade that is under way may give its lock a new token.
    const upgrades = this.#open.some(({ kind }) => kind === "upgrade");
    if (ask.changes && !upgrades)
      ask.sure = ask.fences.every(({ name, token }) =>
        held.some((grant) => grant.token === token && grant.names.includes(name) && grant.leaving === 0),
      );
    this.asks.push(ask);
    this.#open.push(ask);
    this.#terminal.handle({ kind: "call", call: ask });
  }

  // ── what happens to it ────────────────────────────────────────────────────────────────────────────────────────────

  #sent(id: number, cable: Cable): void {
    const ask = this.#open.find((one) => one.id === id);
    if (ask === undefined) return;
    ask.sentOn.push(cable);
    this.#around.moments.sent(ask);
  }

  stop(): void {
    this.#terminal.stop();
  }

  goOn(): void {
    this.#terminal.goOn();
  }

  disconnect(): void {
    this.#terminal.cable?.cut("the connection broke");
  }

  /** SIGKILL. `keptOpenMs`: a child has its connection and keeps it open for so long. */
  die(keptOpenMs: number): void {
    this.alive = false;
    this.tables.leave();
    this.#terminal.die(keptOpenMs);
  }

  /** Its locks may be taken from it, or what it sent be looked at again. */
  unsure(): void {
    for (const ask of this.asks) ask.unsure();
  }

  #hear(effect: Told): void {
    switch (effect.kind) {
      case "answer":
        this.#around.moments.answered(effect.call, effect.result, this.transactions);
        this.#settled(effect.call, "done");
        return this.#answered(effect.call);
      case "rows":
        return this.#rows(effect.call, effect.rows);
      case "stream-done":
        if (!(effect.call instanceof Ask) || !this.#streams.delete(effect.call))
          throw new Error(`p${this.number}: a stream was done that was not open`);
        effect.call.over = true;
        return;
      case "granted":
        return this.#granted(effect.call, effect.grant);
      case "refuse":
        return this.#refused(effect.call, effect.refusal);
      case "lost":
        if (effect.reason.startsWith("the broker did not answer")) this.expired.add(effect.grant.token);
        return this.unsure();
      case "session-lost":
        return this.unsure();
      case "opened":
        this.session = effect.welcome.session as SessionId;
        this.secret = String(effect.welcome.whole["secret"]);
        return;
      case "watch-began":
        return this.#view(effect.watch)?.began(effect.begin);
      case "watch-events":
        return this.#view(effect.watch)?.events(effect.events);
      case "tables-watched":
      case "tables-changed":
      case "tables-gap":
        return this.tables.hear(effect);
      case "watch-ended":
        this.tables.ended(effect.watch);
        this.watches.splice(0, this.watches.length, ...this.watches.filter(({ watch }) => watch !== effect.watch));
        return;
      case "ended":
        this.ended = true;
        return this.#around.onExit();
      default:
    }
  }

  /** Each in its place, of its own stream, while that is open. */
  #rows(call: Call, rows: readonly unknown[]): void {
    if (!(call instanceof Ask) || !this.#streams.has(call)) throw new Error("rows of a stream that is not open");
    for (const row of rows) {
      const [what, number, shows] = row as [string, number, number];
      call.rows++;
      if (what !== call.what || number !== call.rows)
        throw new Error(`p${this.number}: row ${call.rows} of ${call.what} is row ${number} of ${what}`);
      this.#around.moments.row(call, shows, this.transactions);
    }
  }

  #view(watch: Watch): WatchView | undefined {
    return this.watches.find((view) => view.watch === watch);
  }

  #granted(call: Call, grant: Grant): void {
    if (call instanceof Ask && call.shared) this.shared.add(grant);
    if (call instanceof Ask && call.guard) this.#startCommand(grant);
    this.#settled(call, "done");
  }

  #answered(call: Call): void {
    if (!(call instanceof Ask)) return;
    if (call.kind === "stream") this.#streams.add(call);
    const grant = this.#confirming.get(call);
    if (grant === undefined) return;
    this.#confirming.delete(call);
    this.#startCommand(grant);
  }

  /** As `holdfast lock` does: only of a lock that the broker had lately. */
  #startCommand(grant: Grant): void {
    if (grant.state !== "held" || this.session === undefined) return;
    const { conversation } = this.#terminal;
    const { weather, processes } = this.#around;
    if (weather.agenda.now - conversation.leases.seenAt(grant) <= guardedStartMs) {
      this.guards.set(grant, processes.startCommand(grant, this.session));
      return;
    }
    const ask = new Ask("read", "session.ping", {});
    this.#confirming.set(ask, grant);
    this.#ask(ask);
  }

  #refused(call: Call, refusal: Refusal): void {
    // As the library has it: what it was to end is open all the same.
    const transaction = this.transactions.find((one) => one.ending === call);
    const isOpen = refusal.refused === "CANCELLED" && !this.leaving;
    if (transaction !== undefined && isOpen) this.#ask(transaction.rollBack());
    this.#settled(call, refusal.outcome ?? refusals[refusal.refused].outcome);
  }

  #settled(call: Call, outcome: "done" | Outcome): void {
    if (!(call instanceof Ask)) throw new Error("an answer to nothing that was asked");
    if (call.outcome !== "open")
      throw new Error(
        `p${this.number}: ${call.method} ${call.what} had the outcome ${call.outcome} and now ${outcome}`,
      );
    call.outcome = outcome;
    this.#open = this.#open.filter((ask) => ask !== call);
  }
}
