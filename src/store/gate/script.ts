/**
 * A script: all statements of a text, judged before the first of them runs. Its refusals name their place in the whole
 * text. A script takes no values, so a parameter in it would silently be NULL and is refused.
 */
import { isRefusal } from "../../terms/index.js";
import { type InspectOptions, tooLong } from "./inspect.js";
import { admit } from "./permission.js";
import type { Phrase } from "./phrase.js";
import type { GateRefusal } from "./refusal.js";
import { boundedPhrases } from "./split.js";
import { type Admitted, inspectPhrase } from "./statement.js";
import { significantTokens } from "./tokenizer.js";

export interface ScriptOptions extends InspectOptions {
  readonly statementsMax?: number;
}

export interface Script {
  readonly kind: "script";
  /** In order; none for a text without statements. `start` and `end` are places in the whole text. */
  readonly statements: readonly Admitted[];
  readonly access: "read" | "write";
  /** There is CREATE, DROP, ALTER or ANALYZE in it. */
  readonly schemaChange: boolean;
  /** It begins and ends transactions itself; never so unless that was allowed. */
  readonly transactionControl: boolean;
  readonly mayRollback: boolean;
}

/**
 * All statements of a script, or the first refusal. Without `transactionControl` the script is fit to be wrapped in one
 * transaction; with it, what the script says of its own transactions counts for the PRAGMAs in it.
 */
export function statementsOf(sql: string, options: ScriptOptions = {}): Script | GateRefusal {
  const tokens = tooLong(sql, options.sqlBytesMax) ?? significantTokens(sql);
  const phrases = isRefusal(tokens) ? tokens : boundedPhrases(sql, tokens, options.statementsMax ?? Infinity);
  if (isRefusal(phrases)) return phrases;
  const statements: Admitted[] = [];
  let inTransaction = options.inTransaction ?? false;
  for (const phrase of phrases) {
    const found = inspectPhrase(phrase);
    const admitted = isRefusal(found) ? found : admit(found, { ...options, inTransaction });
    if (isRefusal(admitted)) return admitted;
    if (admitted.parameters.count > 0) return refuseParameter(phrase);
    statements.push(admitted);
    inTransaction = transactionAfter(admitted, inTransaction);
  }
  return summary(statements);
}

/** SAVEPOINT outside a transaction opens one too; whoever writes that gets a refusal too many, never one too few. */
function transactionAfter(statement: Admitted, inTransaction: boolean): boolean {
  if (statement.kind !== "transaction-control") return inTransaction;
  switch (statement.control.action) {
    case "begin":
      return true;
    case "commit":
    case "rollback":
      return false;
    case "savepoint":
    case "release":
    case "rollback-to":
      return inTransaction;
  }
}

function refuseParameter(phrase: Phrase): GateRefusal {
  let place = 0;
  while (place < phrase.length && phrase.kind(place) !== "variable") place++;
  const message = `a script takes no values, and the parameter ${phrase.shown(place)} needs one`;
  return phrase.refuse(place, "PARAMETER_MISSING", message);
}

function summary(statements: readonly Admitted[]): Script {
  return {
    kind: "script",
    statements,
    access: statements.some(({ access }) => access === "write") ? "write" : "read",
    schemaChange: statements.some((statement) => statement.schemaChange),
    transactionControl: statements.some(({ kind }) => kind === "transaction-control"),
    mayRollback: statements.some((statement) => statement.mayRollback),
  };
}
