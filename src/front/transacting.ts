/**
 * The transactions of one connection, as far as its reading depends on them. What is asked for beside a transaction may
 * wait for its end, and its end may stand behind that in the socket: so while there is one, what is asked for is held
 * back by how much it is, and not by how many requests it is. A begin that waits for its turn never holds anything back;
 * `transactionsMax` bounds them. A stream that is asked for may wait in the same way for another one, whose end, or the
 * credit for the rest of its rows, stands behind it: so it is always counted here.
 */
import type { Refusal, RequestId } from "../terms/index.js";
import { UnansweredBytes, type UnansweredOfAll } from "./unanswered-bytes.js";

/** What a connection with a transaction may have asked for and not been answered: its commit must be read behind it. */
const share = { least: 1024 * 1024, most: 16 * 1024 * 1024 };

/** A refusal of these ends the transaction for its client too, when it answers a commit. */
const ends: ReadonlySet<string> = new Set([
  "TX_LOST",
  "TX_EXPIRED",
  "TX_ROLLED_BACK",
  "FENCED",
  "SNAPSHOT_ENDED",
  "SQLITE_BUSY_SNAPSHOT",
  "SQLITE_BUSY",
  "DISK_FULL",
  "WRITER_UNAVAILABLE",
  "SHUTTING_DOWN",
]);

/** What the answer says of a transaction. */
interface About {
  readonly method: "tx.begin" | "tx.commit" | "tx.rollback";
  readonly tx: number;
}

export class Transacting {
  /** By the numbers of their client: begun, and not ended as far as its client was told. */
  readonly #open = new Set<number>();
  /** What was asked for while there was one, and every stream that was; not answered. */
  readonly #bytes: UnansweredBytes;
  /** Of that what begins or ends one; of two under one id, against the rules, the last. */
  readonly #about = new Map<RequestId, About>();

  constructor(all: UnansweredOfAll) {
    this.#bytes = new UnansweredBytes(share, all);
  }

  get full(): boolean {
    return this.#bytes.full;
  }

  get roomy(): boolean {
    return this.#bytes.roomy;
  }

  /** Says whether the request is counted here, and nowhere else. */
  begun(request: RequestId, method: string, params: unknown, bytes: number): boolean {
    if (this.#open.size === 0 && method !== "tx.begin" && method !== "db.stream") return false;
    const about = aboutOf(method, params);
    if (about?.method === "tx.begin") this.#open.add(about.tx);
    if (about === undefined) this.#about.delete(request);
    else this.#about.set(request, about);
    this.#bytes.begun(request, bytes);
    return true;
  }

  /** Says whether it was counted here. */
  answered(request: RequestId, refusal: Refusal | undefined): boolean {
    if (!this.#bytes.has(request)) return false;
    const about = this.#about.get(request);
    this.#bytes.answered(request);
    if (!this.#bytes.has(request)) this.#about.delete(request);
    if (about !== undefined && isOver(about.method, refusal)) this.#open.delete(about.tx);
    return true;
  }

  gone(): void {
    this.#bytes.gone();
  }
}

function aboutOf(method: string, params: unknown): About | undefined {
  if (method !== "tx.begin" && method !== "tx.commit" && method !== "tx.rollback") return undefined;
  const { tx } = (params ?? {}) as { readonly tx?: unknown };
  return typeof tx === "number" ? { method, tx } : undefined;
}

function isOver(method: About["method"], refusal: Refusal | undefined): boolean {
  if (method === "tx.begin") return refusal !== undefined;
  return refusal === undefined || ends.has(refusal.refused);
}
