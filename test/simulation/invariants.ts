/**
 * What must hold whatever happens: the promises, as a bystander checks them who sees what the core is told, what it
 * decides, what is committed, dispatched and told, and knows nothing of how it decides.
 */
import type {
  AcquireCommand,
  Command,
  ConvertCommand,
  Core,
  GrantRow,
  Job,
  LedgerEntry,
  Letter,
  Turn,
} from "../../src/core/index.js";
import type { WriterReady } from "../../src/front/rebirth.js";
import type { LedgerContents } from "../../src/ledger/index.js";
import type { Instant, Limits, RefusalCode, SessionId } from "../../src/terms/index.js";
import type { Applied } from "../core/support/fake-writer.js";
import type { LedgerRows } from "../core/support/ledger-rows.js";
import type { Wanted } from "./banker.js";
import type { Observer } from "./broker.js";
import { Causes, isByHolder } from "./causes.js";
import { graceOf } from "./grace.js";
import { lateMsMax, Presence } from "./presence.js";
import { type Held, type RowOf, Shadow } from "./shadow.js";
import type { Standing } from "./situations.js";
import { whatOf } from "./store.js";
import { TablesSeen, type TablesSeenParts } from "./tables-seen.js";
import { isCommit } from "./transaction.js";
import { TransactionShadow } from "./transaction-shadow.js";
import { WrittenOrder } from "./written-order.js";

type Answer = Extract<Letter, { request: unknown }>;

/** On a full disk for its row; every other answer is told in the turn in which it is decided. */
const mayWait: ReadonlySet<Letter["kind"]> = new Set(["welcome", "converted", "resized"]);

export interface InvariantParts extends Pick<TablesSeenParts, "absentAt" | "onTold"> {
  readonly now: () => Instant;
  readonly limits: Limits;
  /** As they were committed. */
  readonly rows: () => LedgerRows;
  readonly storedSeq: () => number;
  readonly diskFull: () => boolean;
  /** A read is begun: have its own writes been seen to? */
  readonly onRead: (what: string) => void;
  /** The log is to be folded: nothing may read from it. */
  readonly onFold: () => void;
  /** A write was refused, whether its program hears of that or asks again. */
  readonly onRefused: (what: string, code: RefusalCode) => void;
  /** A lease has ended: does its program still believe in it? */
  readonly onLeaseOver: (held: Held) => void;
  /** A grant begins: does anything run under another that excludes it? */
  readonly onGranted: (held: Held) => void;
  /** It is over for its holder. `why`: in a word. */
  readonly onEnded: (held: Held, why: string) => void;
}

export class Invariants implements Observer, Standing {
  readonly presence: Presence;
  readonly shadow = new Shadow();
  readonly writes: WrittenOrder;
  readonly transactions: TransactionShadow;
  readonly tables: TablesSeen;
  readonly #parts: InvariantParts;
  readonly #causes: Causes;
  /** Requests that were answered, by what was decided and by what was told. */
  readonly #decided = new Set<string>();
  readonly #told = new Set<string>();
  /** Sessions and grants that were ever in the ledger. */
  readonly #written = new Set<string | number>();
  /** Grants that ended otherwise than by their release. */
  readonly #taken = new Set<number>();
  #endedNow: Held[] = [];
  #answers: readonly Answer[] = [];
  /** What the core was told since the last turn, if that was one thing only. */
  #only: Command | undefined;
  /** Grants up to this token are void: nobody knew any more who held what. */
  voidThrough = 0;
  #commands = 0;
  #toldSince = 0;
  #frozenUntil = 0;
  /** "room": there is again, and with the next turn it goes on. */
  #ledger: "writable" | "full" | "room" = "writable";

  constructor(parts: InvariantParts) {
    this.#parts = parts;
    this.presence = new Presence(parts.now);
    this.transactions = new TransactionShadow(parts.limits, this.presence);
    this.#causes = new Causes(this.shadow, () => this.presence.running);
    this.writes = new WrittenOrder({ shadow: this.shadow, causes: this.#causes, presence: this.presence });
    this.tables = new TablesSeen({
      ...parts,
      running: () => this.presence.running,
      windowOf: (connection) => this.presence.get(this.presence.sessionOf(connection) ?? "")?.windowMs,
    });
  }

  // ── lives of the broker ───────────────────────────────────────────────────────────────────────────────────────────

  born(remembered: LedgerContents | "damaged", found: WriterReady, bootId: string): void {
    const { limits, rows } = this.#parts;
    const { sessions, grants, waiters, capacities } = rows();
    this.shadow.forgetUnwritten((token) => this.#written.has(token));
    this.shadow.rebuilt(grants.values(), waiters.values(), capacities.values());
    this.presence.born(sessions.values(), limits.recoveryGraceMs);
    this.#causes.forget();
    this.writes.born();
    this.transactions.born();
    this.tables.born(found);
    this.#decided.clear();
    this.#told.clear();
    this.#commands = 0;
    this.#ledger = "writable";
    const graceMs = graceOf(remembered, found, { bootId, limits });
    this.#frozenUntil = graceMs > 0 ? this.presence.running + graceMs : 0;
    if (graceMs > 0) this.voidThrough = this.shadow.tokenHigh;
  }

  // ── what the core is told ─────────────────────────────────────────────────────────────────────────────────────────

  command(command: Command): void {
    // An id may be used again when it was answered.
    if ("request" in command && command.kind !== "cancel")
      this.#told.delete(`${command.connection}/${command.request}`);
    this.presence.told(command);
    if (this.#commands++ === 0) this.#toldSince = this.presence.running;
    this.#only = this.#commands === 1 ? command : undefined;
    this.writes.told(command);
    this.transactions.told(command);
    this.tables.command(command);
    if (command.kind === "ledger") this.#ledger = command.full ? "full" : "room";
    if (command.kind === "ledger" && command.full) for (const token of command.unwritten) this.#causes.unlisted(token);
    const session = "connection" in command ? this.presence.sessionOf(command.connection) : undefined;
    if (session !== undefined) this.#causes.asked(command, session);
  }

  heard(connection: number): void {
    this.presence.heard(connection);
  }

  // ── what it decides ───────────────────────────────────────────────────────────────────────────────────────────────

  decided(turn: Turn): void {
    const { ledger, send } = turn;
    if (this.#ledger === "room") this.#ledger = "writable";
    this.tables.decided(turn);
    this.#endedNow = [];
    for (const hello of this.presence.turned(send)) {
      this.#causes.cameAgain(hello.session);
      // What it does not list is given back.
      const tokens = new Set<number>(hello.grants.map(({ token }) => token));
      const pending = new Set<number>(hello.pending);
      const isAsked = ({ key, converted }: Pick<GrantRow, "key" | "converted">) =>
        pending.has(key) || (converted !== undefined && pending.has(converted));
      for (const held of [...this.shadow.held.values(), ...bornAndGone(ledger)])
        if (held.session === hello.session && !tokens.has(held.token) && !isAsked(held))
          this.#causes.unlisted(held.token);
    }
    const alone = this.#only;
    if (alone?.kind === "acquire" || alone?.kind === "convert") this.#refusedRightly(alone, send);
    for (const entry of ledger) this.#row(entry, send);
    // One that is given back and whose writes are under way may be broken: then they are taken as well.
    for (const { token, outcome } of send.flatMap((letter) => (letter.kind === "broken" ? letter.ended : [])))
      if (outcome === "broken") this.#taken.add(this.shadow.originOf(token));
    this.#answers = send.filter(isAnswer);
    for (const letter of this.#answers) this.#answered(letter);
    this.presence.decided();
    this.transactions.decided(send);
    this.#commands = 0;
    this.#only = undefined;
  }

  committed(entries: readonly LedgerEntry[]): void {
    for (const entry of entries) {
      if (entry.kind === "granted" || entry.kind === "session-opened") this.#written.add(rowName(entry));
      if (entry.kind === "grant-changed") this.#written.add(entry.row.token);
      if (entry.kind === "mark" && entry.seq > this.#parts.storedSeq())
        throw new Error("the ledger's mark is ahead of the database");
    }
  }

  dispatched(job: Job): void {
    if ((job.to === "reader" && job.kind === "read") || (job.to === "snapshot" && job.kind === "stream"))
      this.#parts.onRead(whatOf(job.parcel).what);
    if (job.kind === "checkpoint") this.#parts.onFold();
    this.writes.dispatched(job, this.#endedNow);
    this.transactions.dispatched(job);
  }

  delivered(letters: Turn["send"]): void {
    for (const letter of letters) this.#letter(letter);
    for (const letter of this.#answers)
      if (!mayWait.has(letter.kind) && !this.#told.has(`${letter.to}/${letter.request}`))
        throw new Error(`request ${letter.to}/${letter.request} has its answer, and is not told: ${letter.kind}`);
  }

  turned(core: Core): void {
    const { shadow, presence } = this;
    for (const one of shadow.draining) {
      if (one.until !== Number.POSITIVE_INFINITY) continue;
      one.until = Math.max(one.held.lastSeq, presence.lastSeqOf(one.held.session));
    }
    shadow.settledThrough(this.writes.settledThrough);
    this.#causes.turned();
    this.#nobodyIsForgotten(core);
    this.#nobodyStays();
    this.transactions.check();
  }

  /** A write is there for all to see. */
  applied(applied: Applied): void {
    this.#causes.applied(applied.what);
    this.writes.applied(applied);
  }

  // ── what others ask ───────────────────────────────────────────────────────────────────────────────────────────────

  sessionOf(connection: number): string | undefined {
    return this.presence.sessionOf(connection);
  }

  isKnown(session: string): "unknown" | "away" | "live" {
    const known = this.presence.get(session);
    if (known === undefined) return "unknown";
    return known.presentOn === undefined ? "away" : "live";
  }

  isNested(session: string): boolean {
    return this.presence.outerOf(session) !== undefined;
  }

  waiterFor(name: string): SessionId | undefined {
    const place = this.shadow.places.find(({ claims }) => claims.some((claim) => claim.name === name));
    return place?.session as SessionId | undefined;
  }

  wasTaken(token: number): boolean {
    return this.#taken.has(this.shadow.originOf(token));
  }

  /** Whether this request on this connection has its answer, perhaps in this very turn. */
  isAnswered(connection: number, request: string | number): boolean {
    return this.#decided.has(`${connection}/${request}`);
  }

  // ── rows ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  #row(entry: LedgerEntry, send: Turn["send"]): void {
    const { shadow, presence } = this;
    switch (entry.kind) {
      case "session-opened":
        return presence.opened(entry.row);
      case "session-ended":
        return presence.ended(entry.session);
      case "queued":
        return shadow.queued(entry.row);
      case "unqueued":
        return shadow.unqueued(entry.arrival);
      case "granted":
        return this.#granted(entry.row);
      case "grant-changed": {
        const { before, after } = shadow.changed(entry.was, entry.row);
        if (after.ending && !before.ending) this.#ended(before, send);
        // Writes that were sent before it in this turn were sent under its old token.
        else this.#endedNow.push(before);
        return;
      }
      case "grant-ended": {
        const held = shadow.ended(entry.token);
        // Of one whose processes lived it was said before.
        if (!held.ending) this.#ended(held, send);
        return;
      }
      case "capacity":
        return shadow.resized(entry.row);
      default:
    }
  }

  #granted(row: GrantRow): void {
    const { session, token } = row;
    if (this.presence.get(session)?.touched !== true)
      throw new Error(`grant ${token} was given to ${session}, which is not there`);
    if (this.presence.running < this.#frozenUntil - 0.001)
      throw new Error(`grant ${token} was given while nobody knows who holds what`);
    if (this.#ledger === "full") throw new Error(`grant ${token} was given while the ledger is full`);
    const held = this.shadow.granted(row, this.presence.wasThere);
    held.since = this.#commands > 0 ? this.#toldSince : this.presence.running;
    this.#parts.onGranted(held);
  }

  #ended(held: Held, send: Turn["send"]): void {
    this.#endedNow.push(held);
    const { session: id, token } = held;
    const cause = this.#causes.ends(held, send);
    const session = this.presence.get(id);
    const over = this.presence.whyOver(id);
    if (send.some((letter) => letter.kind === "farewell" && this.presence.sessionOf(letter.to) === id))
      this.#causes.saidGoodbye(held);
    const why = cause ?? (over === undefined ? "lease" : "session");
    this.#parts.onEnded(held, why.replace(" ", "-"));
    if (isByHolder(cause)) return;
    this.#taken.add(held.origin);
    if (over !== undefined) return;
    if (cause === undefined && !this.#leaseIsOver(held))
      throw new Error(`${id} lost ${held.claims[0]?.name} (token ${token}) for no reason`);
    if (cause === undefined) this.#parts.onLeaseOver(held);
    const knows = cause === "handed" && this.#causes.isOwn(held, send);
    if (session?.steady === true && !knows) this.#isTold(held, session.presentOn, send);
  }

  /** Nothing was heard for so long. */
  #leaseIsOver({ session: id, ttlMs, since }: Held): boolean {
    const session = this.presence.get(id);
    if (ttlMs === undefined || session === undefined) return false;
    const heardAt = session.heardAtLook ?? session.heardAt;
    const over = Math.max(Math.max(heardAt, since) + ttlMs, session.graceUntil);
    return this.presence.running >= over - 0.001;
  }

  #isTold({ claims, token }: Held, to: number | undefined, send: Turn["send"]): void {
    // It has come on another connection meanwhile, and is told there what it holds.
    const isWelcome = (letter: Letter) =>
      letter.kind === "welcome" && letter.to === to && !letter.grants.some((grant) => grant.token === token);
    if (send.some(isWelcome)) return;
    for (const { name } of claims) {
      const isIt = (letter: Letter) =>
        letter.kind === "lost" && letter.to === to && letter.fence.token === token && letter.fence.name === name;
      if (!send.some(isIt)) throw new Error(`the loss of ${name} (token ${token}) was not told`);
    }
  }

  // ── letters ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #answered(letter: Answer): void {
    const id = `${letter.to}/${letter.request}`;
    this.#decided.add(id);
    const what = this.writes.whatOf(id);
    if (what !== undefined && letter.kind === "refused") this.#parts.onRefused(what, letter.refusal.refused);
    // A commit with nothing to write is nowhere; what it gives back may follow writes that were sent before it.
    if (what !== undefined && letter.kind === "committed") this.#causes.applied(what);
    if (what !== undefined && letter.kind === "answer" && !isCommit(what)) this.#isGivenBack(what);
  }

  /** What a write gives back is given back with its answer; after a commit writes may have to go first that were sent before. */
  #isGivenBack(what: string): void {
    const gift = this.#causes.givenBy(what);
    for (const { name, token } of gift?.fences ?? []) {
      const held = this.shadow.held.get(token);
      if (held !== undefined && !held.ending && held.session === gift?.session)
        throw new Error(`${what} was answered, and ${name} (token ${token}) is held on`);
    }
  }

  #letter(letter: Letter): void {
    if (letter.kind === "granted" && !this.#written.has(letter.grant.token))
      throw new Error(`grant ${letter.grant.token} was told before it was in the ledger`);
    if (letter.kind === "converted" && !this.#written.has(letter.fence.token))
      throw new Error(`the token ${letter.fence.token} was told before it was in the ledger`);
    // A newcomer has nothing to lose yet, and is let in while there is no room to write it down.
    const isNewcomer = letter.kind === "welcome" && !letter.resumed && this.#parts.diskFull();
    if (letter.kind === "welcome" && !isNewcomer && !this.#written.has(letter.session))
      throw new Error(`${letter.session} was welcomed before it was in the ledger`);
    if (!("request" in letter)) return;
    const id = `${letter.to}/${letter.request}`;
    if (letter.kind === "refused") this.writes.refused(id, letter.refusal.refused);
    if (this.#told.has(id)) throw new Error(`request ${id} was answered twice: ${JSON.stringify(letter)}`);
    this.#told.add(id);
  }

  /** Refused because of a deadlock: somebody would have waited for ever. Looked at when nothing else was asked in this turn. */
  #refusedRightly(asked: AcquireCommand | ConvertCommand, send: Turn["send"]): void {
    const { connection, request } = asked;
    const session = this.presence.sessionOf(connection);
    const refused = send.find(
      (letter) => letter.kind === "refused" && letter.to === connection && letter.request === request,
    );
    if (session === undefined || refused?.kind !== "refused" || refused.refusal.refused !== "DEADLOCK") return;
    const newcomer = this.#newcomer(session, asked);
    if (new Set(newcomer.claims.map(({ name }) => name)).size < newcomer.claims.length) return;
    const { shadow, presence } = this;
    const stuck = shadow.stuck(presence.isThere, presence.outerOf, newcomer);
    // Who upgrades may only make others wait for ever.
    if (asked.kind === "acquire" ? !stuck.includes(newcomer) : stuck.length === 0)
      throw new Error(`${session} was refused for a deadlock that is none: ${refused.refusal.message}`);
  }

  #newcomer(session: string, asked: AcquireCommand | ConvertCommand): Wanted {
    const { shadow } = this;
    const under = shadow.originsOf(asked.under);
    const whose = { session, under, beside: undefined, knownUpTo: Number.POSITIVE_INFINITY };
    if (asked.kind === "acquire") return { ...whose, claims: asked.claims, convertOf: undefined };
    return { ...whose, claims: [{ name: asked.name, mode: asked.to }], convertOf: shadow.originOf(asked.token) };
  }

  // ── after the turn ────────────────────────────────────────────────────────────────────────────────────────────────

  #nobodyIsForgotten(core: Core): void {
    const { shadow, presence } = this;
    if (!core.ready || presence.running < this.#frozenUntil + 0.001) return;
    const place = this.#ledger === "writable" ? shadow.grantable(presence.isThere) : undefined;
    if (place !== undefined)
      throw new Error(`${place.session} waits for ${place.claims[0]?.name}, is there, and nothing is in its way`);
    const [stuck] = shadow.stuck(presence.isThere, presence.outerOf);
    if (stuck !== undefined) throw new Error(`${stuck.session} waits for ${stuck.claims[0]?.name} for ever`);
  }

  /** Nobody who is dead or silent holds anything, nobody stays beyond his window. */
  #nobodyStays(): void {
    this.presence.check(this.writes.settledThrough);
    for (const { session: id, token, ttlMs, since, ending } of this.shadow.held.values()) {
      const session = this.presence.get(id);
      if (session === undefined || ending) continue;
      if (session.mustEnd) throw new Error(`${id} is dead and holds ${token}`);
      if (ttlMs === undefined) continue;
      const over = Math.max(Math.max(session.heardAt, since) + ttlMs, session.graceUntil);
      if (this.presence.running > over + lateMsMax) throw new Error(`the lease of ${token} is over since ${over}`);
    }
  }
}

function isAnswer(letter: Letter): letter is Answer {
  return "request" in letter;
}

function rowName({ kind, row }: RowOf<"granted" | "session-opened">): string | number {
  return kind === "granted" ? row.token : row.session;
}

/** Granted, and over in the same turn. */
function bornAndGone(ledger: readonly LedgerEntry[]): GrantRow[] {
  const gone = new Set(ledger.map(endedBy));
  return ledger.flatMap((entry) => (entry.kind === "granted" && gone.has(entry.row.token) ? [entry.row] : []));
}

function endedBy(entry: LedgerEntry): number | undefined {
  if (entry.kind === "grant-changed") return entry.row.ending === undefined ? undefined : entry.was;
  return entry.kind === "grant-ended" ? entry.token : undefined;
}
