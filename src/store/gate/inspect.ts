/** From a text to its one statement. */
import { isRefusal, utf8Length } from "../../terms/index.js";
import { admit, type Permissions } from "./permission.js";
import { type GateRefusal, refuseAt } from "./refusal.js";
import { phrasesOf } from "./split.js";
import { type Admitted, inspectPhrase } from "./statement.js";
import { significantTokens } from "./tokenizer.js";

/** SQLite's own default (https://sqlite.org/limits.html). */
export const sqlBytesStandard = 1_000_000;

export interface InspectOptions extends Permissions {
  /** Bytes of UTF-8. */
  readonly sqlBytesMax?: number;
}

/**
 * What the one statement of this text is, or why it is refused.
 *
 * @example inspectStatement("with x as (select 1) delete from t") // { kind: "statement", verb: "DELETE", access: "write", … }
 */
export function inspectStatement(sql: string, options: InspectOptions = {}): Admitted | GateRefusal {
  const found = inspectText(sql, options.sqlBytesMax);
  return isRefusal(found) ? found : admit(found, options);
}

/** As far as it depends on nothing but the text. */
export function inspectText(sql: string, sqlBytesMax?: number): Admitted | GateRefusal {
  const tokens = tooLong(sql, sqlBytesMax) ?? significantTokens(sql);
  if (isRefusal(tokens)) return tokens;
  const [first, second] = phrasesOf(sql, tokens, 2);
  if (first === undefined) return refuseAt("SQL_EMPTY", "there is no statement in the text", 0, sql.length);
  if (second === undefined) return inspectPhrase(first);
  const message = `one statement is wanted, and another one begins here with ${second.shown(0)}`;
  return second.refuse(0, "SQL_MANY", message);
}

export function tooLong(sql: string, sqlBytesMax = sqlBytesStandard): GateRefusal | undefined {
  // A UTF-16 unit makes one to three bytes: most texts need no counting.
  if (sql.length * 3 <= sqlBytesMax) return undefined;
  const bytes = sql.length > sqlBytesMax ? sql.length : utf8Length(sql);
  if (bytes <= sqlBytesMax) return undefined;
  const message = `the SQL text has ${sql.length > sqlBytesMax ? "at least " : ""}${bytes} bytes, at most ${sqlBytesMax} are allowed`;
  return refuseAt("SQL_TOO_LONG", message, 0, sql.length);
}
