/** What a member of the crew is told to do, and what it tells back. */
import type { HistogramData } from "./histogram.js";

/** Who is measured: the broker, the floors below it, its peers. */
export type Contestant =
  | "broker"
  | "echo"
  | "sqlite"
  | "grouped"
  | "live-mutex"
  | "redis"
  | "redlock"
  | "postgres"
  | "proper-lockfile"
  | "flock";

export type Work =
  /** Acquire and release a name of one's own. */
  | "pairs"
  /** Acquire and release the one name that all want. */
  | "handover"
  /** One durable row. */
  | "write"
  /** The same under a lock; and with and without a request key by a client that does nothing else. */
  | "fenced-write"
  | "keyed-write"
  | "keyless-write"
  /** One row by its key; a hundred neighbouring rows. */
  | "read"
  | "rows"
  /** Nine reads of one row, then one durable row. */
  | "mixed"
  /** As many writes, or reads, at once as one connection may have. */
  | "write-flood"
  | "read-flood";

/** Where the contestants are to be found. */
export interface Places {
  /** Directory of the broker. */
  readonly dir: string;
  readonly brokerSocket: string;
  readonly echoSocket: string;
  /** Database file for those who open it themselves. */
  readonly database: string;
  readonly redisSocket: string;
  /** The directory of PostgreSQL's socket. */
  readonly postgresDir: string;
  readonly liveMutexSocket: string;
  /** For locks that are files, and for the baton. */
  readonly filesDir: string;
}

export interface Order {
  readonly who: Contestant;
  readonly work: Work;
  readonly places: Places;
  /** Number of this process, from 0. */
  readonly member: number;
  /** Connections of this process, each with one request at a time. */
  readonly connections: number;
  /**
   * Not measured before each process has done so many operations and for so long, at most for the longer time: Node
   * compiles what runs often, and until then the same code takes twice the time or more.
   */
  readonly warmOperations: number;
  readonly warmMsMin: number;
  readonly warmMsMax: number;
  readonly seconds: number;
  /** Bytes of an echoed request; the answer is as long. */
  readonly echoBytes: number;
}

export type ToMember = Order | "warm up" | "go";

export type FromMember =
  | { readonly kind: "ready" }
  | { readonly kind: "warm" }
  | { readonly kind: "done"; readonly outcome: MemberOutcome };

export interface MemberOutcome {
  readonly operations: number;
  readonly errors: number;
  /** How often a lock came from another than the one who had it last. */
  readonly changes: number;
  readonly elapsedMs: number;
  readonly latencies: HistogramData;
  /** CPU time of this process, user and system together. */
  readonly cpuMs: number;
}
