/**
 * Results go to stdout in the form that was asked for: a table on a terminal, tabs when piped, or what an option says.
 * Comments go to stderr, and not at all with --quiet.
 */
import { csvLines, jsonLines, jsonObjects, jsonValue, type Rows, rawBytes, tabLines, tableLines } from "./formats.js";
import type { Io } from "./io.js";

export type Format = "table" | "tabs" | "csv" | "json" | "jsonl" | "raw";

export interface OutputOptions {
  readonly json?: boolean;
  readonly jsonl?: boolean;
  readonly csv?: boolean;
  readonly table?: boolean;
  readonly raw?: boolean;
  /** Undefined: the form's own habit. */
  readonly header?: boolean;
  readonly quiet?: boolean;
}

function formatOf(options: OutputOptions, isTerminal: boolean): Format {
  for (const format of ["json", "jsonl", "csv", "table", "raw"] as const) if (options[format] === true) return format;
  return isTerminal ? "table" : "tabs";
}

export class Output {
  readonly format: Format;
  /** For people: prose instead of bare values, lengths of time instead of dates. */
  readonly forPeople: boolean;
  readonly #io: Io;
  readonly #options: OutputOptions;

  constructor(io: Io, options: OutputOptions) {
    this.#io = io;
    this.#options = options;
    this.format = formatOf(options, io.columns !== undefined);
    this.forPeople = this.format === "table";
  }

  get asJson(): boolean {
    return this.format === "json" || this.format === "jsonl";
  }

  rows(rows: Rows): void {
    if (this.format === "raw") this.#io.write(rawBytes(rows));
    else this.#lines(this.formatted(rows));
  }

  /** As they would be written. */
  formatted(rows: Rows): string[] {
    const { header } = this.#options;
    switch (this.format) {
      case "table":
        return tableLines(rows, {
          header: header ?? true,
          widthMax: this.#io.columns ?? 0,
          paint: (text, how) => this.paint(text, how),
        });
      case "csv":
        return csvLines(rows, header ?? true);
      case "json":
        return jsonLines(rows);
      case "jsonl":
        return jsonObjects(rows);
      default:
        return tabLines(rows, header ?? false);
    }
  }

  /** One thing: as JSON where that is asked for, else as the lines. */
  thing(value: unknown, lines: () => readonly string[]): void {
    if (this.format === "json") this.#lines([jsonValue(value, 2)]);
    else if (this.format === "jsonl") this.#lines([jsonValue(value)]);
    else this.#lines(lines());
  }

  /** A list of things, JSON only. */
  things(values: readonly unknown[]): void {
    if (this.format === "json") this.#lines([jsonValue(values, 2)]);
    else this.#lines(values.map((value) => jsonValue(value)));
  }

  line(text: string): void {
    this.#lines([text]);
  }

  #lines(lines: readonly string[]): void {
    if (lines.length > 0) this.#io.write(`${lines.join("\n")}\n`);
  }

  /** On stderr, unless --quiet. */
  comment(text: string): void {
    if (this.#options.quiet !== true) this.#io.say(`${text}\n`);
  }

  /** On stderr, as the program's own voice; also with --quiet. */
  warn(text: string): void {
    this.#io.say(`holdfast: ${text}\n`);
  }

  paint(text: string, how: "head" | "faint" | "good" | "bad"): string {
    if (!mayPaint(this.#io)) return text;
    return paint(text, how);
  }
}

/** https://no-color.org: any value but the empty one switches colours off. */
function mayPaint(io: Io): boolean {
  return io.columns !== undefined && (io.env["NO_COLOR"] ?? "") === "" && io.env["TERM"] !== "dumb";
}

const codes = { head: "1", faint: "2", good: "32", bad: "31" } as const;

function paint(text: string, how: keyof typeof codes): string {
  return `\u001b[${codes[how]}m${text}\u001b[0m`;
}
