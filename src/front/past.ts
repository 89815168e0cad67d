/**
 * What was before this front, until it is known: a core that clients can come to, and the ledger that goes with it.
 *
 *   awaited ──writer-ready──► known
 *      │
 *      └ as long as a child of an earlier front holds the writer's lock and does not end
 *
 * | state   | what holds                                                                     | who may end it |
 * |---------|--------------------------------------------------------------------------------|----------------|
 * | known   | the core has what the ledger told, as far as it may be believed                 | nobody         |
 * | awaited | there are no tokens, so nothing is granted; writes are refused; reads are served. | the first      |
 * |         | Whoever is new is welcome; whether the others' sessions live is not known yet   | writer         |
 *
 * Which machine run the ledger is of (rule 13) is told by the writer's start write, so nothing that it says counts before.
 */
import { Core, type LedgerEntry, type StoreEvent } from "../core/index.js";
import { Ledger, type LedgerContents } from "../ledger/index.js";
import { type Instant, type SessionId, seq } from "../terms/index.js";
import { leaveWord } from "./moved.js";
import { isOfThisRun, type RebirthParts, recall, remember, type WriterAway, type WriterReady } from "./rebirth.js";

interface Awaited {
  readonly parts: RebirthParts;
  readonly contents: LedgerContents | "damaged";
}

export class Past {
  readonly core: Core;
  #ledger: Ledger;
  #awaited: Awaited | undefined;

  constructor(word: WriterReady | WriterAway, parts: RebirthParts) {
    if (word.kind === "writer-ready") {
      const known = remember(word, parts);
      this.core = known.core;
      this.#ledger = known.ledger;
      return;
    }
    this.#ledger = Ledger.open(parts.places.ledger);
    const contents = this.#ledger.read();
    this.#awaited = { parts, contents };
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
    return { commit: (entries) => this.#ledger.commit(entries), close: () => this.#ledger.close() };
  }

  hear(event: StoreEvent, now: Instant): void {
    const awaited = this.#awaited;
    if (event.kind !== "writer-ready" || awaited === undefined) return this.core.handle(event, now);
    this.#awaited = undefined;
    const { parts } = awaited;
    leaveWord(event, parts);
    const contents = isOfThisRun(event, parts) ? awaited.contents : this.#beginAnew(parts);
    const ledger = { read: () => contents, commit: (rows: readonly LedgerEntry[]) => this.#ledger.commit(rows) };
    recall(ledger, event, { ...parts, now }, this.core);
  }

  /** It is of an earlier run of the machine. Of whom this core knows it knows again. */
  #beginAnew({ places }: RebirthParts): LedgerContents | "damaged" {
    this.#ledger.close();
    Ledger.discard(places.ledger);
    this.#ledger = Ledger.open(places.ledger);
    this.#ledger.commit(this.core.sessionRows.map((row) => ({ kind: "session-opened", row })));
    return this.#ledger.read();
  }
}

function idsIn(contents: LedgerContents | "damaged"): ReadonlySet<SessionId> {
  return new Set(contents === "damaged" ? [] : contents.sessions.map(({ session }) => session));
}
