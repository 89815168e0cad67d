/** An import as somebody asks for it: its note, its progress, and what is said when it ends in the middle. */
import { realpathSync, statSync } from "node:fs";
import { resolve } from "node:path";
import type { Broker, Fence, Transaction } from "../../client/index.js";
import { isHoldfastError } from "../../terms/index.js";
import { type Call, ExitWith } from "../command.js";
import { count, formatDuration } from "../durations.js";
import { exitCodeOf, exitCodes } from "../exit-codes.js";
import { Meter } from "../meter.js";
import { placesOf } from "../surroundings.js";
import { ImportNotes, newNote } from "./import-note.js";
import { Forgotten, type ImportOutcome, importRows, keepMs } from "./row-import.js";
import { RowFault, type RowForm } from "./row-source.js";
import { LineTooLong, NotUtf8, textFile } from "./text-file.js";

export interface FileImport {
  readonly broker: Broker;
  /** All of it is part of this one. */
  readonly open: Transaction | undefined;
  /** As it was typed; `-` is stdin. */
  readonly file: string;
  readonly table: string;
  readonly form: RowForm;
  readonly asText: boolean;
  readonly fence: readonly Fence[];
  readonly resume: boolean;
  readonly anew: boolean;
  readonly signal: AbortSignal;
}

/** Undefined: neither the word nor the file's name tells. */
export function rowFormOf(file: string, word: string | undefined): RowForm | undefined {
  const name = (word ?? /\.([^.]*)$/.exec(file)?.[1] ?? "").toLowerCase();
  if (name === "csv") return "csv";
  return name === "jsonl" || name === "ndjson" ? "jsonl" : undefined;
}

/** Throws an ExitWith that says where it ended, and what is stored. */
export async function importFileRows(call: Call, wish: FileImport): Promise<ImportOutcome> {
  const { file, table, form, resume, anew, open } = wish;
  const { path, bytes: bytesAll } = sourceAt(call, file);
  const places = placesOf(call.options, call.io);
  // What comes by a pipe or is part of a transaction cannot be taken up again.
  const notes =
    bytesAll === undefined || open !== undefined
      ? undefined
      : new ImportNotes(places.logDir, { ...places, file: path, table });
  let note = noteFor({ file: path, table, resume, anew }, notes, file);
  const source = textFile(path, () => process.stdin);
  const meter = new Meter(call);
  let stored = 0;
  try {
    const outcome = await importRows(wish.broker, open, {
      ...{ text: source.text, form, table, id: note.id, asText: wish.asText, fence: wish.fence, signal: wish.signal },
      known: note.batches,
      creates: note.rows > 0 || resume ? note.creates : undefined,
      onBegin: (creates) => {
        note = { ...note, creates };
        notes?.write(note);
      },
      onStored: (rows, batches) => {
        stored = rows;
        if (batches > note.batches) {
          note = { ...note, rows, batches };
          notes?.write(note);
        }
        meter.show(() => progressText(rows, source.bytes(), bytesAll ?? 0));
      },
    });
    notes?.remove();
    return outcome;
  } catch (error) {
    const known = Math.max(note.rows, stored);
    if (known === 0 && !isInDoubt(error)) notes?.remove();
    else notes?.write({ ...note, rows: known });
    throw explained(error, { ...wish, stored: known, resumable: notes !== undefined });
  } finally {
    meter.clear();
  }
}

interface Source {
  /** `-` is stdin. */
  readonly path: string;
  /** Undefined of what is no file (stdin, a pipe, a device): it has no name that is its own, and ends when it ends. */
  readonly bytes: number | undefined;
}

function sourceAt(call: Call, file: string): Source {
  if (file === "-") return { path: file, bytes: undefined };
  const path = resolve(call.io.cwd, file);
  const stat = statSync(path);
  return stat.isFile() ? { path: realpathSync(path), bytes: stat.size } : { path, bytes: undefined };
}

function noteFor(
  { file, table, resume, anew }: { file: string; table: string; resume: boolean; anew: boolean },
  notes: ImportNotes | undefined,
  shown: string,
) {
  const found = anew ? undefined : notes?.find();
  if (found === undefined) {
    if (resume) throw refusedWith(`no import of ${shown} into ${JSON.stringify(table)} was interrupted`);
    return newNote(file, table);
  }
  const age = Date.now() - found.since;
  const words = `an import of ${shown} into ${JSON.stringify(table)} was interrupted ${formatDuration(age)} ago`;
  if (age >= keepMs) throw refusedWith(`${words}, too long to know what is stored of it\n--anew begins from the start`);
  if (resume) return found;
  const known = found.rows === 0 ? "" : `; ${count(found.rows, "row")} of it are stored`;
  throw refusedWith(
    `${words}${known}\n--resume goes on with it, and stores nothing twice; --anew begins from the start`,
  );
}

function progressText(rows: number, bytes: number, bytesAll: number): string {
  const percent = bytesAll === 0 ? "" : `, ${Math.min(100, Math.floor((100 * bytes) / bytesAll))} %`;
  return `${count(rows, "row")}${percent}`;
}

/** A batch may be stored although nobody has heard so. */
function isInDoubt(error: unknown): boolean {
  return isHoldfastError(error) && error.outcome === "unknown";
}

function explained(
  error: unknown,
  {
    file,
    table,
    stored,
    resumable,
    open,
    signal,
  }: FileImport & { readonly stored: number; readonly resumable: boolean },
): unknown {
  const isOfFile = [RowFault, NotUtf8, LineTooLong].some((fault) => error instanceof fault);
  const isOurs = isOfFile || isHoldfastError(error) || signal.aborted;
  if (error instanceof Forgotten)
    return refusedWith(
      `${file}: ${error.message}; was another database put in the place of that one?\n--anew begins from the start`,
    );
  if (!isOurs) return error;
  const what = signal.aborted && !(error instanceof RowFault) ? "interrupted" : (error as Error).message;
  const where = error instanceof RowFault ? `${file}, line ${error.line}: ` : `${file}: `;
  const name = JSON.stringify(table);
  const left =
    stored === 0 && !isInDoubt(error)
      ? "nothing is stored"
      : `${count(stored, "row")} before it are stored in ${name}${resumable ? "; --resume goes on behind them" : ""}`;
  const exitCode = exitCodeFor(error, signal);
  return new ExitWith(`${where}${what}\n${open === undefined ? left : "the transaction goes on without it"}`, {
    exitCode,
    cause: error,
  });
}

function exitCodeFor(error: unknown, signal: AbortSignal): number {
  if (isHoldfastError(error)) return exitCodeOf(error.code);
  return signal.aborted && !(error instanceof RowFault) ? exitCodes.signalBase + 2 : exitCodes.refused;
}

function refusedWith(message: string): ExitWith {
  return new ExitWith(message, { exitCode: exitCodes.refused });
}
