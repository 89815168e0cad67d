/**
 * What the core asks of the system and of the front itself, and the way back of the answers: each job is answered by a
 * command, at once or when it can be.
 */
import type { Command, SystemJob } from "../core/index.js";
import { type Instant, impossible, type Millis } from "../terms/index.js";
import { GuardedCommands } from "./guarded-commands.js";
import type { FrontOptions } from "./options.js";
import type { Postman } from "./postman.js";
import { type Probe, Probes } from "./probes.js";

export interface SystemParts {
  readonly options: Pick<FrontOptions, "processes" | "carriers" | "log">;
  readonly postman: Pick<Postman, "heardAt">;
  readonly now: () => Instant;
  readonly after: (ms: Millis, go: () => void) => () => void;
  /** Takes the answer, and makes sure of a turn. */
  readonly answer: (command: Command) => void;
}

export class System {
  readonly #parts: SystemParts;
  readonly #probes: Probes;
  readonly #guarded: GuardedCommands;
  readonly #looks: Extract<SystemJob, { kind: "look-connection" }>[] = [];

  constructor(parts: SystemParts) {
    this.#parts = parts;
    const { options, now, after, answer } = parts;
    this.#probes = new Probes((probe) => this.#probe(probe), now);
    this.#guarded = new GuardedCommands({
      ...options,
      now,
      after,
      gone: (token) => answer({ kind: "processes-gone", token }),
    });
  }

  ask(job: SystemJob): void {
    switch (job.kind) {
      case "probe-process":
        return this.#probes.add(job);
      case "look-connection":
        this.#looks.push(job);
        return;
      case "end-processes":
        return this.#guarded.end(job);
      default:
        return impossible(job, "system job");
    }
  }

  /** Once a turn, when it was obeyed. Answers whether some work is left. */
  work(): boolean {
    for (const { session, connection } of this.#looks.splice(0)) {
      const heardAt = this.#parts.postman.heardAt(connection, this.#parts.now());
      if (heardAt !== undefined) this.#parts.answer({ kind: "connection-seen", session, connection, heardAt });
    }
    return this.#probes.work();
  }

  paused(ms: Millis): void {
    this.#guarded.paused(ms);
  }

  stop(): void {
    this.#guarded.stop();
  }

  #probe({ session, process }: Probe): void {
    const { processes, log } = this.#parts.options;
    const fate = processes.fateOf(process);
    if (fate === "dead") log("info", { session, process: process.pid }, "a client's process is gone");
    this.#parts.answer({ kind: "process-fate", session, process, fate });
  }
}
