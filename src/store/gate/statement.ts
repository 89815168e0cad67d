/**
 * What a statement is, before SQLite sees it: its verb, whether it writes, whether it may share a transaction with its
 * neighbours. SQLite's own word for it comes too late and is not true: sqlite3_stmt_readonly says yes to ATTACH, COMMIT
 * and most PRAGMAs (https://sqlite.org/c3ref/stmt_readonly.html).
 *
 * What is found depends on nothing but the text, so that it can be kept. Whether such a statement is allowed where it
 * was sent is another question: permission.ts.
 */
import { isRefusal } from "../../terms/index.js";
import { type DefinitionVerb, refusedDefinition } from "./definition.js";
import { type ChangeVerb, mainPlace, mainVerb, type QueryVerb, refuseMain } from "./main-verb.js";
import type { ParameterPlan } from "./parameters.js";
import { folded, type Phrase } from "./phrase.js";
import { inspectPragma, type Pragma } from "./pragma.js";
import type { GateRefusal } from "./refusal.js";
import { type Survey, survey } from "./survey.js";
import { type Control, type ControlVerb, controlVerbs, inspectControl } from "./transaction-control.js";

export type Verb = QueryVerb | ChangeVerb | DefinitionVerb | ControlVerb | "EXPLAIN" | "ANALYZE" | "REINDEX" | "PRAGMA";

interface Inspected {
  /** Of WITH, the verb of its main statement. */
  readonly verb: Verb;
  /** `read`: leaves the file unchanged and runs on a connection that may not write. Of BEGIN: whether it asks for the writer. */
  readonly access: "read" | "write";
  /** Must have a transaction of its own (rule 7): it sets a PRAGMA, or changes the schema its neighbours were judged by. */
  readonly alone: boolean;
  /** CREATE, DROP, ALTER; ANALYZE, which makes tables for its findings. */
  readonly schemaChange: boolean;
  /** A guess for routing; the prepared statement knows. */
  readonly returnsRows: boolean;
  /** Its text says ROLLBACK on conflict (rule 3); false proves nothing, since a table or a trigger may say so too. */
  readonly mayRollback: boolean;
  /** PRAGMA defer_foreign_keys: outside a transaction it would be forgotten before the next statement. */
  readonly needsTransaction: boolean;
  readonly parameters: ParameterPlan;
  /** Where it lies in the text that was given, in UTF-16 units, without comments around it and without semicolon. */
  readonly start: number;
  readonly end: number;
  /** That stretch: what SQLite should be given to prepare. */
  readonly text: string;
}

export interface Statement extends Inspected {
  readonly kind: "statement";
}

export interface TransactionControl extends Inspected {
  readonly kind: "transaction-control";
  readonly verb: ControlVerb;
  readonly control: Control;
}

/** A property of the connection, for whoever keeps the session to apply; it is not to be prepared. */
export interface SessionSetting extends Inspected {
  readonly kind: "session-setting";
  readonly verb: "PRAGMA";
  readonly name: "foreign_keys";
  readonly on: boolean;
}

export type Admitted = Statement | TransactionControl | SessionSetting;

const served =
  "served are SELECT, VALUES, INSERT, REPLACE, UPDATE, DELETE (all also after WITH or EXPLAIN), CREATE, DROP, ALTER, ANALYZE, REINDEX and some PRAGMAs";

type Found = Admitted | GateRefusal;
type Traits = Pick<Inspected, "verb" | "access"> & Partial<Pick<Inspected, "alone" | "schemaChange" | "returnsRows">>;

/** What the statement is, or why nobody may send it. The phrase has at least one word. */
export function inspectPhrase(phrase: Phrase): Found {
  const verb = phrase.word(0);
  switch (verb) {
    case "SELECT":
    case "VALUES":
    case "INSERT":
    case "REPLACE":
    case "UPDATE":
    case "DELETE":
    case "WITH":
      return inspectMain(phrase);
    case "EXPLAIN":
      return inspectExplain(phrase);
    case "CREATE":
    case "DROP":
    case "ALTER":
      return refusedDefinition(phrase, verb) ?? plain(phrase, schemaChange(verb));
    case "ANALYZE":
      return refusedAnalysis(phrase) ?? plain(phrase, schemaChange(verb));
    case "REINDEX":
      return plain(phrase, { verb, access: "write" });
    case "PRAGMA":
      return inspectPragmaPhrase(phrase);
    default:
      return isControlVerb(verb) ? inspectControlPhrase(phrase, verb) : refuseVerb(phrase);
  }
}

function inspectMain(phrase: Phrase): Found {
  const place = mainPlace(phrase, 0);
  if (isRefusal(place)) return place;
  const verb = mainVerb(phrase, place);
  if (verb === undefined) return refuseMain(phrase, place);
  if (verb === "SELECT" || verb === "VALUES") return plain(phrase, { verb, access: "read", returnsRows: true });
  return plain(phrase, { verb, access: "write" });
}

/** EXPLAIN runs nothing, but a PRAGMA behind it would act while it is prepared. */
function inspectExplain(phrase: Phrase): Found {
  const first = phrase.isWord(1, "QUERY") && phrase.isWord(2, "PLAN") ? 3 : 1;
  const place = mainPlace(phrase, first);
  if (isRefusal(place)) return place;
  if (mainVerb(phrase, place) !== undefined)
    return plain(phrase, { verb: "EXPLAIN", access: "read", returnsRows: true });
  if (place > first) return refuseMain(phrase, place);
  const message = `EXPLAIN takes SELECT, VALUES, WITH, INSERT, REPLACE, UPDATE or DELETE here, not ${phrase.shown(place)}`;
  return phrase.refuse(place, "STATEMENT_REFUSED", message);
}

function schemaChange(verb: DefinitionVerb | "ANALYZE"): Traits {
  return { verb, access: "write", alone: true, schemaChange: true };
}

/** ANALYZE temp would make tables in the schema temp. */
function refusedAnalysis(phrase: Phrase): GateRefusal | undefined {
  if (phrase.length !== 2 || folded(phrase.name(1) ?? "") !== "temp") return undefined;
  return phrase.refuse(1, "STATEMENT_REFUSED", "ANALYZE temp is refused: nothing is served in the schema temp");
}

function inspectPragmaPhrase(phrase: Phrase): Found {
  const pragma = inspectPragma(phrase);
  if (isRefusal(pragma)) return pragma;
  const found = survey(phrase);
  if (isRefusal(found)) return found;
  return pragmaStatement(phrase, pragma, found);
}

function pragmaStatement(phrase: Phrase, pragma: Pragma, found: Survey): Admitted {
  const verb = "PRAGMA";
  switch (pragma.kind) {
    case "read":
      return statement(phrase, { verb, access: "read", returnsRows: true }, found);
    case "write":
      return statement(phrase, { verb, access: "write", alone: true }, found);
    case "transaction-setting":
      return { ...statement(phrase, { verb, access: "write", alone: true }, found), needsTransaction: true };
    case "session-setting":
      return { ...statement(phrase, { verb, access: "read", alone: true }, found), ...pragma, verb };
  }
}

function isControlVerb(word: string): word is ControlVerb {
  return (controlVerbs as readonly string[]).includes(word);
}

function inspectControlPhrase(phrase: Phrase, verb: ControlVerb): Found {
  const control = inspectControl(phrase, verb);
  if (isRefusal(control)) return control;
  const found = survey(phrase);
  if (isRefusal(found)) return found;
  const waitsForWriter = control.action === "begin" && control.mode !== "deferred";
  const inspected = statement(phrase, { verb, access: waitsForWriter ? "write" : "read" }, found);
  return { ...inspected, kind: "transaction-control", verb, control };
}

function refuseVerb(phrase: Phrase): GateRefusal {
  return phrase.refuse(0, "STATEMENT_REFUSED", `${phrase.shown(0)} is not served; ${served}`);
}

function plain(phrase: Phrase, traits: Traits): Statement | GateRefusal {
  const found = survey(phrase);
  return isRefusal(found) ? found : statement(phrase, traits, found);
}

function statement(phrase: Phrase, traits: Traits, found: Survey): Statement {
  const { sql, start, end } = phrase;
  return {
    kind: "statement",
    verb: traits.verb,
    access: traits.access,
    alone: traits.alone ?? false,
    schemaChange: traits.schemaChange ?? false,
    returnsRows: traits.returnsRows ?? (traits.schemaChange !== true && found.returning),
    // EXPLAIN shows the clause and does not run it.
    mayRollback: found.mayRollback && traits.access === "write",
    needsTransaction: false,
    parameters: found.parameters,
    start,
    end,
    text: start === 0 && end === sql.length ? sql : sql.slice(start, end),
  };
}
