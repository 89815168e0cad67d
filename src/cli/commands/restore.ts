/**
 * `holdfast restore FILE`: puts a backup in the place of the broker's database, while no broker runs. What was there is
 * kept beside it. Locks, sessions and request keys of before are void; fencing tokens do not go back.
 */
import { resolve } from "node:path";
import { type Command, optionsOf } from "../command.js";
import { checkDatabaseFile, contentText, runAlone } from "../errand.js";
import { exitCodes } from "../exit-codes.js";

interface RestoreOptions {
  readonly stop?: boolean;
  readonly database?: string;
}

interface Restored {
  readonly database: string;
  readonly bytes: number;
  readonly tables: number;
  readonly before: string | null;
}

export const restore: Command = {
  prints: true,
  define(parser) {
    parser
      .argument("<file>", "what `holdfast backup` wrote")
      .option("--stop", "stop the broker first, if one runs")
      .option("--database <file>", "in the place of this database; the stopped broker's, or the usual one, without")
      .addHelpText(
        "after",
        "\nThe database of before is kept beside the new one. Sessions and locks of before are\n" +
          "over; fencing tokens go on rising.",
      );
  },

  async run(call) {
    const { stop, database } = optionsOf<RestoreOptions>(call);
    const [word = "", ...more] = call.operands;
    if (more.length > 0) call.misused("restore takes one file");
    const file = resolve(call.io.cwd, word);
    checkDatabaseFile(file);
    const done = await runAlone<Restored>(call, {
      command: "restore",
      stop: stop === true,
      words: (served) => {
        const place = database === undefined ? served : resolve(call.io.cwd, database);
        return ["--restore", file, ...(place === undefined ? [] : ["--database", place])];
      },
    });
    call.output.thing(done, () => [
      `restored ${contentText(done)}, into ${done.database}`,
      ...(done.before === null ? [] : [`what was there before is ${done.before}`]),
    ]);
    return exitCodes.ok;
  },
};
