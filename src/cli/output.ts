/**
 * Results go to stdout in the form that was asked for: a table on a terminal, tabs when piped, or what an option says.
 * Comments go to stderr, and not at all with --quiet.
 */
import {
  csvLines,
  jsonLines,
  jsonObjects,
  jsonValue,
  layoutOf,
  lineLines,
  type Rows,
  rawBytes,
  type TableLayout,
  type TableStyle,
  tabLines,
  tableLines,
} from "./formats.js";
import type { Io } from "./io.js";

export type Format = "table" | "tabs" | "csv" | "json" | "jsonl" | "line" | "raw";

export interface OutputOptions {
  readonly json?: boolean;
  readonly jsonl?: boolean;
  readonly csv?: boolean;
  readonly table?: boolean;
  readonly tabs?: boolean;
  /** The shell's alone. */
  readonly line?: boolean;
  readonly raw?: boolean;
  /** Undefined: the form's own habit. */
  readonly header?: boolean;
  readonly quiet?: boolean;
}

/** A result that comes bit by bit. */
export interface RowParts {
  readonly add: (rows: Rows["rows"]) => void;
  readonly end: () => void;
}

function formatOf(options: OutputOptions, isTerminal: boolean): Format {
  for (const format of ["json", "jsonl", "csv", "table", "tabs", "line", "raw"] as const)
    if (options[format] === true) return format;
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

  /** `header`: false where it was said before. */
  rows(rows: Rows, header = this.#options.header): void {
    if (this.format === "raw") this.#io.write(rawBytes(rows));
    else this.#lines(this.formatted(rows, header));
  }

  /** As they would be written. */
  formatted(rows: Rows, header = this.#options.header): string[] {
    switch (this.format) {
      case "table":
        return tableLines(rows, this.#tableStyle(header));
      case "csv":
        return csvLines(rows, header ?? true);
      case "json":
        return jsonLines(rows);
      case "jsonl":
        return jsonObjects(rows);
      case "line":
        return lineLines(rows);
      default:
        return tabLines(rows, header ?? false);
    }
  }

  /** A result in parts: what is given to it is written as one result would be, and is not kept. */
  parts(columns: readonly string[], header = this.#options.header): RowParts {
    let layout: TableLayout | undefined;
    let written = 0;
    const start = (rows: Rows["rows"]): string[] => {
      const all = { columns, rows };
      switch (this.format) {
        case "table": {
          const style = this.#tableStyle(header);
          layout ??= layoutOf(all, style);
          return tableLines(all, written === 0 ? style : { ...style, header: false }, layout);
        }
        case "json":
          return jsonObjects(all).map((object, i) => `${written + i === 0 ? "[" : ","}${object}`);
        case "line":
          return [...(written === 0 ? [] : [""]), ...lineLines(all)];
        default:
          return this.formatted(all, written === 0 ? header : false);
      }
    };
    return {
      add: (rows) => {
        this.#lines(start(rows));
        written += rows.length;
      },
      end: () => {
        if (this.format === "json") this.#lines([written === 0 ? "[]" : "]"]);
      },
    };
  }

  #tableStyle(header: boolean | undefined): TableStyle {
    const paint: TableStyle["paint"] = (text, how) => this.paint(text, how);
    return { header: header ?? true, widthMax: this.#io.columns ?? 0, paint };
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
