/**
 * Upgrades that stand behind writes of their session (rule 5) and wait for no lock yet, so that neither the table nor the
 * ledger knows of them. Their time runs from when they were asked for, and they can be cancelled, as if they waited.
 *
 *   (asked) ──► deferred ──► begun (upgrade.ts) · cancelled · timed out · dropped with their connection
 *
 * | state    | what holds                                                        | who may end it                        |
 * |----------|-------------------------------------------------------------------|---------------------------------------|
 * | deferred | it follows a write of its session that is not with the writer yet | the last of these writes; the client, |
 * |          |                                                                   | its connection; its deadline          |
 * | else     | it is nowhere here                                                | nobody                                |
 */
import { after, between, type Instant, type Millis, type Refusal, type RequestKey, refuse } from "../../terms/index.js";
import type { Asker, ConvertCommand } from "../command.js";
import type { Deadline, Deadlines } from "../deadlines.js";
import type { Session } from "../sessions/session.js";
import type { LockTable } from "./lock-table.js";
import { quote } from "./lock-view.js";
import type { Waits } from "./waits.js";

export interface DeferredUpgradesParts {
  readonly deadlines: Deadlines;
  readonly table: LockTable;
  readonly waits: Waits;
  /** Whether something was asked for under this key before, whatever became of it: that decides the answer then. */
  readonly isKnown: (session: Session, key: RequestKey) => boolean;
  readonly begin: (session: Session, ask: ConvertCommand, now: Instant) => void;
}

export interface DeferredUpgrade {
  readonly kind: "deferred";
  readonly session: Session;
  readonly ask: ConvertCommand;
  /** What follows the writes of its session. */
  readonly go: (sent: Instant) => void;
  /** Absent when it waits for ever, or only for the writes. */
  timeout: Deadline<DeferredUpgrade> | undefined;
}

export class DeferredUpgrades {
  readonly #parts: DeferredUpgradesParts;
  /** By session, in the order in which they were asked for. */
  readonly #all = new Map<Session, Set<DeferredUpgrade>>();

  constructor(parts: DeferredUpgradesParts) {
    this.#parts = parts;
  }

  /** `follow` does something after the writes that the session has sent: at once, when all are with the writer. */
  ask(session: Session, ask: ConvertCommand, follow: (go: (sent: Instant) => void) => void, now: Instant): void {
    const go = (sent: Instant) => this.#begin(upgrade, sent);
    const upgrade: DeferredUpgrade = { kind: "deferred", session, ask, go, timeout: undefined };
    const own = this.#all.get(session);
    if (own === undefined) this.#all.set(session, new Set([upgrade]));
    else own.add(upgrade);
    follow(go);
    // One that wants no wait for others is tried once, after the writes.
    const { waitMs = 0 } = ask;
    if (waitMs > 0 && this.#has(upgrade))
      upgrade.timeout = this.#parts.deadlines.arm("wait-timeout", upgrade, after(now, waitMs));
  }

  /** By its key. Returns whether there was one whose outcome this is. */
  cancel(session: Session, key: RequestKey, now: Instant): boolean {
    return !this.#parts.isKnown(session, key) && this.#cancel(session, ({ ask }) => ask.key === key, now);
  }

  /** By the id of its JSON-RPC request. Returns whether there was one. */
  cancelByAsker(session: Session, { connection, request }: Asker, now: Instant): boolean {
    return this.#cancel(session, ({ ask }) => ask.request === request && ask.connection === connection, now);
  }

  timedOut(upgrade: DeferredUpgrade, now: Instant): void {
    const { name } = upgrade.ask;
    const message = `${quote(name)} was not upgraded: writes that its session sent before are not with the writer yet`;
    const waiting = this.#parts.table.get(name)?.waiting ?? 0;
    this.#refuse(upgrade, refuse("LOCK_TIMEOUT", message, { name, holder: null, waiting }), now);
  }

  /** Nobody hears any more what the session's connection had asked: its client will ask again. */
  connectionLost(session: Session): void {
    for (const upgrade of this.#all.get(session) ?? []) this.#parts.deadlines.cancel(upgrade.timeout);
    this.#all.delete(session);
  }

  check(): void {
    for (const [session, own] of this.#all) {
      if (own.size === 0) throw new Error("deferred upgrades: a session without any is kept");
      const following = new Set(session.followers.map(({ go }) => go));
      for (const { go } of own) if (!following.has(go)) throw new Error("deferred upgrades: one follows nothing");
    }
  }

  // ── the machine ───────────────────────────────────────────────────────────────────────────────────────────────────

  #has(upgrade: DeferredUpgrade): boolean {
    return this.#all.get(upgrade.session)?.has(upgrade) === true;
  }

  #begin(upgrade: DeferredUpgrade, now: Instant): void {
    const { session, ask } = upgrade;
    const waitMs = waitLeft(upgrade, now);
    this.#remove(upgrade);
    this.#parts.begin(session, { ...ask, waitMs }, now);
  }

  #cancel(session: Session, isMeant: (upgrade: DeferredUpgrade) => boolean, now: Instant): boolean {
    for (const upgrade of this.#all.get(session) ?? []) {
      if (!isMeant(upgrade)) continue;
      const refusal = refuse("CANCELLED", `the request for ${quote(upgrade.ask.name)} was cancelled`);
      this.#refuse(upgrade, refusal, now);
      return true;
    }
    return false;
  }

  /** Unless its key has an outcome, or is another request's: one key, one outcome. */
  #refuse(upgrade: DeferredUpgrade, refusal: Refusal, now: Instant): void {
    const { session, ask, go } = upgrade;
    this.#remove(upgrade);
    const { followers } = session;
    followers.splice(
      followers.findIndex((follower) => follower.go === go),
      1,
    );
    if (this.#parts.isKnown(session, ask.key)) this.#parts.begin(session, ask, now);
    else this.#parts.waits.refuse(session, ask, refusal);
  }

  #remove(upgrade: DeferredUpgrade): void {
    const { session, timeout } = upgrade;
    this.#parts.deadlines.cancel(timeout);
    const own = this.#all.get(session);
    own?.delete(upgrade);
    if (own?.size === 0) this.#all.delete(session);
  }
}

/** Of the time that it may wait: something, for it has not timed out. */
function waitLeft({ ask, timeout }: DeferredUpgrade, now: Instant): Millis | undefined {
  return timeout === undefined ? ask.waitMs : Math.max(1, between(now, timeout.at));
}
