/**
 * `holdfast check`: whether the database is whole: every page, index, NOT NULL, CHECK and foreign key, and the broker's own
 * tables. With or without a broker; changes nothing. Exit code 0 when nothing is wrong, 1 when something is.
 */
import { type Command, optionsOf } from "../command.js";
import { count } from "../durations.js";
import { contentText, runErrand } from "../errand.js";
import { exitCodes } from "../exit-codes.js";
import { databaseWords } from "../served-database.js";

interface CheckOptions {
  readonly quick?: boolean;
  readonly database?: string;
}

interface Checked {
  readonly database: string;
  readonly bytes: number;
  readonly tables: number;
  readonly problems: readonly string[];
}

export const check: Command = {
  prints: true,
  define(parser) {
    parser
      .option("--quick", "leave out whether indexes fit their tables")
      .option("--database <file>", "this database; the running broker's, or the usual one, without")
      .addHelpText(
        "after",
        "\nCHECK constraints need leave to write to the file, though nothing is written.\n" +
          "Exit code 0 when nothing is wrong, 1 when something is.",
      );
  },

  async run(call) {
    if (call.operands.length > 0) call.misused("check takes no operands (--database names a file)");
    const { quick, database } = optionsOf<CheckOptions>(call);
    const words = ["--check", ...(quick === true ? ["--quick"] : []), ...(await databaseWords(call, database))];
    const found = await runErrand<Checked>(call, words);
    const { problems } = found;
    call.output.thing(found, () => {
      const head = `${found.database}: ${contentText(found)}`;
      return problems.length === 0
        ? [`${head}, whole`]
        : [`${head}, ${count(problems.length, "problem")}`, ...problems.map((problem) => `  ${problem}`)];
    });
    return problems.length === 0 ? exitCodes.ok : exitCodes.refused;
  },
};
