/**
 * What was before this front, until it is known: a core that clients can come to, and the ledger that goes with it.
 *
 *   awaited ──writer-ready──► known ──the database was taken by another broker──► over
 *      ├──another broker has the lock, and those who had it are gone──► over
 *      └ as long as a child of an earlier front holds the writer's lock and does not end
 *
 * | state   | what holds                                                                     | who may end it |
 * |---------|--------------------------------------------------------------------------------|----------------|
 * | known   | the core has what the ledger told, as far as it may be believed                 | another broker |
 * | awaited | there are no tokens, so nothing is granted; writes are refused; reads are served. | the first      |
 * |         | Whoever is new is welcome; whether the others' sessions live is not known yet   | writer, or     |
 * |         |                                                                                | another broker |
 * | over    | every session is ended, and nothing is granted: the process is to end           | nobody         |
 *
 * Which machine run the ledger is of (rule 13) is told by the writer's start write, so nothing that it says counts before.
 */
import { writeFileSync } from "node:fs";
import { Contradiction, Core, type LedgerEntry, type StoreEvent } from "../core/index.js";
import { Ledger, type LedgerContents } from "../ledger/index.js";
import { type Instant, type SessionId, seq } from "../terms/index.js";
import { leaveWord } from "./moved.js";
import { Ownership } from "./ownership.js";
import { isOfThisRun, type RebirthParts, recall, remember, type WriterAway, type WriterReady } from "./rebirth.js";

export class Past {
  readonly core: Core;
  #ledger: Ledger;
  readonly #parts: RebirthParts;
  /** What the ledger told, until a writer says whether it counts. */
  #awaited: LedgerContents | "damaged" | undefined;
  /**
   * Rows of what was learned from a writer that was awaited: they go with those of the next turn, so that a ledger that is full
   * is owed them like all others. The mark is among those, and until it is written all is found void again.
   */
  #owed: LedgerEntry[] = [];
  /** Awaited: those of before one of which holds the lock; and whether they were gone when it was last tried in vain. */
  readonly #stuck: WriterAway["stuck"] = [];
  #stuckGone = false;
  /** Known. */
  #ownership: Ownership | undefined;
  /** Clients could come, and there was a writer. */
  #served = false;

  constructor(word: WriterReady | WriterAway, parts: RebirthParts) {
    this.#parts = parts;
    if (word.kind === "writer-ready") {
      this.#ownership = new Ownership(word);
      const known = remember(word, parts);
      this.core = known.core;
      this.#ledger = known.ledger;
      return;
    }
    this.#ledger = Ledger.open(parts.places.ledger);
    const contents = this.#checked(this.#ledger.read());
    this.#awaited = contents;
    this.#stuck = word.stuck;
    this.core = new Core(parts.limits, seq(0));
    this.core.awaitPast(idsIn(contents));
    this.core.handle(word, parts.now);
  }

  /** Clients may come. */
  get ready(): boolean {
    return this.#awaited !== undefined || this.core.ready;
  }

  /** Always the one that counts now. */
  get ledger(): Pick<Ledger, "commit" | "close"> {
    return { commit: (entries) => this.#commit(entries), close: () => this.#ledger.close() };
  }

  /** Gives why the database is not this broker's any more: then it must end when the next turn is done. */
  hear(event: StoreEvent, now: Instant): string | undefined {
    const awaited = this.#awaited;
    this.#served ||= this.core.ready;
    const taken = this.#ownership?.hear(event, this.#served) ?? this.#isAnothers(event);
    if (taken !== undefined) this.#giveUp(taken, now);
    else if (event.kind === "writer-ready" && awaited !== undefined) this.#learn(awaited, event, now);
    else this.core.handle(event, now);
    return taken;
  }

  /** One of before may have gone while this was tried. What is tried after that, and in vain, another broker has. */
  #isAnothers(event: StoreEvent): string | undefined {
    if (this.#awaited === undefined || event.kind !== "writer-unavailable" || event.lockHeld !== true) return undefined;
    const goneBefore = this.#stuckGone;
    const { processes } = this.#parts;
    this.#stuckGone = this.#stuck.every(({ pid, startTime }) => processes.startTimeOf(pid) !== startTime);
    return goneBefore ? event.reason : undefined;
  }

  #learn(awaited: LedgerContents | "damaged", event: WriterReady, now: Instant): void {
    this.#awaited = undefined;
    this.#ownership = new Ownership(event);
    const parts = this.#parts;
    leaveWord(event, parts);
    const contents = isOfThisRun(event, parts) ? awaited : this.#beginAnew();
    const ledger = { read: () => contents, commit: (rows: readonly LedgerEntry[]) => void this.#owed.push(...rows) };
    recall(ledger, event, { ...parts, now }, this.core);
  }

  /** What contradicts itself must be known before anybody relies on it: it would be found in the middle of taking it up. */
  #checked(contents: LedgerContents | "damaged"): LedgerContents | "damaged" {
    if (contents === "damaged") return contents;
    const { limits, now, log } = this.#parts;
    try {
      new Core(limits, seq(0)).restore({ ...contents, tokensAbove: 0, graceMs: 0 }, now);
      return contents;
    } catch (error) {
      if (!(error instanceof Contradiction)) throw error;
      log("what the ledger says cannot be: it is taken for damaged", { error: error.message });
      this.#renew();
      return "damaged";
    }
  }

  #commit(entries: readonly LedgerEntry[]): void {
    const owed = this.#owed;
    this.#ledger.commit(owed.length === 0 ? entries : [...owed, ...entries]);
    this.#owed = [];
  }

  /** Those who are away find no broker here, and must not believe for ever in what they hold (`moved.ts`). */
  #giveUp(reason: string, now: Instant): void {
    const { places, log } = this.#parts;
    try {
      writeFileSync(places.moved, `${reason}\n`, { mode: 0o600 });
    } catch (error) {
      log("no word can be left for those who are away", { error: (error as Error).message });
    }
    this.core.handle({ kind: "database-taken", reason }, now);
  }

  /** It is of an earlier run of the machine. Of whom this core knows it knows again. */
  #beginAnew(): LedgerContents | "damaged" {
    this.#renew();
    this.#owed.push(...this.core.sessionRows.map((row): LedgerEntry => ({ kind: "session-opened", row })));
    return this.#ledger.read();
  }

  #renew(): void {
    const { ledger } = this.#parts.places;
    this.#ledger.close();
    Ledger.discard(ledger);
    this.#ledger = Ledger.open(ledger);
  }
}

function idsIn(contents: LedgerContents | "damaged"): ReadonlySet<SessionId> {
  return new Set(contents === "damaged" ? [] : contents.sessions.map(({ session }) => session));
}
