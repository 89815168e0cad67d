/**
 * `holdfast import FILE --table T`: rows of CSV or JSON lines into a table (../rows/).
 *
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
 *      notes in it where the tokens end that were given here, syncs it, renames it into place without the old -wal and
 *      -shm, and syncs the directory. The ledger stays: its token mark must not go back either.
 */
import { resolve } from "node:path";
import { HoldfastError } from "../../terms/index.js";
import { type Call, type Command, optionsOf } from "../command.js";
import { count, formatBytes } from "../durations.js";
import { checkDatabaseFile, runAlone } from "../errand.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { reach, reachRunning } from "../reach.js";
import { quoted } from "../words.js";

interface ImportOptions {
  readonly force?: boolean;
  readonly stop?: boolean;
  readonly table?: string;
  readonly from?: string;
  readonly text?: boolean;
  readonly resume?: boolean;
  readonly anew?: boolean;
}

interface Imported {
  readonly database: string;
  readonly bytes: number;
  readonly tables: number;
}

export const importFile: Command = {
  // Its --table is not the form of a result.
  prints: false,
  define(parser) {
    parser
      .usage("[options] FILE --table TABLE\n       holdfast import [--stop] [--force] DATABASE")
      .argument("<file>", "CSV or JSON lines (- is stdin); or an SQLite database that no other program has open")
      .option("--table <table>", "into this table; it is made if it is not there")
      .option("--from <form>", "csv or jsonl, where the file's name does not tell")
      .option("--text", "store the fields of CSV as text, also those that read as numbers")
      .option("--resume", "go on with an import of this file that was interrupted")
      .option("--anew", "begin one that was interrupted from the start again")
      .option("--json", "what came of it as one JSON object")
      .option("--stop", "stop the broker first, if one runs")
      .option("--force", "put the broker's present tables aside (the file is kept beside the new one)")
      .addHelpText(
        "after",
        "\nRows are stored in batches of 500, each whole or not at all and never twice. One that is\n" +
          "refused ends the import with the number of its line; what was stored before stays, and\n" +
          "--resume goes on behind it once the line is mended (within 7 days). The first line of\n" +
          "CSV names the columns; an empty field without quotes is NULL. JSON lines are objects,\n" +
          "as `holdfast export --jsonl` writes them. Columns that the table computes (GENERATED) are\n" +
          "left out: it makes their values again.\n" +
          "\nA database becomes the broker's own. Its file stays as it is: the broker works on a\n" +
          "copy. From then on programs use the broker.\n" +
          "\n  holdfast import people.csv --table person\n  holdfast import app.db",
      );
  },

  async run(call) {
    const options = optionsOf<ImportOptions>(call);
    const [word = "", ...more] = call.operands;
    if (more.length > 0) call.misused("import takes one file");
    const { table, from, text, resume, anew } = options;
    if (table !== undefined || isRowFile(word)) return await importTable(call, word, options);
    if (from !== undefined || text === true || resume === true || anew === true)
      call.misused("rows go into a table: --table TABLE");
    return await takeOver(call, resolve(call.io.cwd, word), options);
  },
};

function isRowFile(word: string): boolean {
  return /\.(?:csv|jsonl|ndjson)$/i.test(word) || word === "-";
}

async function importTable(
  call: Call,
  word: string,
  { table, from, text, resume, anew, force, stop }: ImportOptions,
): Promise<ExitCode> {
  if (table === undefined || table === "") return call.misused("into which table? --table TABLE");
  if (force === true || stop === true) call.misused("--stop and --force are for taking over a database");
  if (resume === true && anew === true) call.misused("either --resume or --anew, not both");
  const { importFileRows, rowFormOf } = await import("../rows/file-import.js");
  const form = rowFormOf(word, from) ?? call.misused(`is ${word} CSV or JSON lines? --from csv, --from jsonl`);
  const broker = await reach(call, { start: true, integers: "bigint" });
  const stopping = new AbortController();
  // A second one ends us at once.
  process.once("SIGINT", () => stopping.abort());
  try {
    const done = await importFileRows(call, {
      ...{ broker, open: undefined, file: word, table, form, asText: text === true, fence: [] },
      ...{ resume: resume === true, anew: anew === true, signal: stopping.signal },
    });
    call.output.thing({ table, ...done }, () => [
      `imported ${count(done.rows, "row")} into ${quoted(table)}${done.created ? ", which is new" : ""}`,
    ]);
    return exitCodes.ok;
  } finally {
    await broker.close();
  }
}

async function takeOver(call: Call, file: string, { force, stop }: ImportOptions): Promise<ExitCode> {
  checkDatabaseFile(file);
  if (stop === true && force !== true) await refuseOwnTables(call);
  const done = await runAlone<Imported>(call, {
    command: "import",
    stop: stop === true,
    words: (served) => [
      ...["--import", file, ...(force === true ? ["--force"] : [])],
      ...(served === undefined ? [] : ["--database", served]),
    ],
  });
  call.output.thing(done, () => [
    `imported ${count(done.tables, "table")}, ${formatBytes(done.bytes)}, into ${done.database}`,
  ]);
  return exitCodes.ok;
}

/** As the run does it, while the broker is still there to be asked: it is not stopped for what is refused anyway. */
async function refuseOwnTables(call: Call): Promise<void> {
  const broker = await reachRunning(call);
  if (broker === undefined) return;
  try {
    const row = await broker.get<{ tables: number }>(
      "select count(*) as tables from sqlite_schema where type = 'table' and name not like 'sqlite\\_%' escape '\\' and name not like '\\_holdfast\\_%' escape '\\'",
    );
    const tables = row?.tables ?? 0;
    if (tables > 0)
      throw new HoldfastError(
        "CONFIGURATION",
        `the broker's database has ${count(tables, "table")} of its own; --force puts it aside`,
      );
  } finally {
    await broker.close();
  }
}
