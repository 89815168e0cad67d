/**
 * The transactions of one connection, as far as its reading depends on them. What is asked for beside a transaction may
 * wait for its end, and its end may stand behind that in the socket: so while there is one, what is asked for is held
 * back by how much it is, and not by how many requests it is. A begin that waits for its turn never holds anything back;
 * `transactionsMax` bounds them.
 */
import type { Refusal, RequestId } from "../terms/index.js";

/** What a connection with a transaction may have asked for and not been answered (bytes). */
const bytesMax = 16 * 1024 * 1024;
/** A request takes so much memory beside its own bytes, about. */
const requestBytes = 1024;

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

interface Asked {
  readonly weight: number;
  readonly times: number;
  /** What the answer says of a transaction. */
  readonly about: { readonly method: "tx.begin" | "tx.commit" | "tx.rollback"; readonly tx: number } | undefined;
}

export class Transacting {
  /** By the numbers of their client: begun, and not ended as far as its client was told. */
  readonly #open = new Set<number>();
  /** What was asked for while there was one, and is not answered. */
  readonly #asked = new Map<RequestId, Asked>();
  #bytes = 0;

  /** Too much is asked for: the connection is not to be read. */
  get full(): boolean {
    return this.#bytes > bytesMax;
  }

  /** Little enough is left of it to read on. */
  get roomy(): boolean {
    return this.#bytes <= bytesMax / 2;
  }

  /** Says whether the request is counted here, and nowhere else. */
  begun(request: RequestId, method: string, params: unknown, bytes: number): boolean {
    if (this.#open.size === 0 && method !== "tx.begin") return false;
    const about = aboutOf(method, params);
    if (about?.method === "tx.begin") this.#open.add(about.tx);
    // An id may be in use twice, against the rules: all the same every answer counts once, and nothing is given free
    // before the last of them.
    const before = this.#asked.get(request);
    const weight = bytes + requestBytes;
    this.#bytes += weight;
    this.#asked.set(request, { weight: weight + (before?.weight ?? 0), about, times: (before?.times ?? 0) + 1 });
    return true;
  }

  /** Says whether it was counted here. */
  answered(request: RequestId, refusal: Refusal | undefined): boolean {
    const asked = this.#asked.get(request);
    if (asked === undefined) return false;
    if (asked.times > 1) this.#asked.set(request, { ...asked, times: asked.times - 1 });
    else {
      this.#asked.delete(request);
      this.#bytes -= asked.weight;
    }
    if (asked.about !== undefined && isOver(asked.about.method, refusal)) this.#open.delete(asked.about.tx);
    return true;
  }
}

function aboutOf(method: string, params: unknown): Asked["about"] {
  if (method !== "tx.begin" && method !== "tx.commit" && method !== "tx.rollback") return undefined;
  const { tx } = (params ?? {}) as { readonly tx?: unknown };
  return typeof tx === "number" ? { method, tx } : undefined;
}

function isOver(method: "tx.begin" | "tx.commit" | "tx.rollback", refusal: Refusal | undefined): boolean {
  if (method === "tx.begin") return refusal !== undefined;
  return refusal === undefined || ends.has(refusal.refused);
}
