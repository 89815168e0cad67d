/**
 * Rows of a file into a table, in batches, each a transaction of its own under a key of its own (`import ID N`): so none is
 * stored twice, whatever breaks in between, and nobody waits longer than for one batch. An import that ends in the middle
 * leaves whole batches and a note (import-note.ts); with `resume` the batches are asked for again under the same keys, and
 * those that are stored are not run again.
 *
 * The broker has only so much room for keys, and those that came first go first. So the note counts as well: a batch that it
 * knows to be stored is asked for so that the broker answers what it knows and runs nothing. Of the last of them the broker
 * must still know, or it is not the database in which they are stored.
 *
 * Inside a transaction (the shell's) it is all part of that.
 */
import type { Broker, Fence, Transaction } from "../../client/index.js";
import { isHoldfastError, refusals } from "../../terms/index.js";
import { type BatchStatement, batchesOf, insertsOf, insertsOneByOne, tableFor } from "./row-batch.js";
import { csvRows, jsonRows, numberOrText, RowFault, type RowForm, type SourceRow } from "./row-source.js";

/** For so long the broker remembers a batch (ms). */
export const keepMs = 7 * 24 * 3_600_000;

export interface ImportPlan {
  readonly text: AsyncIterable<string>;
  readonly form: RowForm;
  readonly table: string;
  /** Under which the batches are known. */
  readonly id: string;
  readonly asText: boolean;
  readonly fence: readonly Fence[];
  readonly signal: AbortSignal;
  /** So many batches are stored, at least. */
  readonly known: number;
  /** That the table is made with the first batch, when that was found at an earlier beginning. */
  readonly creates: boolean | undefined;
  /** Before anything is stored. */
  readonly onBegin: (creates: boolean) => void;
  /** After each batch: what is stored by now. */
  readonly onStored: (rows: number, batches: number) => void;
}

/** The broker knows nothing of batches that are stored. */
export class Forgotten extends Error {}

export interface ImportOutcome {
  readonly rows: number;
  readonly created: boolean;
}

export async function importRows(
  broker: Broker,
  open: Transaction | undefined,
  plan: ImportPlan,
): Promise<ImportOutcome> {
  return new RowImport(broker, open, plan).run();
}

interface Column {
  readonly name: string;
  readonly type: string;
}

class RowImport {
  readonly #broker: Broker;
  readonly #open: Transaction | undefined;
  readonly #plan: ImportPlan;
  /** Undefined: there is no such table before the first batch. */
  #columns: readonly Column[] | undefined;
  /** Columns that the table computes, in lower case: their values are not stored, but made again. */
  #computed: ReadonlySet<string> = new Set();
  /** Column names that were seen to be there. */
  readonly #checked = new Set<readonly string[]>();
  #created = false;
  #batches = 0;
  #rows = 0;
  /** The broker did not know the last batch, which was known to be stored. */
  #forgotten = false;

  constructor(broker: Broker, open: Transaction | undefined, plan: ImportPlan) {
    this.#broker = broker;
    this.#open = open;
    this.#plan = plan;
  }

  async run(): Promise<ImportOutcome> {
    const { table, creates, onBegin } = this.#plan;
    if (creates !== true) this.#columns = await this.#columnsOf(table);
    onBegin(this.#columns === undefined);
    let header: readonly string[] = [];
    const rows = this.#source((columns) => {
      header = columns;
    });
    // The next batch is read while one is stored; more would only fill the memory.
    let storing: Promise<void> = Promise.resolve();
    try {
      for await (const batch of batchesOf(this.#withoutComputed(rows))) {
        await storing;
        storing = this.#store(batch);
        // Looked at above, after the next batch was read.
        storing.catch(() => undefined);
      }
    } finally {
      // A fault that is found meanwhile comes after what becomes of this one.
      await storing;
    }
    this.#mustBeKnown();
    if (this.#columns === undefined && !this.#created) await this.#createEmpty(header);
    return { rows: this.#rows, created: this.#created };
  }

  #source(onHeader: (columns: readonly string[]) => void): AsyncIterable<SourceRow> {
    const { text, form, asText } = this.#plan;
    if (form === "jsonl") return jsonRows(text);
    let typed: readonly boolean[] = [];
    return csvRows(
      text,
      (field, column) => (typed[column] === true && !asText ? numberOrText(field) : field),
      (columns) => {
        onHeader(columns);
        typed = columns.map((name) => keepsNumbers(this.#columnNamed(name)));
      },
    );
  }

  async *#withoutComputed(rows: AsyncIterable<SourceRow>): AsyncGenerator<SourceRow> {
    const isStored = (name: string) => !this.#computed.has(name.toLowerCase());
    const kept = new Map<readonly string[], readonly string[]>();
    for await (const row of rows) {
      const { columns, values, line } = row;
      if (columns.every(isStored)) {
        yield row;
        continue;
      }
      // Rows with the same columns go together by the object that names them.
      const left = kept.get(columns) ?? columns.filter(isStored);
      kept.set(columns, left);
      yield { columns: left, values: values.filter((_, i) => isStored(columns[i] ?? "")), line };
    }
  }

  async #store(rows: readonly SourceRow[]): Promise<void> {
    const { table, signal } = this.#plan;
    signal.throwIfAborted();
    const create = this.#columns === undefined && !this.#created ? [tableFor(table, columnsIn(rows))] : [];
    for (const row of rows) this.#mustFit(row, create.length > 0 ? columnsIn(rows) : undefined);
    const created = create.length > 0;
    await this.#write([...create, ...insertsOf(table, rows)], rows, create);
    if (created) {
      this.#created = true;
      this.#columns = columnsIn(rows).map((name) => ({ name, type: "" }));
    }
    this.#rows += rows.length;
    this.#plan.onStored(this.#rows, this.#batches);
  }

  async #createEmpty(columns: readonly string[]): Promise<void> {
    const { table } = this.#plan;
    if (columns.length === 0) throw new RowFault(`there are no rows, and no table ${JSON.stringify(table)}`, 1);
    await this.#write([tableFor(table, columns)], [], []);
    this.#created = true;
  }

  async #write(
    statements: readonly BatchStatement[],
    rows: readonly SourceRow[],
    create: readonly BatchStatement[],
  ): Promise<void> {
    const { id, fence, known } = this.#plan;
    const key = `import ${id} ${this.#batches}`;
    const isKnown = this.#batches < known;
    if (!isKnown) this.#mustBeKnown();
    // Under a lock that nobody has nothing is run; what is stored under the key is told before that is looked at.
    const never = isKnown ? [{ name: `holdfast/import/${id}`, token: 1 }] : [];
    try {
      if (this.#open !== undefined) await this.#open.batch(statements);
      else await this.#broker.batch(statements, { key, keepMs, fence: [...fence, ...never] });
      this.#forgotten = false;
    } catch (error) {
      this.#forgotten = isKnown && isFenced(error);
      if (!isStored(error) && !this.#forgotten) throw await this.#withLine(error, rows, create);
    }
    this.#batches++;
  }

  #mustBeKnown(): void {
    if (this.#forgotten) throw new Forgotten("the broker knows nothing any more of what was stored of it");
  }

  /** Of the row that was refused: found by storing them one by one, in a transaction that is undone. */
  async #withLine(error: unknown, rows: readonly SourceRow[], create: readonly BatchStatement[]): Promise<unknown> {
    if (!isHoldfastError(error)) return error;
    const first = rows[0]?.line ?? 1;
    if (error.code === "KEY_REUSED")
      return new RowFault(
        "what was stored before from these lines was something else; --anew begins from the start",
        first,
        error,
      );
    const { fault } = refusals[error.code];
    if (fault !== "caller" && fault !== "limit") return error;
    if (rows.length === 1) return new RowFault(error.message, first, error);
    const statements = [...create, ...insertsOneByOne(this.#plan.table, rows)];
    const refused = await this.#refusedOf(statements);
    const at = refused?.statement;
    const line = at === undefined ? undefined : rows[at - create.length]?.line;
    return line === undefined ? error : new RowFault(refused?.message ?? error.message, line, error);
  }

  async #refusedOf(
    statements: readonly BatchStatement[],
  ): Promise<{ readonly statement: number; readonly message: string } | undefined> {
    const transaction = this.#open ?? (await this.#broker.begin());
    try {
      await transaction.batch(statements);
      return undefined;
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      const { statement } = error.details as { readonly statement?: unknown };
      return typeof statement === "number" ? { statement, message: error.message } : undefined;
    } finally {
      if (transaction !== this.#open) await transaction.rollback();
    }
  }

  /** `created`: the columns of the table that is made with this batch. */
  #mustFit({ columns, line }: SourceRow, created: readonly string[] | undefined): void {
    if (created !== undefined || this.#checked.has(columns)) return;
    for (const name of columns)
      if (this.#columnNamed(name) === undefined)
        throw new RowFault(`the table ${JSON.stringify(this.#plan.table)} has no column ${JSON.stringify(name)}`, line);
    this.#checked.add(columns);
  }

  #columnNamed(name: string): Column | undefined {
    if (this.#columns === undefined) return { name, type: "" };
    return this.#columns.find((column) => column.name.toLowerCase() === name.toLowerCase());
  }

  async #columnsOf(table: string): Promise<readonly Column[] | undefined> {
    const sql = "select name, type, hidden in (2, 3) from pragma_table_xinfo(?) where hidden <> 1";
    const options = { rows: "arrays" } as const;
    const { rows } = await (this.#open?.execute(sql, [table], options) ?? this.#broker.execute(sql, [table], options));
    this.#computed = new Set(
      rows.filter(([, , computed]) => Number(computed) === 1).map(([name]) => String(name).toLowerCase()),
    );
    return rows.length === 0 ? undefined : rows.map(([name, type]) => ({ name: String(name), type: String(type) }));
  }
}

/** Every column that one of the rows has. */
function columnsIn(rows: readonly SourceRow[]): string[] {
  const names = new Map<string, string>();
  let last: readonly string[] | undefined;
  for (const { columns } of rows) {
    if (columns === last) continue;
    last = columns;
    for (const name of columns) if (!names.has(name.toLowerCase())) names.set(name.toLowerCase(), name);
  }
  return [...names.values()];
}

/**
 * A column without a type keeps what it is given, so a number must be given as one. Every other makes of a text what it
 * holds (https://sqlite.org/datatype3.html, 3.1), and loses less of it than a REAL that is turned into text.
 */
function keepsNumbers(column: Column | undefined): boolean {
  const type = column?.type.toUpperCase() ?? "";
  return type === "" || type === "ANY" || (type.includes("BLOB") && !type.includes("INT"));
}

/** It was not run, and the broker does not know its key any more. */
function isFenced(error: unknown): boolean {
  return isHoldfastError(error) && error.code === "FENCED";
}

/** It was stored before, and only its answer was not kept. */
function isStored(error: unknown): boolean {
  return isHoldfastError(error) && error.code === "RESULT_NOT_KEPT";
}
