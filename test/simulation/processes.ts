/** The operating system's list of processes: who lives, by pid and start time. A pid may be used again. */
import type { ProcessIdentity } from "../../src/core/index.js";
import type { ProcessTable } from "../../src/front/index.js";

/** So few that pids are used again. */
const pidsMax = 6;

export class Processes implements ProcessTable {
  readonly pidNamespace = "this one";
  readonly #living = new Map<number, string>();
  #started = 0;

  /** A new process, with the pid of a dead one if there is any. */
  start(): ProcessIdentity {
    this.#started++;
    let pid = 100 + (this.#started % pidsMax);
    while (this.#living.has(pid)) pid++;
    const startTime = `${this.#started}`;
    this.#living.set(pid, startTime);
    return { pid, startTime };
  }

  end({ pid, startTime }: ProcessIdentity): void {
    if (this.#living.get(pid) === startTime) this.#living.delete(pid);
  }

  startTimeOf(pid: number): string | undefined {
    return this.#living.get(pid);
  }

  fateOf({ pid, startTime }: ProcessIdentity): "alive" | "dead" {
    return this.#living.get(pid) === startTime ? "alive" : "dead";
  }

  residentBytesOf(): undefined {
    return undefined;
  }
}
