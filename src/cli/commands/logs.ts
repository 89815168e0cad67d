/** `holdfast logs`: the end of the log of a broker that was started on demand. Starts nothing, needs no broker. */
import { type Call, type Command, optionsOf } from "../command.js";
import { exitCodes } from "../exit-codes.js";
import { readableLogLine } from "../log-line.js";
import { LogFollower, lastLines } from "../log-tail.js";
import { placesOf } from "../surroundings.js";

interface LogsOptions {
  readonly follow?: boolean;
  readonly lines: string;
}

const lookAgainMs = 250;

export const logs: Command = {
  prints: false,
  define(parser) {
    parser
      .option("-f, --follow", "go on: show what is added, until Ctrl-C")
      .option("-n, --lines <count>", "so many of the last lines", "20")
      .addHelpText(
        "after",
        "\nReadable on a terminal; as it lies in the file (a JSON object a line) when piped.\nA broker in the foreground (holdfast serve) writes to its own stderr instead.",
      );
  },

  async run(call) {
    const { follow, lines } = optionsOf<LogsOptions>(call);
    if (call.operands.length > 0) call.misused("logs takes no operands");
    if (!/^\d{1,9}$/.test(lines)) call.misused(`"${lines}" is not a number of lines`);
    const { logFile } = placesOf(call.options, call.io);
    const found = read(logFile, Number(lines));
    if (found === undefined && follow !== true) {
      call.output.warn(
        `there is no log yet: ${logFile}\n  a broker in the foreground (holdfast serve) writes to its own stderr`,
      );
      return exitCodes.noBroker;
    }
    show(call, found?.lines ?? []);
    if (follow === true) await followLog(call, new LogFollower(logFile, found?.end ?? 0));
    return exitCodes.ok;
  },
};

function read(path: string, linesMax: number): { lines: string[]; end: number } | undefined {
  try {
    return lastLines(path, linesMax);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function show({ io }: Call, lines: readonly string[]): void {
  const shown = io.columns === undefined ? lines : lines.map(readableLogLine);
  if (shown.length > 0) io.write(`${shown.join("\n")}\n`);
}

/** Until a signal ends the process: there is nothing to tidy up. */
function followLog(call: Call, follower: LogFollower): Promise<never> {
  return new Promise((_, reject) => {
    setInterval(() => {
      try {
        show(call, follower.look());
      } catch (error) {
        reject(error);
      }
    }, lookAgainMs);
  });
}
