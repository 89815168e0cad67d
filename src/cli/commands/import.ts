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
 * and says one line on stdout: `{"database", "bytes", "tables"}`, or `{"error": {"code", "message", "details"}}`.
 */
import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { HoldfastError, isRefusalCode } from "../../terms/index.js";
import { type Call, type Command, ExitWith, optionsOf } from "../command.js";
import { count, formatBytes } from "../durations.js";
import { endBroker } from "../end-broker.js";
import { exitCodes } from "../exit-codes.js";
import { reachRunning } from "../reach.js";
import { environmentFor } from "../surroundings.js";
import { statusOf } from "./status.js";

interface ImportOptions {
  readonly force?: boolean;
  readonly stop?: boolean;
}

interface Imported {
  readonly database: string;
  readonly bytes: number;
  readonly tables: number;
}

const magic = "SQLite format 3\0";

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
    checkFile(file);
    await makeRoom(call, stop === true);
    const done = await runImport(call, file, force === true);
    call.output.thing(done, () => [
      `imported ${count(done.tables, "table")}, ${formatBytes(done.bytes)}, into ${done.database}`,
    ]);
    return exitCodes.ok;
  },
};

/** What can be told without SQLite is told at once. */
function checkFile(file: string): void {
  if (!existsSync(file)) throw new ExitWith(`${file} does not exist`, { exitCode: exitCodes.refused });
  if (!statSync(file).isFile()) throw new ExitWith(`${file} is not a file`, { exitCode: exitCodes.refused });
  const handle = openSync(file, "r");
  try {
    const head = Buffer.alloc(magic.length);
    readSync(handle, head, 0, head.length, 0);
    if (head.toString("latin1") !== magic)
      throw new ExitWith(`${file} is not an SQLite database`, { exitCode: exitCodes.refused });
  } finally {
    closeSync(handle);
  }
}

/** A broker that runs has its database open: it must go first, and only the user can say so. */
async function makeRoom(call: Call, stop: boolean): Promise<void> {
  const found = await statusOf(call);
  if (found === undefined) return;
  if (!stop)
    throw new HoldfastError(
      "ALREADY_RUNNING",
      `a broker runs (pid ${found.pid}) and has its database open; --stop lets import stop it first`,
    );
  const broker = await reachRunning(call);
  if (broker !== undefined && !(await endBroker(broker)))
    throw new HoldfastError("ALREADY_RUNNING", "the broker has been told to stop, and is still busy");
}

async function runImport(call: Call, file: string, force: boolean): Promise<Imported> {
  const front = fileURLToPath(new URL("./front.js", import.meta.url));
  const child = spawn(process.execPath, [front, "--import", file, ...(force ? ["--force"] : [])], {
    env: environmentFor(call.options, call.io),
    stdio: ["ignore", "pipe", "inherit"],
  });
  let words = "";
  child.stdout.setEncoding("utf8");
  child.stdout.on("data", (text: string) => {
    words += text;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  return outcomeIn(words, code);
}

/** The last line is the outcome; anything else is a fault of the broker's program. */
function outcomeIn(words: string, code: number | null): Imported {
  const line = words.trim().split("\n").pop() ?? "";
  const outcome = parsed(line);
  if (outcome === undefined)
    throw new HoldfastError("INTERNAL", `the import ended with ${code ?? "a signal"} and without a word`);
  const { error, database, bytes = 0, tables = 0 } = outcome;
  if (error === undefined && database !== undefined) return { database, bytes, tables };
  const word = typeof error?.code === "string" && isRefusalCode(error.code) ? error.code : "INTERNAL";
  throw new HoldfastError(word, typeof error?.message === "string" ? error.message : line);
}

function parsed(line: string): (Partial<Imported> & { error?: { code?: unknown; message?: unknown } }) | undefined {
  try {
    return JSON.parse(line) as ReturnType<typeof parsed>;
  } catch {
    return undefined;
  }
}
