/**
 * What may stand nowhere in a statement, whatever its kind, and what is noticed on the way: one look at each of its words
 * that has something of it.
 *
 * - The schema `temp`: a TEMP table on a connection that all share would hide everyone's table of that name
 *   (rule 16).
 * - `_holdfast_`: the broker's own tables, also in quotes and texts, since SQLite reads 'name' as a name too; and the name
 *   `_holdfast`, of which a virtual table would make names that begin so.
 * - `pragma_…` table-valued functions other than the PRAGMAs that may be read (https://sqlite.org/pragma.html#pragfunc).
 * - Functions that load code or hand out addresses.
 *
 * The rules are lexical: a table alias called temp is refused as soon as a dot follows it, and a text that is exactly
 * the name of a PRAGMA function is refused as well. Parameters and comments are free.
 */
import { isRefusal } from "../../terms/index.js";
import { noParameters, ParameterNumbering, type ParameterPlan } from "./parameters.js";
import { folded, type Phrase } from "./phrase.js";
import { isReadablePragma } from "./pragma-names.js";
import { type GateRefusal, refuseAt } from "./refusal.js";

export interface Survey {
  readonly parameters: ParameterPlan;
  /** OR ROLLBACK, ON CONFLICT ROLLBACK or RAISE(ROLLBACK) stands in the text: its failure may end the transaction. */
  readonly mayRollback: boolean;
  /** RETURNING stands in the text; SQLite takes it as a keyword only, and only at the end of a change. */
  readonly returning: boolean;
}

/** load_extension runs a library's code; fts3_tokenizer takes and gives addresses in memory (https://sqlite.org/fts3.html#f3tknzr). */
const refusedFunctions: ReadonlySet<string> = new Set(["load_extension", "fts3_tokenizer"]);

/**
 * All that is looked for below. Each stands within one token, and most statements have none of it: a search is cheaper than
 * a look at each name. It goes on from where it has found something.
 */
const noteworthy = /rollback|returning|temp|pragma_|_holdfast|load_extension|fts3_tokenizer/gi;
/** Each parameter begins with one of these. */
const variableMark = /[?:@$]/;

export function survey(phrase: Phrase): Survey | GateRefusal {
  const text = phrase.sql.slice(phrase.start, phrase.end);
  const names = surveyNames(phrase, text);
  if (isRefusal(names)) return names;
  if (!variableMark.test(text)) return { parameters: noParameters, ...names };
  let numbering: ParameterNumbering | undefined;
  for (let place = 0; place < phrase.length; place++) {
    if (phrase.kind(place) !== "variable") continue;
    numbering ??= new ParameterNumbering();
    const refusal = numbering.add(phrase, place);
    if (refusal !== undefined) return refusal;
  }
  return { parameters: numbering?.plan() ?? noParameters, ...names };
}

type Names = Pick<Survey, "mayRollback" | "returning">;

function surveyNames(phrase: Phrase, text: string): Names | GateRefusal {
  let mayRollback = false;
  let returning = false;
  let seen = -1;
  let place = 0;
  noteworthy.lastIndex = 0;
  while (noteworthy.test(text)) {
    const at = phrase.start + noteworthy.lastIndex - 1;
    while (place + 1 < phrase.length && phrase.startAt(place + 1) <= at) place++;
    if (place === seen) continue;
    seen = place;
    const refusal = refusedName(phrase, place);
    if (refusal !== undefined) return refusal;
    mayRollback ||= isRollbackClause(phrase, place);
    returning ||= phrase.isWord(place, "RETURNING");
  }
  return { mayRollback, returning };
}

function isRollbackClause(phrase: Phrase, place: number): boolean {
  if (!phrase.isWord(place, "ROLLBACK")) return false;
  if (phrase.isWord(place - 1, "OR") || phrase.isWord(place - 1, "CONFLICT")) return true;
  return phrase.isWord(place - 2, "RAISE");
}

/** Everything that may be a name, and the texts and parameters that could pass for one. */
function refusedName(phrase: Phrase, place: number): GateRefusal | undefined {
  if (!phrase.isName(place)) return reservedWord(phrase, place);
  const next = phrase.kind(place + 1);
  if (next === "." && spells(phrase, place, "temp"))
    return phrase.refuse(
      place,
      "STATEMENT_REFUSED",
      "the schema temp is refused: a TEMP object would be seen by everyone who shares the connection; an alias must not be called temp either",
    );
  if (next === "(" && refusedFunctions.has(folded(phrase.name(place) ?? "")))
    return phrase.refuse(place, "STATEMENT_REFUSED", `the function ${phrase.shown(place)} is refused`);
  return refusedPragmaFunction(phrase, place) ?? reservedWord(phrase, place);
}

function refusedPragmaFunction(phrase: Phrase, place: number): GateRefusal | undefined {
  const prefix = "pragma_";
  if (!startsWith(phrase.sql, insideOf(phrase, place), prefix)) return undefined;
  const name = phrase.name(place) ?? "";
  if (!/^\w+$/.test(name) || isReadablePragma(folded(name.slice(prefix.length)))) return undefined;
  const message = `${phrase.shown(place)} is refused: of the pragma_ functions only those of the PRAGMAs that may be read are served`;
  return phrase.refuse(place, "STATEMENT_REFUSED", message);
}

const reserved = "_holdfast";
/** As part of a token, or as all of it but the quotes. */
const reservedIn = /_holdfast_|(?<=^["'`[]?)_holdfast(?=["'`\]]?$)/i;

function reservedWord(phrase: Phrase, place: number): GateRefusal | undefined {
  const start = phrase.startAt(place);
  if (phrase.endAt(place) - start < reserved.length) return undefined;
  const found = reservedIn.exec(phrase.text(place));
  if (found === null) return undefined;
  const message = `the word ${found[0]} is reserved for the broker's own tables; it may stand in comments and parameter values`;
  return refuseAt("STATEMENT_REFUSED", message, start + found.index, found[0].length);
}

/** Where the name itself begins, behind a quote. */
function insideOf(phrase: Phrase, place: number): number {
  const kind = phrase.kind(place);
  return kind === "quoted" || kind === "string" ? phrase.startAt(place) + 1 : phrase.startAt(place);
}

/** Whether the name there is `name` (in lower case), whatever its case and quotes. */
function spells(phrase: Phrase, place: number, name: string): boolean {
  const start = insideOf(phrase, place);
  const end = phrase.endAt(place) - (start - phrase.startAt(place));
  return end - start === name.length && startsWith(phrase.sql, start, name);
}

function startsWith(sql: string, at: number, name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    const unit = sql.charCodeAt(at + i);
    const lower = unit >= 0x41 && unit <= 0x5a ? unit + 0x20 : unit;
    if (lower !== name.charCodeAt(i)) return false;
  }
  return true;
}
