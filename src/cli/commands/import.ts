/**
 * `holdfast import FILE`: takes over an existing SQLite database as the broker's own. The file itself stays as it is.
 *
 * SQLite is opened by the broker's program only, so the work is done by it, in a run of its own while no broker serves:
 *
 *   front.js --import FILE [--force]        HOLDFAST_DIR and so on in the environment, as for any broker
 *
 * It takes the broker's and the writer's lock, so that no broker begins meanwhile (ALREADY_RUNNING), then
 *   1. opens FILE with locking_mode=EXCLUSIVE and a short busy timeout: whoever else has it open is in the way
 *      (SQLITE_BUSY, details.pid), since what they would write later would be lost;
 *   2. refuses a file that quick_check finds damaged (SQLITE_CORRUPT), or that holds `_holdfast_` tables (DATA_FOREIGN);
 *   3. refuses when the broker's database has tables of its own (CONFIGURATION) unless --force, which puts it aside as
 *      data.db.before-import-TIME, never away;
 *   4. copies FILE page by page with SQLite's backup (VACUUM INTO would renumber rowids) to a draft beside data.db,
 *      syncs it, renames it into place without the old -wal and -shm, and syncs the directory. The ledger stays: its
 *      token mark must not go back, and a database without `_holdfast_meta` is a new incarnation.
 */
import { resolve } from "node:path";
import { type Command, optionsOf } from "../command.js";
import { count, formatBytes } from "../durations.js";
import { checkDatabaseFile, makeRoom, runErrand } from "../errand.js";
import { exitCodes } from "../exit-codes.js";

interface ImportOptions {
  readonly force?: boolean;
  readonly stop?: boolean;
}

interface Imported {
  readonly database: string;
  readonly bytes: number;
  readonly tables: number;
}

export const importFile: Command = {
  prints: true,
  define(parser) {
    parser
      .argument("<file>", "an SQLite database that no other program has open")
      .option("--stop", "stop the broker first, if one runs")
      .option("--force", "put the broker's present tables aside (the file is kept beside the new one)")
      .addHelpText(
        "after",
        "\nThe file stays as it is: the broker works on a copy. From then on programs use the broker.",
      );
  },

  async run(call) {
    const { force, stop } = optionsOf<ImportOptions>(call);
    const [word = "", ...more] = call.operands;
    if (more.length > 0) call.misused("import takes one file");
    const file = resolve(call.io.cwd, word);
    checkDatabaseFile(file);
    await makeRoom(call, "import", stop === true);
    const words = ["--import", file, ...(force === true ? ["--force"] : [])];
    const done = await runErrand<Imported>(call, words);
    call.output.thing(done, () => [
      `imported ${count(done.tables, "table")}, ${formatBytes(done.bytes)}, into ${done.database}`,
    ]);
    return exitCodes.ok;
  },
};
