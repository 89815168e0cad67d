/**
 * The operating system's list of processes: who lives, by pid and start time; who runs under which locks, by his
 * environment. A pid may be used again.
 */
import type { ProcessIdentity } from "../../src/core/index.js";
import type { LockCarrier, LockCarriers, ProcessTable } from "../../src/front/index.js";
import type { SessionId, Token } from "../../src/terms/index.js";
import type { Agenda } from "./agenda.js";
import type { Weather } from "./cable.js";
import type { Random } from "./random.js";
import type { Rates } from "./rates.js";

/** So few that pids are used again. */
const pidsMax = 6;
/** How long a process needs to end after it was told (mean, ms). */
const endMs = 15;

/** What runs under a lock that was taken with a guard. */
export interface Command extends LockCarrier {
  readonly names: readonly string[];
  /** It does not end when it is asked to, only when it is made to. */
  readonly stubborn: boolean;
}

export class Processes implements ProcessTable, LockCarriers {
  readonly pidNamespace = "this one";
  readonly commands = new Map<number, Command>();
  readonly #living = new Map<number, string>();
  readonly #agenda: Agenda;
  readonly #random: Random;
  readonly #rates: () => Rates;
  #started = 0;

  constructor({ agenda, random, rates }: Weather) {
    this.#agenda = agenda;
    this.#random = random;
    this.#rates = rates;
  }

  // ── as the world has it ───────────────────────────────────────────────────────────────────────────────────────────

  /** A new process, with the pid of a dead one if there is any. */
  start(): ProcessIdentity {
    this.#started++;
    let pid = 100 + (this.#started % pidsMax);
    while (this.#living.has(pid)) pid++;
    const startTime = `${this.#started}`;
    this.#living.set(pid, startTime);
    return { pid, startTime };
  }

  startCommand(lock: { readonly token: number; readonly names: readonly string[] }, session: SessionId): Command {
    const stubborn = this.#random.chance(0.2);
    const locks = [{ token: lock.token as Token, session }];
    const command = { ...this.start(), locks, names: lock.names, stubborn };
    this.commands.set(command.pid, command);
    return command;
  }

  end({ pid, startTime }: ProcessIdentity): void {
    if (this.#living.get(pid) !== startTime) return;
    this.#living.delete(pid);
    this.commands.delete(pid);
  }

  // ── as the broker has it ──────────────────────────────────────────────────────────────────────────────────────────

  startTimeOf(pid: number): string | undefined {
    return this.#living.get(pid);
  }

  fateOf({ pid, startTime }: ProcessIdentity): "alive" | "dead" | "unknown" {
    if (this.#random.chance(this.#rates().fateUnknown)) return "unknown";
    return this.#living.get(pid) === startTime ? "alive" : "dead";
  }

  residentBytesOf(): undefined {
    return undefined;
  }

  *look(): Iterable<LockCarrier | undefined> {
    for (const pid of [...this.#living.keys()]) yield this.commands.get(pid);
  }

  signal(process: ProcessIdentity, signal: "SIGTERM" | "SIGKILL"): "sent" | "gone" {
    if (this.#living.get(process.pid) !== process.startTime) return "gone";
    const stays = signal === "SIGTERM" && this.commands.get(process.pid)?.stubborn === true;
    if (!stays) this.#agenda.after(this.#random.exponential(endMs), () => this.end(process));
    return "sent";
  }
}
