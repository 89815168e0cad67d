/**
 * Where one statement ends and the next begins. A semicolon ends a statement, except inside the body of CREATE TRIGGER,
 * which ends where END stands behind a semicolon: the rule of https://sqlite.org/c3ref/complete.html. Counting BEGIN,
 * CASE and END instead would be wrong: `SELECT 1 end;` in a body names a column.
 */

import { isRefusal } from "../../terms/index.js";
import { Phrase } from "./phrase.js";
import type { GateRefusal } from "./refusal.js";
import { significantTokens, type TokenTable } from "./tokenizer.js";

export interface Span {
  /** UTF-16 offset of the statement's first unit: comments and spaces before it are not part of it. */
  readonly start: number;
  /** UTF-16 offset behind its last unit: its semicolon is not part of it. */
  readonly end: number;
  readonly text: string;
}

/**
 * The statements of a text, in order; empty ones are left out.
 *
 * @example splitScript("select 1; ; select 2 -- two") // texts "select 1" and "select 2"
 */
export function splitScript(sql: string): readonly Span[] | GateRefusal {
  const tokens = significantTokens(sql);
  if (isRefusal(tokens)) return tokens;
  return phrasesOf(sql, tokens).map(({ start, end }) => ({ start, end, text: sql.slice(start, end) }));
}

/** All statements, or the first so many. */
export function phrasesOf(sql: string, tokens: TokenTable, most = Infinity): readonly Phrase[] {
  const phrases: Phrase[] = [];
  for (let at = 0; at < tokens.length && phrases.length < most; at++) {
    if (tokens.kind(at) === ";") continue;
    const rest = new Phrase(sql, tokens, at, tokens.length);
    const length = definesTrigger(rest) ? triggerLength(rest) : plainLength(rest);
    phrases.push(new Phrase(sql, tokens, at, at + length));
    at += length;
  }
  return phrases;
}

/** All statements of a text that may have so many. */
export function boundedPhrases(
  sql: string,
  tokens: TokenTable,
  statementsMax: number,
): readonly Phrase[] | GateRefusal {
  const phrases = phrasesOf(sql, tokens, statementsMax + 1);
  const surplus = phrases[statementsMax];
  if (surplus === undefined) return phrases;
  const message = `at most ${statementsMax} statements are taken in one text, and another one begins here with ${surplus.shown(0)}; split the text`;
  return surplus.refuse(0, "SQL_TOO_LONG", message);
}

function definesTrigger(phrase: Phrase): boolean {
  let place = 0;
  if (phrase.isWord(place, "EXPLAIN")) place++;
  if (phrase.isWord(place, "QUERY") && phrase.isWord(place + 1, "PLAN")) place += 2;
  if (!phrase.isWord(place, "CREATE")) return false;
  if (phrase.isWord(place + 1, "TEMP") || phrase.isWord(place + 1, "TEMPORARY")) place++;
  return phrase.isWord(place + 1, "TRIGGER");
}

function plainLength(rest: Phrase): number {
  let length = 0;
  while (length < rest.length && rest.kind(length) !== ";") length++;
  return length;
}

/** A trigger without body is no statement for SQLite either: its first semicolon ends it. */
function triggerLength(rest: Phrase): number {
  let body: "none" | "open" | "closed" = "none";
  for (let place = 0; place < rest.length; place++) {
    if (body === "none" && rest.isWord(place, "BEGIN")) body = "open";
    if (rest.kind(place) !== ";") continue;
    if (body !== "open") return place;
    if (rest.isWord(place + 1, "END")) body = "closed";
  }
  return rest.length;
}
