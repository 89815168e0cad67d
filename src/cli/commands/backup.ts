/**
 * `holdfast backup FILE`: a copy of the database as it is at this moment, while programs go on writing; one file, looked
 * through before it gets its name. With or without a broker. It is an SQLite database that opens anywhere, and what
 * `holdfast restore` takes.
 */
import { resolve } from "node:path";
import { type Command, optionsOf } from "../command.js";
import { contentText, runErrand } from "../errand.js";
import { exitCodes } from "../exit-codes.js";
import { databaseWords } from "../served-database.js";

interface BackupOptions {
  readonly force?: boolean;
  readonly database?: string;
}

interface BackedUp {
  readonly file: string;
  readonly bytes: number;
  readonly tables: number;
  readonly seq: number;
}

export const backup: Command = {
  prints: true,
  define(parser) {
    parser
      .argument("<file>", "where the copy goes")
      .option("--force", "replace a file that is there already")
      .option("--database <file>", "of this database; the running broker's, or the usual one, without")
      .addHelpText(
        "after",
        "\nThe copy is one moment of the database, whole and verified; nobody waits for it.\n\n" +
          "  holdfast backup /backups/app-$(date +%F).db",
      );
  },

  async run(call) {
    const { force, database } = optionsOf<BackupOptions>(call);
    const [word = "", ...more] = call.operands;
    if (more.length > 0) call.misused("backup takes one file");
    const file = resolve(call.io.cwd, word);
    const words = ["--backup", file, ...(force === true ? ["--force"] : []), ...(await databaseWords(call, database))];
    const done = await runErrand<BackedUp>(call, words);
    call.output.thing(done, () => [`${done.file}: ${contentText(done)}, whole`]);
    return exitCodes.ok;
  },
};
