/**
 * Ends what runs under a guarded lock that is over: the lock goes to nobody else until no process carries its token any
 * more (rule 24). A process is told by its environment, whatever became of the one that started it.
 *
 *   end ──► looking ──► carriers found: SIGTERM at once, SIGKILL after `killMs` ──► looking
 *              │  none, twice in a row, and none may be started yet
 *              ▼
 *             gone
 *
 * A holder that lives and of which no command was seen may not have heard yet that it has the lock, and start one before
 * it hears that it has lost it. It does so only shortly after the broker's last word of the lock; so long it is looked out for.
 *
 * Whoever starts a process between two steps of one look, and ends, may not be seen in it, nor a process that is just
 * being replaced by its program: therefore two looks.
 */
import type { SystemJob } from "../core/index.js";
import { guardedStartMs } from "../protocol/index.js";
import { after, type Instant, type Millis, type Token } from "../terms/index.js";
import type { LockCarrier, LockCarriers } from "./lock-carriers.js";
import type { FrontLog } from "./options.js";
import type { ProcessTable } from "./processes.js";

export type EndProcesses = Extract<SystemJob, { kind: "end-processes" }>;

export interface GuardedCommandsParts {
  /** Absent where the system does not show the environments of processes. */
  readonly carriers: LockCarriers | undefined;
  readonly processes: Pick<ProcessTable, "fateOf">;
  readonly now: () => Instant;
  /** Calls once, after so long; gives the way to prevent it. */
  readonly after: (ms: Millis, go: () => void) => () => void;
  readonly log: FrontLog;
  /** No process carries this token any more. */
  readonly gone: (token: Token) => void;
}

/** Between SIGTERM and SIGKILL. */
const killMs: Millis = 5000;
/** In one go, so that the loop is not kept: a look over 125 processes takes 14 ms (Linux, Node 20, 2 cores). */
const sliceMs: Millis = 3;
/** Between a look that found nobody and the one that confirms it. */
const confirmMs: Millis = 20;
/** How often those that were found are looked at: one file each. */
const pollMs: Millis = 25;
/** Who takes longer than so long is not worth being looked at so often. */
const patientAfterMs: Millis = 10_000;
const patientPollMs: Millis = 500;
/** How often all processes are looked at while some of those found live: they may have started others. */
const lookAgainMs: Millis = 1000;
/** From the end of a lock: by then its holder has started what it has begun to start. */
const lateStartMs: Millis = 2 * guardedStartMs;
/** How often all processes are looked at until then. */
const lookOutMs: Millis = 250;

interface Carrier extends LockCarrier {
  told: "nothing" | "SIGTERM" | "SIGKILL";
}

interface Ending {
  readonly job: EndProcesses;
  begunAt: Instant;
  carriers: Carrier[];
  /** None was seen yet, and its holder may still start one. */
  awaited: boolean;
  /** Looks in a row that found nobody. */
  clearLooks: number;
  lookedAt: Instant | undefined;
  termAt: Instant | undefined;
  ended: number;
}

interface Look {
  readonly steps: Iterator<LockCarrier | undefined>;
  readonly found: Map<Ending, LockCarrier[]>;
}

export class GuardedCommands {
  readonly #parts: GuardedCommandsParts;
  readonly #endings = new Map<Token, Ending>();
  #look: Look | undefined;
  #forgetTimer: (() => void) | undefined;
  #stopped = false;

  constructor(parts: GuardedCommandsParts) {
    this.#parts = parts;
  }

  end(job: EndProcesses): void {
    if (this.#endings.has(job.token)) return;
    const begunAt = this.#parts.now();
    const nothing = { carriers: [], clearLooks: 0, lookedAt: undefined, termAt: undefined, ended: 0 };
    this.#endings.set(job.token, { job, begunAt, awaited: true, ...nothing });
    this.#workIn(0);
  }

  /** The broker itself stood still, and perhaps all others with it. */
  paused(ms: Millis): void {
    for (const ending of this.#endings.values()) {
      ending.begunAt = after(ending.begunAt, ms);
      if (ending.lookedAt !== undefined) ending.lookedAt = after(ending.lookedAt, ms);
      if (ending.termAt !== undefined) ending.termAt = after(ending.termAt, ms);
    }
  }

  /** What is not over is taken up again by the next broker. */
  stop(): void {
    this.#stopped = true;
    this.#forgetTimer?.();
  }

  #workIn(ms: Millis): void {
    if (this.#stopped) return;
    this.#forgetTimer?.();
    this.#forgetTimer = this.#parts.after(ms, () => this.#work());
  }

  #work(): void {
    if (this.#parts.carriers === undefined) return this.#cannotLook();
    if (this.#look === undefined) {
      const due = [...this.#endings.values()].filter((ending) => this.#mustLook(ending));
      if (due.length > 0) this.#look = this.#newLook(this.#parts.carriers, due);
    }
    const looked = this.#look === undefined ? "finished" : this.#goOnLooking(this.#look);
    if (looked === "goes on") return this.#workIn(0);
    if (looked === "failed") return this.#workIn(lookAgainMs);
    for (const ending of [...this.#endings.values()]) this.#press(ending);
    if (this.#endings.size > 0) this.#workIn(this.#nextIn());
  }

  #cannotLook(): void {
    for (const { job } of [...this.#endings.values()]) {
      const { names, token } = job;
      this.#parts.log("warn", { names, token }, "this system does not show who runs under a lock: nobody is ended");
      this.#isGone(job);
    }
  }

  // ── looking ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Those that were found are all gone, or may have company. */
  #mustLook(ending: Ending): boolean {
    ending.carriers = ending.carriers.filter((carrier) => this.#parts.processes.fateOf(carrier) !== "dead");
    const { carriers, awaited, lookedAt, clearLooks } = ending;
    if (lookedAt === undefined) return true;
    if (awaited) return after(lookedAt, lookOutMs) <= this.#parts.now();
    const betweenMs = clearLooks > 0 ? confirmMs : lookAgainMs;
    return (carriers.length === 0 && clearLooks === 0) || after(lookedAt, betweenMs) <= this.#parts.now();
  }

  #newLook(carriers: LockCarriers, due: readonly Ending[]): Look {
    for (const ending of due) ending.awaited &&= this.#mayStartYet(ending);
    return { steps: carriers.look()[Symbol.iterator](), found: new Map(due.map((ending) => [ending, []])) };
  }

  #mayStartYet({ job, begunAt }: Ending): boolean {
    if (after(begunAt, lateStartMs) <= this.#parts.now()) return false;
    const { process } = job.identity;
    return process === undefined || this.#parts.processes.fateOf(process) !== "dead";
  }

  #goOnLooking(look: Look): "finished" | "goes on" | "failed" {
    const until = after(this.#parts.now(), sliceMs);
    try {
      for (let step = look.steps.next(); step.done !== true; step = look.steps.next()) {
        if (step.value !== undefined) note(look.found, step.value);
        if (this.#parts.now() >= until) return "goes on";
      }
    } catch (error) {
      // Out of files: who was not seen may be there all the same.
      this.#look = undefined;
      const { message } = error as Error;
      this.#parts.log("warn", { reason: message }, "it cannot be looked who runs under a lock that was lost");
      return "failed";
    }
    this.#look = undefined;
    for (const [ending, found] of look.found) this.#looked(ending, found);
    return "finished";
  }

  #looked(ending: Ending, found: readonly LockCarrier[]): void {
    ending.lookedAt = this.#parts.now();
    const known = new Map(ending.carriers.map((carrier) => [carrier.pid, carrier]));
    ending.carriers = found.map((carrier) => {
      const before = known.get(carrier.pid);
      return before?.startTime === carrier.startTime ? before : { ...carrier, told: "nothing" };
    });
    if (found.length > 0) ending.awaited = false;
    ending.clearLooks = found.length === 0 && !ending.awaited ? ending.clearLooks + 1 : 0;
    if (ending.clearLooks >= 2) this.#isGone(ending.job, ending);
  }

  #isGone({ token, names, identity }: EndProcesses, ending?: Ending): void {
    this.#endings.delete(token);
    if (ending !== undefined && ending.ended > 0) {
      const { ended, begunAt } = ending;
      const afterMs = Math.round(this.#parts.now() - begunAt);
      const fields = { names, token, program: identity.program, processes: ended, afterMs };
      this.#parts.log("info", fields, "what ran under a lock that was lost is gone");
    }
    this.#parts.gone(token);
  }

  // ── ending ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #press(ending: Ending): void {
    const now = this.#parts.now();
    const kill = ending.termAt !== undefined && after(ending.termAt, killMs) <= now;
    for (const carrier of ending.carriers) {
      if (carrier.told === "nothing") this.#tell(ending, carrier, "SIGTERM");
      if (kill && carrier.told === "SIGTERM") this.#tell(ending, carrier, "SIGKILL");
    }
  }

  #tell(ending: Ending, carrier: Carrier, signal: "SIGTERM" | "SIGKILL"): void {
    const { carriers, now, log } = this.#parts;
    const outcome = carriers?.signal(carrier, signal);
    const { names, token } = ending.job;
    const fields = { names, token, pid: carrier.pid, signal };
    if (outcome === "sent") {
      ending.termAt ??= now();
      if (carrier.told === "nothing") ending.ended++;
      log("warn", fields, "a process runs under a lock that was lost; it is ended before another gets the lock");
    } else if (outcome === "not-ours" && carrier.told === "nothing")
      log(
        "warn",
        fields,
        "a process runs under a lock that was lost, and may not be ended by this broker: it is waited for",
      );
    carrier.told = signal;
  }

  #nextIn(): Millis {
    let least = Infinity;
    for (const { carriers, awaited, clearLooks, begunAt } of this.#endings.values()) {
      const patient = after(begunAt, patientAfterMs) <= this.#parts.now();
      const poll = patient ? patientPollMs : pollMs;
      if (awaited) least = Math.min(least, lookOutMs);
      else least = Math.min(least, carriers.length === 0 && clearLooks > 0 ? confirmMs : poll);
    }
    return least;
  }
}

function note(found: Map<Ending, LockCarrier[]>, carrier: LockCarrier): void {
  for (const [{ job }, carriers] of found)
    if (carrier.locks.some(({ token, session }) => token === job.token && session === job.session))
      carriers.push(carrier);
}
