/** `holdfast export`: a table, or what a statement finds, as CSV or JSON lines; of any size, from one moment. */
import {
  closeSync,
  constants,
  fsyncSync,
  lstatSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { resolve } from "node:path";
import type { RowStream } from "../../client/index.js";
import { HoldfastError, isHoldfastError } from "../../terms/index.js";
import type { Cell } from "../cells.js";
import { signalExitCode } from "../child.js";
import { type Call, type Command, ExitWith, optionsOf } from "../command.js";
import { count, formatBytes, parseDuration } from "../durations.js";
import { type ExitCode, exitCodeOf, exitCodes } from "../exit-codes.js";
import { csvLines, jsonObjects } from "../formats.js";
import { Meter } from "../meter.js";
import { reach } from "../reach.js";
import { exactJson } from "../rows/exact-json.js";
import { sqlName } from "../sql-name.js";
import { complainOfSql } from "../sql-results.js";

interface ExportOptions {
  readonly csv?: boolean;
  readonly jsonl?: boolean;
  readonly out?: string;
  readonly header: boolean;
  readonly timeout?: string;
}

type RowForm = "csv" | "jsonl";

export const exportRows: Command = {
  prints: false,
  define(parser) {
    parser
      .usage('[options] TABLE\n       holdfast export [options] "SELECT …"')
      .argument("<what>", "a table or a view, or a statement that reads")
      .option("--csv", 'comma-separated, with a header; NULL is empty, the empty text is ""')
      .option("--jsonl", "one JSON object a line, from which `holdfast import` makes the same values again")
      .option("-o, --out <file>", "into this file, once it is whole; its name may tell the form: .csv, .jsonl")
      .option("--no-header", "CSV without the names of the columns")
      .option("--timeout <time>", "how long the statement may run without a row: 30 (seconds), 500ms, 2m")
      .addHelpText(
        "after",
        "\nAll rows are of one moment. An export that is older than a second ends with an error when\n" +
          "it is in the way of the database's log (SNAPSHOT_ENDED); a file of before stays then.\n" +
          'In JSON lines an INTEGER beyond 2^53 is {"$int":"…"}, a REAL without a fraction is\n' +
          '{"$real":"1"}, a blob is {"$blob":"base64"}.\n' +
          "\n  holdfast export person -o people.csv\n" +
          "  holdfast export \"select * from job where state = 'open'\" --jsonl | jq .name",
      );
  },

  async run(call) {
    const [what = "", ...more] = call.operands;
    if (more.length > 0) call.misused("export takes one table, or one statement in quotes");
    const options = optionsOf<ExportOptions>(call);
    const form = formOf(options) ?? call.misused("--csv or --jsonl?");
    const timeoutMs = options.timeout === undefined ? undefined : parseDuration(options.timeout);
    if (options.timeout !== undefined && timeoutMs === undefined)
      call.misused(`"${options.timeout}" is not a length of time: 30 (seconds), 500ms, 2m`);
    const sql = statementFor(what);
    const place = options.out === undefined ? undefined : placeOf(options.out, call.io.cwd);
    const broker = await reach(call, { start: true, integers: "bigint" });
    const stopping = new AbortController();
    let code: ExitCode = exitCodes.refused;
    // Only a draft is to be cleared away, and a second signal ends us at once. Elsewhere the first one does: while a write
    // waits for its reader nothing of ours would hear it.
    if (place?.draft !== undefined)
      for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
        process.once(signal, () => {
          code = signalExitCode(signal);
          stopping.abort();
        });
    try {
      const rows = broker.stream(sql, [], { rows: "arrays", timeoutMs, signal: stopping.signal });
      await writeAll(call, rows, { form, header: options.header, place });
      return exitCodes.ok;
    } catch (error) {
      if (stopping.signal.aborted) throw new ExitWith("interrupted", { exitCode: code, cause: error });
      if (!isHoldfastError(error)) throw error;
      complainOfSql(error, sql, call.io);
      return exitCodeOf(error.code);
    } finally {
      await broker.close();
    }
  },
};

function formOf({ csv, jsonl, out = "" }: ExportOptions): RowForm | undefined {
  if (csv === true && jsonl === true) return undefined;
  if (csv === true || (jsonl !== true && /\.csv$/i.test(out))) return "csv";
  return jsonl === true || /\.(?:jsonl|ndjson)$/i.test(out) ? "jsonl" : undefined;
}

/** A word that begins a statement, and more behind it; or a comment. */
const statement =
  /^\s*(?:(?:alter|analyze|attach|begin|commit|create|delete|detach|drop|end|explain|insert|pragma|reindex|release|replace|rollback|savepoint|select|update|vacuum|values|with)(?:\s|[("'*[`]|--|\/\*)\s*\S|--|\/\*|;)/i;

/** All that does not begin as a statement is the name of a table, in quotes of SQL or without. */
function statementFor(what: string): string {
  if (statement.test(what)) return what;
  const isQuoted = /^(?:"(?:[^"]|"")+"|\[[^\]]+\]|`(?:[^`]|``)+`)$/.test(what);
  return `select * from ${isQuoted ? what : sqlName(what)}`;
}

interface Writing {
  readonly form: RowForm;
  readonly header: boolean;
  /** Undefined: stdout. */
  readonly place: Place | undefined;
}

/** Rows that are made into text together. */
const partRows = 500;

async function writeAll(call: Call, rows: RowStream<Cell[]>, { form, header, place }: Writing): Promise<ExitCode> {
  const columns = await rows.columns();
  const target = place === undefined ? undefined : new Target(place);
  const meter = new Meter(call);
  let part: Cell[][] = [];
  let written = 0;
  let bytes = 0;
  const flush = async () => {
    const lines =
      form === "csv"
        ? csvLines({ columns, rows: part }, header && written === 0)
        : jsonObjects({ columns, rows: part }, exactJson);
    const text = Buffer.from(lines.map((line) => `${line}\n`).join(""));
    if (target === undefined) call.io.write(text);
    else target.write(text);
    // A reader that is slow slows the broker down, rather than filling the memory.
    if (target === undefined) await call.io.flushed();
    written += part.length;
    bytes += text.length;
    part = [];
    // On a terminal that shows the rows it would stand between them.
    if (target !== undefined || call.io.columns === undefined)
      meter.show(() => `${count(written, "row")}, ${formatBytes(bytes)}`);
  };
  try {
    for await (const row of rows) {
      part.push(row);
      if (part.length === partRows) await flush();
    }
    if (part.length > 0 || written === 0) await flush();
    target?.finish();
  } catch (error) {
    target?.abandon();
    throw error;
  } finally {
    meter.clear();
  }
  call.output.comment(
    `${count(written, "row")}, ${formatBytes(bytes)}${place === undefined ? "" : `, in ${place.asked}`}`,
  );
  return exitCodes.ok;
}

/** Of a file that has its name only once it is whole. What is no plain file (a pipe, a device) is written as it is. */
interface Place {
  /** As it was typed. */
  readonly asked: string;
  readonly path: string;
  /** Where the rows are until then; undefined when it is no plain file. */
  readonly draft: string | undefined;
  readonly mode: number;
}

function placeOf(asked: string, cwd: string): Place {
  const named = resolve(cwd, asked);
  const stat = statSync(named, { throwIfNoEntry: false });
  // What a link leads to is replaced, and not the link; that of a pipe without a name leads to no path.
  const path = stat?.isFile() === true ? realpathSync(named) : named;
  if (stat === undefined && lstatSync(path, { throwIfNoEntry: false }) !== undefined)
    throw new HoldfastError("CONFIGURATION", `${path} is a link that leads nowhere`, { details: { path } });
  const draft = stat === undefined || stat.isFile() ? `${path}.${process.pid}.part` : undefined;
  return { asked, path, draft, mode: stat === undefined ? 0o666 : stat.mode & 0o777 };
}

class Target {
  readonly #path: string;
  readonly #draft: string | undefined;
  readonly #handle: number;

  constructor({ path, draft, mode }: Place) {
    this.#path = path;
    this.#draft = draft;
    this.#handle = draft === undefined ? openSync(path, constants.O_WRONLY) : openSync(draft, "wx", mode);
  }

  write(bytes: Uint8Array): void {
    for (let from = 0; from < bytes.length; ) from += writeSync(this.#handle, bytes, from);
  }

  finish(): void {
    if (this.#draft !== undefined) fsyncSync(this.#handle);
    closeSync(this.#handle);
    if (this.#draft !== undefined) renameSync(this.#draft, this.#path);
  }

  abandon(): void {
    closeSync(this.#handle);
    if (this.#draft !== undefined) rmSync(this.#draft, { force: true });
  }
}
