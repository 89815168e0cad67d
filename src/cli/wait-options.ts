/** What `lock` and `acquire` have in common: how long to wait, why the lock is wanted, and how the wait is broken off. */
import type { Command as Parser } from "commander";
import {
  type AcquireOptions,
  type Broker,
  DeadlockError,
  type LockHandle,
  LockHeldError,
  LockTimeoutError,
  type RevokingInfo,
} from "../client/index.js";
import { type HoldfastError, isHoldfastError } from "../terms/index.js";
import { signalExitCode } from "./child.js";
import { type Call, ExitWith } from "./command.js";
import { count, formatDuration, parseDuration } from "./durations.js";
import { type ExitCode, exitCodes } from "./exit-codes.js";
import { type CarriedLock, carriedLocks } from "./held-locks-variable.js";
import { type ClaimWish, claimWishOf, type ModeOptions, withModeOptions } from "./lock-options.js";
import { queueNews, silentMs } from "./queue-news.js";
import { heldBy, programText, quoted, revokingText, typed } from "./words.js";

export interface WaitOptions extends ModeOptions {
  /** False by -n. */
  readonly wait?: string | false;
  readonly conflictExitCode: string;
  readonly reason?: string;
}

export interface WishedLock {
  readonly name: string;
  readonly claim: ClaimWish;
  /** Undefined: for ever. */
  readonly waitMs: number | undefined;
  readonly reason: string | undefined;
  readonly conflictExitCode: ExitCode;
}

export function withWaitOptions(parser: Parser): Parser {
  return withModeOptions(
    parser
      .option("-w, --wait <time>", "wait so long at most: 30 (seconds), 500ms, 2m (default: for ever)")
      .option("-n, --no-wait", "do not wait: give up at once when it is not to be had")
      .option("-E, --conflict-exit-code <code>", "the exit code when the lock is not got", String(exitCodes.notGot))
      .option("--reason <text>", "shown to those who wait")
      .addOption(parser.createOption("--timeout <time>", "as --wait").hideHelp())
      .addOption(parser.createOption("--nonblock", "as --no-wait").hideHelp())
      .addOption(parser.createOption("--nb", "as --no-wait").hideHelp()),
  );
}

export function wishedLockOf(call: Call, name: string, options: WaitOptions): WishedLock {
  const { reason, conflictExitCode } = options;
  const { timeout, nonblock, nb } = call.options;
  const wait = nonblock === true || nb === true ? false : (timeout ?? options.wait);
  const waitMs = typeof wait === "string" ? durationOf(call, wait) : undefined;
  const code = Number(conflictExitCode);
  if (!/^\d+$/.test(conflictExitCode) || code > 255)
    call.misused(`"${conflictExitCode}" is not an exit code: 0 to 255`);
  const claim = claimWishOf(call, options);
  return { name, claim, reason, waitMs: wait === false ? 0 : waitMs, conflictExitCode: code };
}

/** A lease; how short or long it may be, the broker says. */
export function leaseOf(call: Call, word: string): number {
  const ms = durationOf(call, word);
  return ms > 0 ? ms : call.misused("--ttl wants a length of time above 0");
}

export function durationOf(call: Call, word: string): number {
  return parseDuration(word) ?? call.misused(`"${word}" is not a length of time: 30 (seconds), 500ms, 2m`);
}

export interface WishMore {
  readonly wish: WishedLock;
  readonly signal: AbortSignal;
  readonly more?: Pick<AcquireOptions, "ttl" | "onJeopardy" | "guard">;
}

/** Waits as wished, telling who is in the way; what is not got is thrown with its words and the chosen exit code. */
export async function acquireAsWished(
  call: Call,
  broker: Broker,
  { wish, signal, more }: WishMore,
): Promise<LockHandle> {
  const { name, claim, waitMs, reason } = wish;
  // A wait that ends with the silence has only its outcome to tell.
  const told = waitMs === undefined || waitMs > silentMs;
  const news = queueNews((text) => call.output.comment(`holdfast: ${text}`));
  try {
    const onRevoking = (info: RevokingInfo) => call.output.comment(`holdfast: ${revokingText(name, info)}`);
    const onQueued = told ? news.hear : undefined;
    const options = { ...claim, ...more, waitMs, reason, onQueued, onRevoking };
    return await waitOrLeave(broker, signal, () => broker.acquire(name, options));
  } catch (error) {
    if (!isHoldfastError(error) || !notGotCodes.has(error.code)) throw error;
    // Nothing went wrong: somebody else has it.
    const silent = call.options.quiet === true && (error.code === "LOCK_HELD" || error.code === "LOCK_TIMEOUT");
    throw new ExitWith(silent ? "" : notGotText(error, wish, carriedLocks(call.io.env["HOLDFAST_LOCKS"])), {
      exitCode: wish.conflictExitCode,
      cause: error,
    });
  } finally {
    news.end();
  }
}

const notGotCodes: ReadonlySet<string> = new Set(["LOCK_HELD", "LOCK_TIMEOUT", "QUEUE_FULL", "DEADLOCK"]);

/** Who was in the way, and what can be done about it. */
function notGotText(error: HoldfastError, { name, waitMs }: WishedLock, under: readonly CarriedLock[]): string {
  if (error instanceof DeadlockError || error.code === "DEADLOCK") return error.message;
  if (!(error instanceof LockHeldError || error instanceof LockTimeoutError)) return error.message;
  const { lock, holders, waiting } = error;
  const place = error instanceof LockTimeoutError ? error.place : undefined;
  const waited = waitMs === undefined || waitMs === 0 ? "" : ` after ${formatDuration(waitMs)}`;
  const which = lock === "" ? name : lock;
  const [own] = holders;
  // In the words of the broker for one that would wait.
  if (own !== undefined && holders.every(({ session }) => under.some((one) => one.session === session)))
    return `${quoted(which)} is held by the command that this one runs under (${programText(own.program)}), which waits for it to end`;
  const parts = [
    ...(holders.length > 0 ? [heldBy(holders)] : []),
    ...(place !== undefined && place > 1 ? [`${place - 1} before you`] : []),
    ...(place === undefined && waiting > 0 ? [count(waiting, "waiter")] : []),
  ];
  const because = parts.length > 0 ? parts.join(", ") : error.message;
  return `did not get ${quoted(which)}${waited}: ${because}\n\`holdfast locks show ${typed(which)}\` tells more, \`holdfast locks break ${typed(which)}\` takes it away`;
}

export interface Interrupt {
  readonly signal: AbortSignal;
  /** What to end with when a signal came. */
  readonly code: () => ExitCode | undefined;
  readonly end: () => void;
}

/** A signal while we wait: leave the queue in good order, then end as the shell expects it. A second one ends us at once. */
export function interruptible(): Interrupt {
  const controller = new AbortController();
  let code: ExitCode | undefined;
  const handlers = (["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const).map((name) => {
    const handler = () => {
      end();
      code = signalExitCode(name);
      controller.abort();
    };
    process.on(name, handler);
    return [name, handler] as const;
  });
  const end = () => {
    for (const [name, handler] of handlers) process.off(name, handler);
  };
  return { signal: controller.signal, code: () => code, end };
}

/**
 * Waits for a lock until it is had, or until the signal. Then the session is ended, and not only the request cancelled:
 * its goodbye takes along the place in the queue and a grant that is on its way, also when a broker that stands still
 * hears it long after we have gone. The verdict on a cancel would have to be awaited.
 */
export async function waitOrLeave<Held>(broker: Broker, signal: AbortSignal, wait: () => Promise<Held>): Promise<Held> {
  signal.throwIfAborted();
  const leave = () => void broker.close();
  signal.addEventListener("abort", leave);
  try {
    return await wait();
  } finally {
    signal.removeEventListener("abort", leave);
  }
}
