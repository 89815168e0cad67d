/** What a front needs to be told; the daemon finds it out. */
import type { Places } from "../places/index.js";
import type { BegunChild } from "../store/index.js";
import type { Limits } from "../terms/index.js";
import type { LockCarriers } from "./lock-carriers.js";
import type { ProcessTable } from "./processes.js";

export type FrontLog = (
  level: "debug" | "info" | "warn" | "error",
  fields: { readonly [field: string]: unknown },
  text: string,
) => void;

export interface FrontOptions {
  readonly places: Places;
  readonly limits: Limits;
  /** The package's version. */
  readonly version: string;
  readonly sqliteVersion: string;
  /** Started by a client, and to end by itself when idle. */
  readonly spawned: boolean;
  /** Names this run of the machine. */
  readonly bootId: string;
  /** The files with which children begin. */
  readonly entries: { readonly writer: string; readonly reader: string };
  /** Children that were begun before. */
  readonly begun?: readonly BegunChild[] | undefined;
  readonly processes: ProcessTable;
  /** Absent where the system does not show who runs under a lock. */
  readonly carriers: LockCarriers | undefined;
  readonly log: FrontLog;
  /** A client has asked the broker to end. */
  readonly onStopRequested: () => void;
  /** Another broker has the database, or has had it: this one must end at once. */
  readonly onDatabaseTaken: (why: string) => void;
}
