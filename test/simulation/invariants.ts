/**
 * What must hold whatever happens: the promises, as a bystander checks them who sees what the core is told, what it
 * decides, what is committed, dispatched and told, and knows nothing of how it decides.
 */
import type {
  Command,
  Core,
  Fence,
  Job,
  LedgerEntry,
  Letter,
  ProcessIdentity,
  SessionRow,
  Turn,
} from "../../src/core/index.js";
import type { WriterReady } from "../../src/front/rebirth.js";
import type { LedgerContents } from "../../src/ledger/index.js";
import type { Instant, Limits, RefusalCode } from "../../src/terms/index.js";
import type { Applied } from "../core/support/fake-writer.js";
import type { LedgerRows } from "../core/support/ledger-rows.js";
import type { Observer } from "./broker.js";
import type { Standing } from "./coverage.js";
import { type Held, type RowOf, Shadow } from "./shadow.js";
import { whatOf } from "./store.js";

/** How late the end of a window may be confirmed, and the turn in which that is found (ms). */
const lateMsMax = 5000;
const turnMsMax = 1500;

interface Session {
  /** The connection that speaks for it. */
  presentOn: number | undefined;
  /** It was there without a break since the turn began. */
  steady: boolean;
  /** It was there at some moment of this turn. */
  touched: boolean;
  /** In running time of the broker; valid while nobody speaks for it. */
  awaySince: number;
  windowMs: number;
  bound: boolean;
  process: ProcessIdentity | undefined;
  /** Why it may end before its window is over. */
  mayEnd: string | undefined;
  lastSeq: number;
}

export interface InvariantParts {
  readonly now: () => Instant;
  readonly limits: Limits;
  /** As they were committed. */
  readonly rows: () => LedgerRows;
  readonly storedSeq: () => number;
  /** A read is begun: have its own writes been seen to? */
  readonly onRead: (what: string) => void;
  /** The log is to be folded: nothing may read from it. */
  readonly onFold: () => void;
  /** A write was refused, whether its program hears of that or asks again. */
  readonly onRefused: (what: string, code: RefusalCode) => void;
}

export class Invariants implements Observer, Standing {
  readonly shadow = new Shadow();
  readonly #parts: InvariantParts;
  readonly #sessions = new Map<string, Session>();
  /** Written down since the last turn: who said hello, who went. */
  #log: Extract<Command, { kind: "hello" | "disconnected" }>[] = [];
  /** Grants whose end was asked for by those who hold them. */
  readonly #released = new Set<number>();
  readonly #connections = new Map<number, string>();
  /** Requests that were answered, by what was decided and by what was told. */
  readonly #decided = new Set<string>();
  readonly #told = new Set<string>();
  /** Sessions and grants that were ever in the ledger. */
  readonly #written = new Set<string | number>();
  /** Dispatched and not settled. */
  readonly #outstanding = new Set<number>();
  #endedNow: Held[] = [];
  readonly #sent = new Map<string, readonly Fence[]>();
  readonly #fences = new Map<string, readonly Fence[]>();
  readonly #whats = new Map<string, string>();
  readonly #over = new Set<string>();
  readonly #applied = new Set<string>();
  #seqHigh = 0;
  #pausedMs = 0;
  #frozenUntil = 0;

  constructor(parts: InvariantParts) {
    this.#parts = parts;
  }

  // ── lives of the broker ───────────────────────────────────────────────────────────────────────────────────────────

  born(remembered: LedgerContents | "damaged", found: WriterReady): void {
    const { sessions, grants, waiters, capacities } = this.#parts.rows();
    this.shadow.rebuilt(grants.values(), waiters.values(), capacities.values());
    const before = new Map(this.#sessions);
    this.#sessions.clear();
    for (const row of sessions.values())
      this.#sessions.set(row.session, { ...absent(row, this.#running), mayEnd: before.get(row.session)?.mayEnd });
    this.#connections.clear();
    this.#outstanding.clear();
    this.#decided.clear();
    this.#told.clear();
    // What its client sends again is another write, under the locks of then.
    for (const what of this.#sent.keys()) if (!this.#applied.has(what)) this.#over.add(what);
    this.#log = [];
    this.#seqHigh = 0;
    this.#frozenUntil = isUnknown(remembered, found) ? this.#running + this.#parts.limits.resumeWindowMs : 0;
  }

  // ── what the core is told ─────────────────────────────────────────────────────────────────────────────────────────

  command(command: Command): void {
    switch (command.kind) {
      case "hello":
      case "disconnected":
        this.#log.push(command);
        return;
      case "paused":
        this.#pausedMs += command.ms;
        return;
      case "process-fate":
        return this.#fate(command);
      case "settle":
        this.#mayEnd(command.session, "its successor settles it");
        return;
      case "goodbye":
        this.#goodbye(this.#connections.get(command.connection));
        return;
      case "release":
        this.#released.add(command.token);
        return;
      case "write": {
        const { what } = whatOf(command.parcel);
        this.#fences.set(what, command.fences);
        this.#whats.set(`${command.connection}/${command.request}`, what);
        return;
      }
      case "writer-ready":
        this.#outstanding.clear();
        this.#seqHigh = 0;
        return;
      case "writer-settled":
        for (const { seq } of command.answers) this.#outstanding.delete(seq);
        return;
      default:
    }
  }

  // ── what it decides ───────────────────────────────────────────────────────────────────────────────────────────────

  decided({ ledger, send }: Turn): void {
    this.#endedNow = [];
    for (const session of this.#sessions.values()) {
      session.steady = session.presentOn !== undefined;
      session.touched = session.steady;
    }
    for (const command of this.#log) {
      if (command.kind === "disconnected") this.#gone(command.connection);
      else if (send.some((letter) => isWelcome(letter, command))) this.#welcome(command);
    }
    this.#log = [];
    for (const entry of ledger) this.#row(entry);
    for (const letter of send) if ("request" in letter) this.#answered(letter);
  }

  committed(entries: readonly LedgerEntry[]): void {
    for (const entry of entries) {
      if (entry.kind === "granted" || entry.kind === "session-opened") this.#written.add(rowName(entry));
      if (entry.kind === "mark" && entry.seq > this.#parts.storedSeq())
        throw new Error("the ledger's mark is ahead of the database");
    }
  }

  dispatched(job: Job): void {
    if (job.kind === "read" || job.kind === "stream") this.#parts.onRead(whatOf(job.parcel).what);
    if (job.kind === "checkpoint") this.#parts.onFold();
    if (job.to !== "writer" || (job.kind !== "write" && job.kind !== "settle")) return;
    if (job.seq <= this.#seqHigh) throw new Error(`write ${job.seq} was dispatched after ${this.#seqHigh}`);
    this.#seqHigh = job.seq;
    this.#outstanding.add(job.seq);
    const session = this.#sessions.get(job.session);
    if (session !== undefined) session.lastSeq = job.seq;
    if (job.kind === "write") this.#write(job);
  }

  delivered(letters: Turn["send"]): void {
    for (const letter of letters) this.#letter(letter);
  }

  turned(core: Core): void {
    const through = this.#settledThrough;
    for (const one of this.shadow.draining) {
      if (one.until !== Number.POSITIVE_INFINITY) continue;
      one.until = Math.max(one.held.lastSeq, this.#sessions.get(one.held.session)?.lastSeq ?? 0);
    }
    this.shadow.settledThrough(through);
    this.#nobodyIsForgotten(core);
    this.#nobodyStays();
  }

  /** A write is there for all to see. */
  applied({ what, seq }: Applied): void {
    this.#applied.add(what);
    const under = this.#sent.get(what);
    if (under === undefined) throw new Error(`write ${seq} (${what}) was applied and never dispatched`);
    for (const { name, token } of under) {
      const later = this.shadow.excludedBy(name, token);
      if (later !== undefined)
        throw new Error(
          `${what} was sent while ${name} was held under ${token}, and applied after ${later} was granted`,
        );
    }
  }

  sessionOf(connection: number): string | undefined {
    return this.#connections.get(connection);
  }

  isKnown(session: string): "unknown" | "away" | "live" {
    const known = this.#sessions.get(session);
    if (known === undefined) return "unknown";
    return known.presentOn === undefined ? "away" : "live";
  }

  /** Whether this request on this connection has its answer, perhaps in this very turn. */
  isAnswered(connection: number, request: string | number): boolean {
    return this.#decided.has(`${connection}/${request}`);
  }

  #answered(letter: Extract<Letter, { request: unknown }>): void {
    const id = `${letter.to}/${letter.request}`;
    this.#decided.add(id);
    const what = this.#whats.get(id);
    if (what !== undefined && letter.kind === "refused") this.#parts.onRefused(what, letter.refusal.refused);
  }

  // ── who is there ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** The broker's own time, in which it stood still for nobody. */
  get #running(): number {
    return this.#parts.now() - this.#pausedMs;
  }

  #welcome(hello: Extract<Command, { kind: "hello" }>): void {
    const session = this.#sessions.get(hello.session) ?? absent({ identity: hello.identity }, this.#running);
    this.#sessions.set(hello.session, session);
    session.presentOn = hello.connection;
    session.touched = true;
    this.#connections.set(hello.connection, hello.session);
    // What it does not list is given back.
    const tokens = new Set<number>(hello.grants.map(({ token }) => token));
    const keys = new Set<number>(hello.pending);
    for (const { token, key, session: holder } of this.shadow.held.values())
      if (holder === hello.session && !tokens.has(token) && !keys.has(key)) this.#released.add(token);
  }

  #gone(connection: number): void {
    const id = this.#connections.get(connection);
    this.#connections.delete(connection);
    const session = id === undefined ? undefined : this.#sessions.get(id);
    if (session === undefined || session.presentOn !== connection) return;
    session.presentOn = undefined;
    session.steady = false;
    session.awaySince = this.#running;
  }

  #fate({ session: id, process, fate }: Extract<Command, { kind: "process-fate" }>): void {
    const known = this.#sessions.get(id)?.process;
    const isIts = known?.pid === process.pid && known.startTime === process.startTime;
    if (fate === "dead" && isIts) this.#mayEnd(id, "its process is dead");
  }

  #goodbye(id: string | undefined): void {
    this.#mayEnd(id, "it says goodbye");
    for (const { token, session } of this.shadow.held.values()) if (session === id) this.#released.add(token);
  }

  #mayEnd(id: string | undefined, why: string): void {
    const session = id === undefined ? undefined : this.#sessions.get(id);
    if (session !== undefined) session.mayEnd = why;
  }

  /** Why the session may be over now, if it may. */
  #whyOver(id: string): string | undefined {
    const session = this.#sessions.get(id);
    if (session === undefined) return "it is not there";
    if (session.mayEnd !== undefined) return session.mayEnd;
    const { presentOn, bound, awaySince, windowMs } = session;
    const over = presentOn === undefined && !bound && this.#running - awaySince >= windowMs;
    return over ? "its window is over" : undefined;
  }

  // ── rows ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  #row(entry: LedgerEntry): void {
    const { shadow } = this;
    switch (entry.kind) {
      case "session-opened": {
        const { session, windowMs, identity } = entry.row;
        const known = this.#sessions.get(session) ?? absent(entry.row, this.#running);
        this.#sessions.set(
          session,
          Object.assign(known, { windowMs, bound: identity.bound, process: identity.process }),
        );
        return;
      }
      case "session-ended":
        if (this.#whyOver(entry.session) === undefined)
          throw new Error(`session ${entry.session} was ended, and it was not over`);
        this.#sessions.delete(entry.session);
        return;
      case "queued":
        return shadow.queued(entry.row);
      case "unqueued":
        return shadow.unqueued(entry.arrival);
      case "granted":
        return this.#granted(entry.row);
      case "grant-ended":
        return this.#ended(entry.token);
      case "grant-changed":
        shadow.changed(entry.was, entry.row);
        return;
      case "capacity":
        return shadow.resized(entry.row);
      default:
    }
  }

  #granted(row: Extract<LedgerEntry, { kind: "granted" }>["row"]): void {
    const { claims, session } = row;
    const name = claims[0]?.name;
    if (this.#sessions.get(session)?.touched !== true)
      throw new Error(`${name} was granted to ${session}, which is not there`);
    if (this.#running < this.#frozenUntil) throw new Error(`${name} was granted while nobody knows who holds it`);
    this.shadow.granted(row, (other) => this.#sessions.get(other)?.steady === true);
  }

  #ended(token: number): void {
    const held = this.shadow.ended(token);
    this.#endedNow.push(held);
    if (!this.#released.has(token) && this.#whyOver(held.session) === undefined)
      throw new Error(`${held.session} lost ${held.claims[0]?.name} (token ${token}) for no reason`);
  }

  // ── jobs and letters ──────────────────────────────────────────────────────────────────────────────────────────────

  #write(job: Extract<Job, { to: "writer"; kind: "write" }>): void {
    const { what } = whatOf(job.parcel);
    const { shadow } = this;
    // What goes again because its writer died was sent while it was held; what was given back since still counts.
    const again = this.#sent.has(what) && !this.#over.has(what);
    const givenBack = shadow.draining.map(({ held }) => held).filter(({ token }) => this.#released.has(token));
    const heldThen = (fence: Fence) =>
      [shadow.held.get(fence.token), ...this.#endedNow, ...(again ? givenBack : [])].some(
        (held) => held?.token === fence.token && held.claims.some(({ name }) => name === fence.name),
      );
    const fences = this.#fences.get(what) ?? [];
    const broken = fences.find((fence) => !heldThen(fence));
    if (broken !== undefined && job.mode === "run")
      throw new Error(`${what} was sent to run, and its fence on ${broken.name} is broken`);
    for (const { token } of fences) {
      const held = shadow.held.get(token) ?? this.#endedNow.find((one) => one.token === token);
      if (held !== undefined) held.lastSeq = job.seq;
    }
    if (this.#sent.has(what) && !this.#over.delete(what)) return;
    const own = [...shadow.held.values()].filter(({ session }) => session === job.session);
    const under = own.flatMap(({ token, claims }) => claims.map(({ name }) => ({ name, token }) as Fence));
    this.#sent.set(what, [...fences, ...under]);
  }

  #letter(letter: Letter): void {
    if (letter.kind === "granted" && !this.#written.has(letter.grant.token))
      throw new Error(`grant ${letter.grant.token} was told before it was in the ledger`);
    if (letter.kind === "welcome" && !this.#written.has(letter.session))
      throw new Error(`${letter.session} was welcomed before it was in the ledger`);
    if (!("request" in letter)) return;
    const id = `${letter.to}/${letter.request}`;
    // One that was refused is over; asked again, it is another one, under the locks of then.
    if (letter.kind === "refused") this.#over.add(this.#whats.get(id) ?? "");
    if (this.#told.has(id)) throw new Error(`request ${id} was answered twice: ${JSON.stringify(letter)}`);
    this.#told.add(id);
  }

  // ── after the turn ────────────────────────────────────────────────────────────────────────────────────────────────

  get #settledThrough(): number {
    let first = Number.POSITIVE_INFINITY;
    for (const seq of this.#outstanding) first = Math.min(first, seq);
    return first - 1;
  }

  #nobodyIsForgotten(core: Core): void {
    if (!core.ready || this.#running < this.#frozenUntil) return;
    const place = this.shadow.grantable((session) => this.#sessions.get(session)?.presentOn !== undefined);
    if (place !== undefined)
      throw new Error(`${place.session} waits for ${place.claims[0]?.name}, is there, and nothing is in its way`);
  }

  /** Nobody who is dead holds anything; nobody stays beyond his window. */
  #nobodyStays(): void {
    for (const { session, token } of this.shadow.held.values())
      if (this.#sessions.get(session)?.mayEnd === "its process is dead")
        throw new Error(`${session} is dead and holds ${token}`);
    for (const [id, { presentOn, bound, awaySince, windowMs, mayEnd }] of this.#sessions)
      if (mayEnd === undefined && presentOn === undefined && !bound)
        if (this.#running - awaySince > windowMs + lateMsMax + turnMsMax)
          throw new Error(`${id} has been away for ${this.#running - awaySince} ms and has ${windowMs}`);
  }
}

function absent({ windowMs = 0, identity }: Partial<SessionRow>, awaySince: number): Session {
  return {
    ...{ presentOn: undefined, steady: false, touched: false, awaySince },
    ...{ windowMs, bound: identity?.bound ?? false, process: identity?.process, mayEnd: undefined, lastSeq: 0 },
  };
}

/** Somebody may hold what nobody remembers, and live on (rules 13 and 14). */
function isUnknown(remembered: LedgerContents | "damaged", found: WriterReady): boolean {
  if (remembered === "damaged") return true;
  const { grants, mark } = remembered;
  if (mark === undefined || grants.length === 0) return false;
  const { tokensTo, seq, incarnation } = mark;
  return incarnation !== found.incarnation || seq > found.storedSeq || tokensTo > found.tokensFrom;
}

function isWelcome(letter: Letter, { connection, request }: Extract<Command, { kind: "hello" }>): boolean {
  return letter.kind === "welcome" && letter.to === connection && letter.request === request;
}

function rowName({ kind, row }: RowOf<"granted" | "session-opened">): string | number {
  return kind === "granted" ? row.token : row.session;
}
