/** `holdfast serve`: becomes the broker. The only file of the command line that knows the daemon. */
import { HoldfastError } from "../../terms/index.js";
import { type Command, optionsOf } from "../command.js";
import { holdfastVersion } from "../versions.js";

interface ServeOptions {
  readonly database?: string;
  readonly limit?: readonly string[];
  readonly logLevel?: string;
  readonly spawned?: boolean;
  readonly allowFilesystem?: readonly string[];
  /** Commander's word for `--no-signals`. */
  readonly signals?: boolean;
}

const collect = (word: string, before: readonly string[] = []) => [...before, word];

export const serve: Command = {
  prints: false,
  define(parser) {
    parser
      .option("--database <file>", "the database file (HOLDFAST_DATABASE)")
      .option("--limit <name=value>", "set one of the broker's limits; `holdfast status --json` lists them", collect)
      .option("--log-level <level>", "debug, info, warn or error (HOLDFAST_LOG_LEVEL)")
      .option("--no-signals", "never end what still runs under a lock that was lost, only wait for it")
      .option(
        "--allow-filesystem <name>",
        "use a network file system (nfs, cifs …) all the same (HOLDFAST_ALLOW_FILESYSTEM)",
        collect,
      )
      .addOption(parser.createOption("--spawned", "started by a client: ends itself when idle").hideHelp())
      .addHelpText(
        "after",
        "\nRuns until TERM, Ctrl-C or `holdfast stop`; a second Ctrl-C, half a second later or more, ends it at once.\nExit code 75 when a broker runs on this directory already.",
      );
  },

  async run(call) {
    const {
      database,
      limit = [],
      logLevel,
      spawned,
      signals,
      allowFilesystem,
      dir,
      socket,
    } = optionsOf<ServeOptions>(call);
    if (call.operands.length > 0) call.misused("serve takes no operands");
    const { serve: run } = await import("../../daemon/index.js");
    return run({
      version: holdfastVersion,
      dir,
      socket,
      database,
      limits: limitsIn(limit),
      logLevel,
      spawned: spawned === true,
      signals,
      allowFilesystem,
    });
  },
};

/** `name=value`; whether there is such a limit, and its range, the broker knows. */
function limitsIn(words: readonly string[]): { [name: string]: number } {
  const limits: { [name: string]: number } = {};
  for (const word of words) {
    const found = /^(\w+)=(\d+)$/.exec(word);
    if (found === null)
      throw new HoldfastError("CONFIGURATION", `--limit ${word}: NAME=VALUE is wanted, the value a whole number`);
    limits[found[1] ?? ""] = Number(found[2]);
  }
  return limits;
}
