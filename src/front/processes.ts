/** What the front asks the operating system about other processes; the daemon has the answers. */
import type { ProcessIdentity } from "../core/index.js";

export interface ProcessTable {
  /** The broker's own pid namespace; a pid that was claimed in another proves nothing. */
  readonly pidNamespace: string | undefined;
  /** The start time of a living process that can be read, in the form in which clients tell it. */
  startTimeOf(pid: number): string | undefined;
  /** `dead` also for a zombie and for a pid that was used again. */
  fateOf(identity: ProcessIdentity): "alive" | "dead" | "unknown";
  /** Resident memory in bytes, where it can be had. */
  residentBytesOf(pid: number): number | undefined;
}
