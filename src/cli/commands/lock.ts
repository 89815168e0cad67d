/** `holdfast lock NAME -- COMMAND`: runs a command while holding a lock, with the habits of flock(1). */
import type { Broker, LockHandle } from "../../client/index.js";
import { type Call, type Command, optionsOf } from "../command.js";
import { briefly, commandOf, type LineOption, programOf } from "../command-line.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { Jeopardy, type OnLost, runHeld } from "../held-command.js";
import { reach } from "../reach.js";
import {
  acquireAsWished,
  type Interrupt,
  interruptible,
  leaseOf,
  type WaitOptions,
  type WishedLock,
  wishedLockOf,
  withWaitOptions,
} from "../wait-options.js";

interface LockOptions extends WaitOptions, LineOption {
  readonly onLost: string;
  readonly ttl?: string;
  readonly close?: boolean;
}

interface Wish extends WishedLock {
  readonly words: readonly string[];
  readonly onLost: OnLost;
  readonly ttlMs: number | undefined;
  readonly close: boolean | undefined;
}

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
      .option("--ttl <time>", "a lease: lost when the broker has heard nothing of us for so long (1s to 1d)")
      .option(
        "--on-lost <what>",
        "kill: the command does not outlive its lock; warn: it does, and you are told",
        "kill",
      )
      .option(
        "-o, --close",
        "the command inherits no file: if it clears its environment too, it is not ended with its lock",
      )
      .addHelpText(
        "after",
        "\nThe exit code is the command's own: 128+n after signal n, 126 and 127 as a shell says; 75 when the lock was\n" +
          "not got, or was lost and the command was ended. The command finds HOLDFAST_LOCK_NAME and HOLDFAST_LOCK_TOKEN in\n" +
          "its environment, and all locks it runs under as JSON in HOLDFAST_LOCKS: `holdfast sql --fenced …` inside it\n" +
          "writes only while the lock is held.\n" +
          "Told to end, it passes that on, and gives the lock back when nothing of the command is left (5s, then KILL).\n" +
          "Should this program be killed, all that runs under the lock is ended before another gets it (Linux). Processes are\n" +
          "known by HOLDFAST_LOCKS, and by a file that they inherit as descriptor 15; one that has neither any more goes on.\n" +
          '\n  holdfast lock deploy/prod --wait 5m --reason "release 1.4" -- ./deploy.sh' +
          "\n  holdfast lock index -s -- ./report             together with other readers" +
          "\n  holdfast lock gpu --slots 4 --take 2 -- ./train" +
          "\n  holdfast lock a --also b --also c=shared -- ./move",
      );
  },

  async run(call) {
    const wish = wishOf(call);
    const interrupt = interruptible();
    try {
      const program = programOf(call, wish.words);
      const broker = await reach(call, { start: true, program, signal: interrupt.signal });
      try {
        return await underLock(call, broker, { wish, interrupt });
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
  const { onLost, ttl, close } = options;
  const [name = ""] = call.operands;
  const words = commandOf(call, "lock wants a command to run: holdfast lock NAME -- COMMAND");
  if (onLost !== "kill" && onLost !== "warn") return call.misused(`--on-lost is kill or warn, not "${onLost}"`);
  const ttlMs = ttl === undefined ? undefined : leaseOf(call, ttl);
  return { ...wishedLockOf(call, name, options), words, onLost, ttlMs, close };
}

async function underLock(
  call: Call,
  broker: Broker,
  { wish, interrupt }: { wish: Wish; interrupt: Interrupt },
): Promise<ExitCode> {
  const { words, onLost, ttlMs, close } = wish;
  const jeopardy = new Jeopardy();
  const more = { ttl: ttlMs, guard: onLost === "kill", onJeopardy: jeopardy.heard };
  const held: LockHandle = await acquireAsWished(call, broker, { wish, signal: interrupt.signal, more });
  const interrupted = interrupt.code();
  if (interrupted !== undefined) return interrupted;
  const { signal, end: started } = interrupt;
  const end = await runHeld(call, { words, broker, lock: held, onLost, jeopardy, close, signal, started });
  await briefly(held.release());
  if ("lost" in end) return exitCodes.notGot;
  if (end.complaint !== undefined) call.output.warn(end.complaint);
  return end.exitCode;
}
