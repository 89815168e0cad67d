/** What begins with a dot: said to the shell and not to the database. The names are those of sqlite3. */
import { ExitWith } from "../command.js";
import { exitCodes } from "../exit-codes.js";
import type { Format } from "../output.js";
import { nearest } from "../suggestions.js";
import { printable, widthOf } from "../width.js";
import { isInternal } from "./schema-names.js";

/** How results are shown. */
export interface View {
  readonly mode: Format;
  /** Undefined: the form's own habit. */
  readonly header: boolean | undefined;
  readonly timer: boolean;
}

/** What the commands may do. */
export interface DotHost {
  readonly view: View;
  /** From the next statement on. */
  readonly show: (view: Partial<View>) => void;
  readonly columns: number | undefined;
  readonly ask: (sql: string, args?: readonly string[]) => Promise<readonly (readonly unknown[])[]>;
  /** To stdout. */
  readonly line: (text: string) => void;
  readonly read: (file: string) => Promise<void>;
  readonly importFile: (file: string, table: string) => Promise<void>;
}

interface DotCommand {
  readonly name: string;
  readonly usage: string;
  readonly summary: string;
  readonly words: readonly [least: number, most: number];
  /** What its first word may be. */
  readonly choices?: readonly string[];
  readonly run: (host: DotHost, words: readonly string[]) => Promise<void> | void;
}

/** Names of sqlite3 for what is a table here. */
const modeAliases: { readonly [name: string]: Format } = { box: "table", column: "table", markdown: "table" };
const modes: readonly Format[] = ["table", "tabs", "csv", "json", "jsonl", "line"];
const switches = ["on", "off"];

export const dotCommands: readonly DotCommand[] = [
  {
    name: ".headers",
    usage: ".headers on|off",
    summary: "names of the columns above the rows",
    words: [1, 1],
    choices: switches,
    run(host, [word = ""]) {
      host.show({ header: isOn(word, ".headers") });
    },
  },
  { name: ".help", usage: ".help", summary: "this", words: [0, 1], run: (host) => help(host) },
  {
    name: ".import",
    usage: ".import FILE TABLE",
    summary: "rows of CSV or JSON lines into a table; the first line of CSV names the columns",
    words: [2, 2],
    run: (host, [file = "", table = ""]) => host.importFile(file, table),
  },
  {
    name: ".mode",
    usage: `.mode ${modes.join("|")}`,
    summary: "the form of results",
    words: [0, 1],
    choices: modes,
    run: setMode,
  },
  {
    name: ".quit",
    usage: ".quit",
    summary: "leave; so do Ctrl-D and .exit",
    words: [0, 0],
    run() {},
  },
  {
    name: ".read",
    usage: ".read FILE",
    summary: "run the statements of a file, up to the first that is refused",
    words: [1, 1],
    run: (host, [file = ""]) => host.read(file),
  },
  {
    name: ".schema",
    usage: ".schema [PATTERN]",
    summary: "the CREATE statements of what is named like PATTERN",
    words: [0, 1],
    run: (host, [pattern = "%"]) => showSchema(host, pattern),
  },
  {
    name: ".tables",
    usage: ".tables [PATTERN]",
    summary: "tables and views named like PATTERN, in which % is anything",
    words: [0, 1],
    run: (host, [pattern = "%"]) => showTables(host, pattern),
  },
  {
    name: ".timer",
    usage: ".timer on|off",
    summary: "how long each statement took",
    words: [1, 1],
    choices: switches,
    run(host, [word = ""]) {
      host.show({ timer: isOn(word, ".timer") });
    },
  },
];

/** A name may be cut short as long as it is clear. Throws an ExitWith that says what is wrong. */
export async function runDotCommand(host: DotHost, [given = "", ...words]: readonly string[]): Promise<"quit" | "on"> {
  const command = commandNamed(given);
  const [least, most] = command.words;
  if (words.length < least || words.length > most) throw misused(`usage: ${command.usage}`);
  await command.run(host, words);
  return command.name === ".quit" ? "quit" : "on";
}

function commandNamed(given: string): DotCommand {
  const name = given === ".exit" ? ".quit" : given.toLowerCase();
  const begun = dotCommands.filter((one) => one.name.startsWith(name));
  const [only] = begun;
  const found = dotCommands.find((one) => one.name === name) ?? (begun.length === 1 ? only : undefined);
  if (found !== undefined && name !== ".") return found;
  if (begun.length > 1 && name !== ".") throw misused(`"${given}" may be ${begun.map((one) => one.name).join(", ")}`);
  const meant = nearest(
    name,
    dotCommands.map((one) => one.name),
  );
  throw misused(
    `there is no "${printable(given)}"; ${meant === undefined ? ".help lists what there is" : `did you mean ${meant}?`}`,
  );
}

function isOn(word: string, command: string): boolean {
  if (["on", "yes", "1"].includes(word.toLowerCase())) return true;
  if (["off", "no", "0"].includes(word.toLowerCase())) return false;
  throw misused(`usage: ${command} on|off`);
}

function setMode(host: DotHost, [word]: readonly string[]): void {
  if (word === undefined) return host.line(`the mode is ${host.view.mode}; there are ${modes.join(", ")}`);
  const name = word.toLowerCase();
  const mode = modes.find((one) => one === name) ?? modeAliases[name];
  if (mode === undefined) throw misused(`"${printable(word)}" is no mode; there are ${modes.join(", ")}`);
  host.show({ mode });
}

function help(host: DotHost): void {
  const width = Math.max(...dotCommands.map(({ usage }) => usage.length));
  for (const { usage, summary } of dotCommands) host.line(`${usage.padEnd(width)}  ${summary}`);
  host.line("");
  host.line(
    "A statement ends with a semicolon. From the first write behind BEGIN, or from BEGIN IMMEDIATE, nobody else writes before COMMIT.",
  );
  host.line("BEGIN TRANSACTION READONLY is for reading several times from one moment, and is in nobody's way.");
  host.line("Ctrl-C ends the statement that runs, or drops what is typed; Tab completes; the arrows call back.");
}

async function showTables(host: DotHost, pattern: string): Promise<void> {
  const found = await host.ask(
    "select name from sqlite_schema where type in ('table', 'view') and name not like 'sqlite\\_%' escape '\\' and name like ? order by name",
    [pattern],
  );
  const names = found.map(([name]) => String(name)).filter((name) => !isInternal(name));
  for (const line of inColumns(names.map(printable), host.columns ?? 80)) host.line(line);
}

async function showSchema(host: DotHost, pattern: string): Promise<void> {
  const found = await host.ask(
    "select name, tbl_name, sql from sqlite_schema where sql is not null and (name like ?1 or tbl_name like ?1) order by tbl_name, type = 'table' desc, rowid",
    [pattern],
  );
  for (const [name, table, sql] of found)
    if (!isInternal(String(name)) && !isInternal(String(table))) host.line(`${linesOf(String(sql))};`);
}

/** Its own line breaks stay; all else that could move the cursor is shown. */
function linesOf(sql: string): string {
  return sql
    .split("\n")
    .map((line) => printable(line.replace(/\r$/, "").replaceAll("\t", "    ")))
    .join("\n");
}

/** Down, then to the right, as `ls` does it. */
export function inColumns(names: readonly string[], widthMax: number): string[] {
  const width = Math.max(0, ...names.map(widthOf)) + 2;
  const columns = Math.max(1, Math.floor((widthMax + 2) / width));
  const lines = Math.ceil(names.length / columns);
  return Array.from({ length: lines }, (_, at) =>
    names
      .filter((_name, i) => i % lines === at)
      .map((name) => name + " ".repeat(width - widthOf(name)))
      .join("")
      .trimEnd(),
  );
}

function misused(message: string): ExitWith {
  return new ExitWith(message, { exitCode: exitCodes.usage });
}
