/** What `lock` and `acquire` have in common: how long to wait, why the lock is wanted, and how the wait is broken off. */
import type { Command as Parser } from "commander";
import type { Broker, LockHandle } from "../client/index.js";
import { isHoldfastError } from "../terms/index.js";
import { signalExitCode } from "./child.js";
import { type Call, ExitWith } from "./command.js";
import { formatDuration, parseDuration } from "./durations.js";
import { type ExitCode, exitCodes } from "./exit-codes.js";
import { lockNow, placeOf, watchQueue } from "./queue-watch.js";
import { inTheWay, quoted } from "./words.js";

export interface WaitOptions {
  /** False by -n. */
  readonly wait?: string | false;
  readonly conflictExitCode: string;
  readonly reason?: string;
}

export interface LockWish {
  readonly name: string;
  /** Undefined: for ever. */
  readonly waitMs: number | undefined;
  readonly reason: string | undefined;
  readonly conflictExitCode: ExitCode;
}

export function withWaitOptions(parser: Parser): Parser {
  return parser
    .option("-w, --wait <time>", "wait so long at most: 30 (seconds), 500ms, 2m (default: for ever)")
    .option("-n, --no-wait", "do not wait: give up at once when somebody else has it")
    .option("-E, --conflict-exit-code <code>", "the exit code when the lock is not got", String(exitCodes.notGot))
    .option("--reason <text>", "shown to those who wait");
}

export function lockWishOf(call: Call, name: string, options: WaitOptions): LockWish {
  const { wait, reason, conflictExitCode } = options;
  const waitMs = typeof wait === "string" ? parseDuration(wait) : undefined;
  if (typeof wait === "string" && waitMs === undefined)
    call.misused(`"${wait}" is not a length of time: 30 (seconds), 500ms, 2m`);
  const code = Number(conflictExitCode);
  if (!/^\d+$/.test(conflictExitCode) || code > 255)
    call.misused(`"${conflictExitCode}" is not an exit code: 0 to 255`);
  return { name, reason, waitMs: wait === false ? 0 : waitMs, conflictExitCode: code };
}

/** Waits as wished, telling who is in the way; a conflict is thrown with its words and the chosen exit code. */
export async function acquireAsWished(
  call: Call,
  broker: Broker,
  { wish, signal }: { wish: LockWish; signal: AbortSignal },
): Promise<LockHandle> {
  const { name, waitMs, reason, conflictExitCode: exitCode } = wish;
  const watch = watchQueue(broker, name, (text) =>
    call.output.comment(`holdfast: waiting for ${quoted(name)}: ${text}`),
  );
  try {
    return await broker.acquire(name, {
      signal,
      ...(waitMs === undefined ? {} : { waitMs }),
      ...(reason === undefined ? {} : { reason }),
    });
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    if (error.code === "QUEUE_FULL") throw new ExitWith(error.message, { exitCode, cause: error });
    if (error.code !== "LOCK_HELD" && error.code !== "LOCK_TIMEOUT") throw error;
    throw new ExitWith(await notGotText(broker, wish), { exitCode, cause: error });
  } finally {
    watch.end();
  }
}

/** Who was in the way; asked afresh, and if nobody can tell it is still clear what happened. */
async function notGotText(broker: Broker, { name, waitMs }: LockWish): Promise<string> {
  const waited = waitMs === undefined || waitMs === 0 ? "" : ` after ${formatDuration(waitMs)}`;
  const text = `did not get ${quoted(name)}${waited}`;
  try {
    const found = await lockNow(broker, name);
    return `${text}: ${inTheWay(found, placeOf(found, broker.session))}`;
  } catch {
    return text;
  }
}

export interface Interrupt {
  readonly signal: AbortSignal;
  /** What to end with when a signal came. */
  readonly code: () => ExitCode | undefined;
  readonly end: () => void;
}

/** A signal while we wait: leave the queue in good order, then end as the shell expects it. */
export function interruptible(): Interrupt {
  const controller = new AbortController();
  let code: ExitCode | undefined;
  const handlers = (["SIGINT", "SIGTERM", "SIGHUP"] as const).map((name) => {
    const handler = () => {
      code = signalExitCode(name);
      controller.abort();
    };
    process.on(name, handler);
    return [name, handler] as const;
  });
  return {
    signal: controller.signal,
    code: () => code,
    end: () => {
      for (const [name, handler] of handlers) process.off(name, handler);
    },
  };
}
