/**
 * All statements of a text for somebody who wants to know what they are and not to run them: refused is only what
 * nobody may send anywhere. Whether BEGIN or a setting would be taken depends on where it is sent, and is not asked.
 */
import { isRefusal } from "../../terms/index.js";
import { tooLong } from "./inspect.js";
import type { GateRefusal } from "./refusal.js";
import { boundedPhrases } from "./split.js";
import { type Admitted, inspectPhrase } from "./statement.js";
import { significantTokens } from "./tokenizer.js";

/**
 * The statements in order, none for a text without any; or the first refusal, with the index of its statement.
 *
 * @example outlineOf("begin; delete from t; commit") // verbs BEGIN, DELETE, COMMIT
 */
export function outlineOf(
  sql: string,
  sqlBytesMax?: number,
  statementsMax = Infinity,
): readonly Admitted[] | GateRefusal {
  const tokens = tooLong(sql, sqlBytesMax) ?? significantTokens(sql);
  const phrases = isRefusal(tokens) ? tokens : boundedPhrases(sql, tokens, statementsMax);
  if (isRefusal(phrases)) return phrases;
  const statements: Admitted[] = [];
  for (const phrase of phrases) {
    const found = inspectPhrase(phrase);
    if (isRefusal(found)) return { ...found, details: { ...found.details, statement: statements.length } };
    statements.push(found);
  }
  return statements;
}
