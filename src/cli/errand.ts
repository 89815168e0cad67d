/**
 * Long work on the database, done by the broker's program in a run of its own (`front.js --backup FILE` and the like):
 * SQLite is opened by that program only. It says in lines of JSON how it goes and, in the last one, what came of it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readSync, statSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { HoldfastError, isHoldfastError, isRefusalCode } from "../terms/index.js";
import { type Call, ExitWith } from "./command.js";
import { statusOf } from "./commands/status.js";
import { count, formatBytes, formatCount } from "./durations.js";
import { endBroker } from "./end-broker.js";
import { exitCodes } from "./exit-codes.js";
import { Meter } from "./meter.js";
import { reachRunning } from "./reach.js";
import { environmentFor } from "./surroundings.js";

const magic = "SQLite format 3\0";

/** What can be told of a file without SQLite is told at once. */
export function checkDatabaseFile(file: string): void {
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

/** What no broker may be beside. */
export interface LoneWork {
  /** As it was typed. */
  readonly command: string;
  /** Whether a broker that runs may be stopped for it: only the user can say so. */
  readonly stop: boolean;
  /** For the broker's program. `served`: the database of the broker that is stopped for it. */
  readonly words: (served: string | undefined) => readonly string[];
}

/**
 * A broker that runs has its database open, and must go first. The run is begun before that, and waits for the broker's
 * place: programs at work start the next broker as soon as there is none, and would be there before a run that begins
 * then. They try again until the run is over.
 */
export async function runAlone<Outcome extends object>(
  call: Call,
  { command, stop, words }: LoneWork,
): Promise<Outcome> {
  const found = await statusOf(call);
  if (found === undefined) return runErrand(call, words(undefined));
  const { pid, spawned, database, places } = found;
  if (!stop)
    throw new HoldfastError(
      "ALREADY_RUNNING",
      `a broker runs (pid ${pid}) and has its database open; --stop lets ${command} stop it first`,
    );
  // Its socket may have been named, and its place be another than the one that the run would look for itself.
  const runDir = places["runDir"];
  const where = runDir === undefined ? [] : ["--after-in", runDir];
  const errand = new Errand(call, [...words(database.path), "--after", String(pid), ...where]);
  // Refused before it could wait: then no broker is stopped for it.
  if (!(await errand.waits())) return errand.outcome();
  try {
    const broker = await reachRunning(call);
    if (broker !== undefined && !(await endBroker(broker)))
      throw new HoldfastError("ALREADY_RUNNING", "the broker has been told to stop, and is still busy");
  } catch (error) {
    errand.end();
    // It may have come to its place all the same, and have done its work: then that is what is to be told.
    return errand.outcome<Outcome>().catch(() => {
      throw error;
    });
  }
  return errand.outcome<Outcome>().catch((error: unknown) => {
    throw refusedAfterStop(error, spawned);
  });
}

/** What the run that a broker was stopped for refused with says that it was. */
function refusedAfterStop(error: unknown, spawned: boolean): unknown {
  if (!isHoldfastError(error)) return error;
  const again = spawned ? "it starts again when it is needed" : "`holdfast serve` starts it again";
  return new HoldfastError(error.code, `${error.message}\nthe broker has been stopped for this; ${again}`, {
    cause: error,
  });
}

interface Progress {
  readonly pages: number;
  readonly pagesAll: number;
}

/** What the run said last, as the caller knows it to be. Throws what it refused with. */
export function runErrand<Outcome extends object>(call: Call, words: readonly string[]): Promise<Outcome> {
  return new Errand(call, words).outcome();
}

class Errand {
  readonly #child: ChildProcess;
  readonly #waiting: Promise<true>;
  readonly #ended: Promise<number | null>;
  #last = "";

  constructor(call: Call, words: readonly string[]) {
    const front = fileURLToPath(new URL("./front.js", import.meta.url));
    const child = spawn(process.execPath, [front, ...words], {
      env: environmentFor(call.options, call.io),
      // It ends when this pipe does: nothing goes on for somebody who has been killed.
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#child = child;
    const meter = new Meter(call);
    const lines = createInterface({ input: child.stdout });
    this.#waiting = new Promise((resolve) => {
      lines.on("line", (line) => {
        const { progress, waiting } = parsed<{ progress?: Progress; waiting?: true }>(line) ?? {};
        if (progress !== undefined) meter.show(() => progressText(progress));
        else if (waiting === true) resolve(true);
        else this.#last = line;
      });
    });
    this.#ended = new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    }).finally(() => meter.clear());
  }

  /** Whether it comes to where it waits for its place; false: it has ended before. */
  waits(): Promise<boolean> {
    return Promise.race([this.#waiting, this.#ended.then(() => false)]);
  }

  /** For good, with nothing done. */
  end(): void {
    this.#child.kill();
  }

  async outcome<Outcome extends object>(): Promise<Outcome> {
    const code = await this.#ended;
    return outcomeIn<Outcome>(this.#last, code);
  }
}

/** The last line is the outcome; anything else is a fault of the broker's program. */
function outcomeIn<Outcome extends object>(line: string, code: number | null): Outcome {
  const outcome = parsed<Outcome & { error?: { code?: unknown; message?: unknown } }>(line);
  if (outcome === undefined)
    throw new HoldfastError("INTERNAL", `the broker's program ended with ${code ?? "a signal"} and without a word`);
  const { error } = outcome;
  if (error === undefined) return outcome;
  const word = typeof error.code === "string" && isRefusalCode(error.code) ? error.code : "INTERNAL";
  throw new HoldfastError(word, typeof error.message === "string" ? error.message : line);
}

function parsed<Kind>(line: string): Kind | undefined {
  try {
    return JSON.parse(line) as Kind;
  } catch {
    return undefined;
  }
}

function progressText({ pages, pagesAll }: Progress): string {
  const percent = pagesAll === 0 ? 100 : Math.floor((100 * pages) / pagesAll);
  return `${percent} % of ${formatCount(pagesAll)} pages`;
}

/** `12.3 MiB, 4 tables`: what a file holds. */
export function contentText({ bytes, tables }: { readonly bytes: number; readonly tables: number }): string {
  return `${formatBytes(bytes)}, ${count(tables, "table")}`;
}
