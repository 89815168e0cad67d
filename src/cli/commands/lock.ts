/**
 * `holdfast lock NAME -- COMMAND`: runs a command while holding a lock, with the habits of flock(1).
 *
 * The lock is given back when the command has ended, and not before. Should it be lost while the command runs (the
 * broker was gone for longer than the session lives), the command is ended: it must not go on as if it had the lock.
 */
import { basename } from "node:path";
import type { LockHandle } from "../../client/index.js";
import { isHoldfastError } from "../../terms/index.js";
import { startCommand } from "../child.js";
import { type Call, type Command, optionsOf } from "../command.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { reach } from "../reach.js";
import { environmentFor } from "../surroundings.js";
import {
  acquireAsWished,
  type Interrupt,
  interruptible,
  type LockWish,
  lockWishOf,
  type WaitOptions,
  withWaitOptions,
} from "../wait-options.js";
import { quoted } from "../words.js";

interface LockOptions extends WaitOptions {
  readonly command?: string;
}

interface Wish extends LockWish {
  readonly command: readonly string[];
}

/** For the command to end by itself once its lock is lost. */
const graceMs = 5000;
/** For giving the lock back and saying goodbye. */
const tidyMs = 2000;

export const lock: Command = {
  prints: false,
  operandsMax: 1,
  define(parser) {
    withWaitOptions(
      parser
        .usage("NAME [options] [--] COMMAND [ARG…]\n       holdfast lock NAME [options] -c 'SHELL LINE'")
        .argument("<name>"),
    )
      .option("-c, --command <line>", "run this line with the shell")
      .addHelpText(
        "after",
        "\nThe exit code is the command's own: 128+n after signal n, 126 and 127 as a shell says.\n" +
          "The command finds HOLDFAST_LOCK_NAME and HOLDFAST_LOCK_TOKEN in its environment:\n" +
          "`holdfast sql --fenced …` inside it writes only while the lock is held.",
      );
  },

  async run(call) {
    const wish = wishOf(call);
    const interrupt = interruptible();
    try {
      const broker = await reach(call, { start: true, program: programOf(call, wish), signal: interrupt.signal });
      try {
        const held = await acquireAsWished(call, broker, { wish, signal: interrupt.signal });
        return interrupt.code() ?? (await runUnder(call, held, { wish, interrupt }));
      } finally {
        await briefly(broker.close());
      }
    } catch (error) {
      const code = interrupt.code();
      if (code === undefined) throw error;
      return code;
    } finally {
      interrupt.end();
    }
  },
};

function wishOf(call: Call): Wish {
  const options = optionsOf<LockOptions>(call);
  const [name = ""] = call.operands;
  const command = commandOf(call, options);
  return { ...lockWishOf(call, name, options), command };
}

function commandOf(call: Call, { command: line }: LockOptions): readonly string[] {
  if (line !== undefined) {
    if (call.rest.length > 0) call.misused("either -c LINE or a COMMAND, not both");
    return [call.io.env["SHELL"] || "/bin/sh", "-c", line];
  }
  if (call.rest.length === 0) call.misused("lock wants a command to run: holdfast lock NAME -- COMMAND");
  return call.rest;
}

/** The command's name is what others see; of a shell line its first word. */
function programOf(call: Call, { command }: Wish): string {
  const { command: line } = optionsOf<LockOptions>(call);
  const word = line === undefined ? command[0] : line.trim().split(/\s+/)[0];
  return basename(word ?? "") || "holdfast";
}

async function runUnder(
  call: Call,
  held: LockHandle,
  { wish: { name, command }, interrupt }: { wish: Wish; interrupt: Interrupt },
): Promise<ExitCode> {
  const running = startCommand(command, {
    ownGroup: !call.io.stdin.isTerminal,
    env: {
      ...environmentFor(call.options, call.io),
      HOLDFAST_LOCK_NAME: name,
      HOLDFAST_LOCK_TOKEN: String(held.token),
    },
  });
  // From here on signals are the command's affair.
  interrupt.end();
  const end = await Promise.race([running.ended, untilLost(held)]);
  if (end === "lost") {
    const reason = isHoldfastError(held.signal.reason) ? `: ${held.signal.reason.message}` : "";
    call.output.warn(
      `the lock ${quoted(name)} was lost${reason}\n  ending ${basename(command[0] ?? "")}, which relied on it`,
    );
    await running.stop(graceMs);
    return exitCodes.notGot;
  }
  if (end.complaint !== undefined) call.output.warn(end.complaint);
  await briefly(held.release());
  return end.exitCode;
}

function untilLost({ signal }: LockHandle): Promise<"lost"> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve("lost");
    signal.addEventListener("abort", () => resolve("lost"), { once: true });
  });
}

/**
 * The command has ended and its exit code is awaited. If the broker is away just now, our own end gives the lock back:
 * a broker looks whether its holders live.
 */
async function briefly(work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const enough = new Promise((resolve) => {
    timer = setTimeout(resolve, tidyMs);
  });
  await Promise.race([work.catch(() => {}), enough]);
  clearTimeout(timer);
}
