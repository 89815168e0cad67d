/** What a member of the crew is told to do, and what it tells back. */
import type { HistogramData } from "./histogram.js";

export type WorkloadName =
  | "broker-write"
  | "broker-read"
  | "broker-pairs"
  | "broker-handover"
  | "echo"
  | "echo-pairs"
  | "echo-handover"
  | "sqlite-write"
  | "sqlite-read";

export interface Order {
  readonly workload: WorkloadName;
  /** Directory of the broker (workloads broker-*). */
  readonly dir: string;
  /** Socket of the echo server (workloads echo*). */
  readonly echoSocket: string;
  /** Database file (workloads sqlite-*). */
  readonly database: string;
  /** Number of this process, from 0. */
  readonly member: number;
  /** Connections of this process, each with one request at a time. */
  readonly connections: number;
  readonly seconds: number;
  /** Bytes of an echoed request; the answer is as long. */
  readonly echoBytes: number;
}

export type FromMember =
  | { readonly kind: "ready" }
  | { readonly kind: "warm" }
  | { readonly kind: "done"; readonly outcome: MemberOutcome };

export interface MemberOutcome {
  readonly operations: number;
  readonly errors: number;
  readonly elapsedMs: number;
  readonly latencies: HistogramData;
  /** CPU time of this process, user and system together. */
  readonly cpuMs: number;
}
