/**
 * `holdfast elect NAME -- COMMAND`: of all that are started so, one runs its command; when that one goes, the next does.
 * Who loses its leadership ends its command and stands for election again.
 */
import type { Broker, Leadership } from "../../client/index.js";
import { signalExitCode } from "../child.js";
import { type Call, type Command, optionsOf } from "../command.js";
import { briefly, commandOf, type LineOption, programOf } from "../command-line.js";
import type { ExitCode } from "../exit-codes.js";
import { Jeopardy, runHeld } from "../held-command.js";
import { queueNews } from "../queue-news.js";
import { reach } from "../reach.js";
import { type Interrupt, interruptible, leaseOf, waitOrLeave } from "../wait-options.js";
import { quoted } from "../words.js";

interface ElectOptions extends LineOption {
  readonly value?: string;
  readonly ttl?: string;
}

interface Candidate {
  readonly name: string;
  readonly words: readonly string[];
  readonly value: string | undefined;
  readonly ttlMs: number | undefined;
}

export const elect: Command = {
  prints: false,
  operandsMax: 1,
  define(parser) {
    parser
      .usage("NAME [options] [--] COMMAND [ARG…]\n       holdfast elect NAME [options] -c 'SHELL LINE'")
      .argument("<name>")
      .option("-c, --command <line>", "run this line with the shell")
      .option("--value <text>", "what others are told of the leader, such as its address")
      .option("--ttl <time>", "a lease: lost when the broker has heard nothing of us for so long (1s to 1d)")
      .addHelpText(
        "after",
        "\nWaits until it leads, then runs the command. When the command ends, it resigns and passes on the exit code.\n" +
          "When leadership is lost, the command is ended, and it waits to lead again. `holdfast locks show NAME` tells\n" +
          "who leads. The command finds HOLDFAST_LOCK_NAME and HOLDFAST_LOCK_TOKEN in its environment.\n" +
          "\n  holdfast elect indexer --value http://127.0.0.1:7070 -- ./indexer",
      );
  },

  async run(call) {
    const candidate = candidateOf(call);
    // One for each campaign: while a command runs, signals are its affair.
    const waiting = { interrupt: interruptible() };
    try {
      const program = programOf(call, candidate.words);
      const broker = await reach(call, { start: true, program, signal: waiting.interrupt.signal });
      try {
        return await stand(call, broker, { candidate, waiting });
      } finally {
        await briefly(broker.close());
      }
    } catch (error) {
      const code = waiting.interrupt.code();
      if (code === undefined) throw error;
      return code;
    } finally {
      waiting.interrupt.end();
    }
  },
};

function candidateOf(call: Call): Candidate {
  const { value, ttl } = optionsOf<ElectOptions>(call);
  const [name = ""] = call.operands;
  const words = commandOf(call, "elect wants a command to run: holdfast elect NAME -- COMMAND");
  return { name, words, value, ttlMs: ttl === undefined ? undefined : leaseOf(call, ttl) };
}

async function stand(
  call: Call,
  broker: Broker,
  { candidate, waiting }: { candidate: Candidate; waiting: { interrupt: Interrupt } },
): Promise<ExitCode> {
  const { name, words } = candidate;
  for (;;) {
    const jeopardy = new Jeopardy();
    const leadership = await campaign(call, broker, { candidate, jeopardy, signal: waiting.interrupt.signal });
    const interrupted = waiting.interrupt.code();
    if (interrupted !== undefined) return interrupted;
    call.output.comment(`holdfast: leads ${quoted(name)}, token ${leadership.token}`);
    const { lock } = leadership;
    const { signal, end: started } = waiting.interrupt;
    const end = await runHeld(call, { words, broker, lock, onLost: "kill", jeopardy, signal, started });
    await briefly(leadership.resign());
    if (!("lost" in end)) {
      if (end.complaint !== undefined) call.output.warn(end.complaint);
      return end.exitCode;
    }
    if (end.wantedEnd !== undefined) return signalExitCode(end.wantedEnd);
    waiting.interrupt.end();
    waiting.interrupt = interruptible();
  }
}

async function campaign(
  call: Call,
  broker: Broker,
  { candidate, jeopardy, signal }: { candidate: Candidate; jeopardy: Jeopardy; signal: AbortSignal },
): Promise<Leadership> {
  const { name, value, ttlMs } = candidate;
  const news = queueNews((text) => call.output.comment(`holdfast: ${text}`));
  try {
    const options = { value, ttl: ttlMs, guard: true, onQueued: news.hear, onJeopardy: jeopardy.heard };
    return await waitOrLeave(broker, signal, () => broker.elections.campaign(name, options));
  } finally {
    news.end();
  }
}
