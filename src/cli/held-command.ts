/**
 * Runs a command under a lock. The lock is given back when the command has ended, and not before. Should it be lost
 * while the command runs, the command must not go on as if it had it: all its processes are ended.
 *
 * Whoever comes next cannot come before they are gone: where a lease runs out because the broker does not answer, they
 * are told early enough; and the broker itself ends what carries a guarded lock, should we not be there to do it.
 */
import { basename } from "node:path";
import type { Broker, LockHandle } from "../client/index.js";
import { isHoldfastError } from "../terms/index.js";
import { type CommandEnd, type RunningCommand, startCommand } from "./child.js";
import type { Call } from "./command.js";
import { formatDuration } from "./durations.js";
import { withLocks } from "./held-locks-variable.js";
import { closeMark, inheritedMark, openMark } from "./lock-mark.js";
import { environmentFor } from "./surroundings.js";
import { quoted } from "./words.js";

export type OnLost = "kill" | "warn";

export interface HeldCommand {
  readonly words: readonly string[];
  readonly broker: Broker;
  readonly lock: LockHandle;
  readonly onLost: OnLost;
  readonly jeopardy: Jeopardy;
  /** It inherits no file of ours: not the mark of its locks either. */
  readonly close?: boolean | undefined;
  /** Nothing is to be started any more. */
  readonly signal: AbortSignal;
  /** The command runs: signals are its affair from here on. */
  readonly started: () => void;
}

/** For the command to end by itself once its lock is lost. */
export const graceMs = 5000;
/** For the kernel to end what was killed, before a lease is over. */
const killMs = 500;

/** Told by the library when the broker has not answered for half of a lease. */
export class Jeopardy {
  #tell: (() => void) | undefined;

  readonly heard = (): void => this.#tell?.();

  listen(tell: () => void): void {
    this.#tell = tell;
  }
}

/** The command was ended, or not started, because its lock was lost; perhaps somebody wanted us to end meanwhile. */
export interface LostEnd {
  readonly lost: true;
  readonly wantedEnd: NodeJS.Signals | undefined;
}

export async function runHeld(call: Call, held: HeldCommand): Promise<CommandEnd | LostEnd> {
  const { words, broker, lock, onLost, close, started } = held;
  if (onLost === "kill" ? !(await isConfirmed(held)) : lock.lost) {
    call.output.warn(`${lossText(lock)}\n  ${name(words)} was not started`);
    return { lost: true, wantedEnd: undefined };
  }
  const [first, ...more] = lock.names.map((name) => ({ name, token: lock.token, session: broker.session }));
  if (first === undefined) throw new Error("a lock without a name");
  // Who has cleared the environment in between has left us the mark.
  const around = { HOLDFAST_LOCKS: inheritedMark(), ...environmentFor(call.options, call.io) };
  const env = withLocks(around, [first, ...more], broker.sessionSecret);
  const mark = close === true ? undefined : openMark(env["HOLDFAST_LOCKS"] ?? "");
  const running = startCommand(words, { ownGroup: !call.io.stdin.isTerminal, env, lock: first, mark });
  closeMark(mark);
  started();
  if (onLost === "warn") {
    void untilLost(lock).then(() => call.output.warn(`${lossText(lock)}\n  ${name(words)} goes on without it`));
    return running.ended;
  }
  const end = await Promise.race([running.ended, untilLost(lock), untilEndangered(held)]);
  if (end !== "lost" && end !== "endangered") {
    // At its own end the command may leave daemons behind; who is interrupted leaves nothing that goes on without the lock.
    if (running.isInterrupted()) await stop(call, running, graceMs);
    return end;
  }
  const why =
    end === "lost"
      ? lossText(lock)
      : `the broker does not answer; the lease of ${quoted(lock.name)} ends in ${formatDuration(lock.leaseLeftMs)}`;
  call.output.warn(`${why}\n  ending ${name(words)}, which relied on it`);
  const leftMs = lock.leaseLeftMs;
  await stop(call, running, end === "lost" ? graceMs : Math.max(0, leftMs - Math.min(killMs, leftMs / 3)));
  return { lost: true, wantedEnd: running.wantedEnd() };
}

/** A lock may be lost before its grant is heard of here; then the broker has found no command that it could end. */
async function isConfirmed({ lock, signal }: HeldCommand): Promise<boolean> {
  try {
    await lock.confirm({ signal });
    return true;
  } catch (error) {
    // Who is to end does not stand again, whatever became of the lock meanwhile.
    if (lock.lost && !signal.aborted) return false;
    throw error;
  }
}

async function stop(call: Call, running: RunningCommand, graceMs: number): Promise<void> {
  for (const { pid } of await running.stop(graceMs))
    call.output.warn(`process ${pid} cannot be ended: it belongs to another user, and goes on without the lock`);
}

function untilLost({ signal }: LockHandle): Promise<"lost"> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve("lost");
    signal.addEventListener("abort", () => resolve("lost"), { once: true });
  });
}

/** The last moment at which the command can be told to end and be gone before the lease is over. */
function untilEndangered({ lock, jeopardy }: HeldCommand): Promise<"endangered"> {
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout | undefined;
    jeopardy.listen(() => {
      // The lease that it was meant for has been kept.
      clearTimeout(timer);
      // Half of the lease is over. Of a short one no more than its third is taken for the command's end.
      const reserveMs = Math.min(graceMs + killMs, (lock.leaseLeftMs * 2) / 3);
      timer = setTimeout(
        () => {
          if (lock.lease === "jeopardy") resolve("endangered");
        },
        Math.max(0, lock.leaseLeftMs - reserveMs),
      );
      timer.unref();
    });
  });
}

function lossText({ signal, name }: LockHandle): string {
  return isHoldfastError(signal.reason) ? signal.reason.message : `the lock ${quoted(name)} was lost`;
}

function name([command = ""]: readonly string[]): string {
  return basename(command);
}
