/** What the world is for a program. */
import type { SessionId } from "../../src/terms/index.js";
import type { Fence } from "./ask.js";
import type { Weather } from "./cable.js";
import type { Moments } from "./moments.js";
import type { Processes } from "./processes.js";
import type { Doorway } from "./terminal.js";
import type { ToldTables } from "./told-tables.js";
import type { Trace } from "./trace.js";

export interface Surroundings {
  readonly weather: Weather;
  readonly trace: Trace;
  readonly doorway: Doorway;
  readonly processes: Processes;
  readonly moments: Moments;
  readonly names: readonly string[];
  readonly tables: ToldTables;
  /** Another's lock, or one that never was. */
  readonly strangeFence: () => Fence;
  /** Somebody who waits for the name, if anybody does. */
  readonly waiterFor: (name: string) => SessionId | undefined;
  /** A number that no other has. */
  readonly nextWhat: () => number;
  /** It has nothing more to do. */
  readonly onExit: () => void;
}

/**
 * How its tasks give locks back. `blocking`: none while it waits for another, and it says so. `free`: at any time, and
 * it says so. `silent`: at any time, and it says nothing.
 */
export type Style = "blocking" | "free" | "silent";
