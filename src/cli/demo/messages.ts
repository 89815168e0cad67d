/** What the conductor and its processes tell each other, over the channel that Node gives a forked child. */
import type { LatencySummary } from "./latencies.js";

export type Role = "indexer" | "asker" | "direct-indexer" | "direct-asker";

/** The first word to a child: what it needs to begin. */
export interface Assignment {
  readonly kind: "begin";
  readonly tree: string;
  /** Directory of the broker, or of the plain database. */
  readonly home: string;
  /** 0, 1, … among its kind; each begins at its own part of the tree. */
  readonly number: number;
  readonly numberMax: number;
}

export type ToChild =
  | Assignment
  /** Stand in line for this directory at once, whatever else you do: its holder is about to die. */
  | { readonly kind: "stand-in-line"; readonly directory: string }
  /** Tell when the first write that was sent after this instant was acknowledged. */
  | { readonly kind: "first-write-after"; readonly atMs: number }
  /** The asker's end: the indexers are done. */
  | { readonly kind: "finish" };

/** Cumulative; the last one that arrived counts, also for one that was killed. */
export interface IndexerCounts {
  readonly files: number;
  readonly bytes: number;
  readonly directories: number;
  /** Directories that somebody else held, so that this one waited. */
  readonly waits: number;
  readonly waitedMs: number;
  readonly writes: LatencySummary;
  /** SQLITE_BUSY after the whole busy_timeout (plain SQLite only). */
  readonly busy: number;
}

export interface AskerCounts {
  readonly files: number;
  readonly queries: LatencySummary;
  /** How often a later answer had fewer files than an earlier one: never, or something is wrong. */
  readonly wentBack: number;
}

export type FromChild =
  | { readonly kind: "ready" }
  | { readonly kind: "counts"; readonly counts: IndexerCounts }
  | { readonly kind: "asked"; readonly counts: AskerCounts }
  /** The lock of a directory was granted: `atMs` on the machine's clock. */
  | { readonly kind: "granted"; readonly directory: string; readonly files: number; readonly atMs: number }
  | { readonly kind: "left"; readonly directory: string }
  | { readonly kind: "first-write"; readonly afterMs: number; readonly atMs: number }
  | { readonly kind: "done" };

export function tell(message: FromChild): void {
  process.send?.(message);
}

/** Calls back for every word of the conductor. When the conductor is gone the child goes too: nobody is left to work for. */
export function listen(on: (message: ToChild) => void): void {
  process.on("message", (message) => on(message as ToChild));
  process.on("disconnect", () => process.exit(0));
  // Ctrl-C reaches the whole group; the conductor decides when its processes end.
  process.on("SIGINT", () => {});
}
