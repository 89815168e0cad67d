/**
 * Where in the text SQLite's complaint belongs. The binding hands over SQLite's sentence and not its offset
 * (sqlite3_error_offset), so the place is found again from the word that the sentence names; where that is not certain,
 * there is no place rather than a wrong one.
 */
import { isRefusal } from "../../terms/index.js";
import { type Place, type Token, tokenize } from "../gate/index.js";

/** A text whose word stands in more places is not searched: each look prepares a part of it. */
const looksMax = 16;

/**
 * `complaintOf` prepares a text, runs nothing, and gives SQLite's sentence about it, if it has one. It is asked about
 * beginnings of `sql`, which must not be a PRAGMA, since some of those act while they are prepared.
 */
export function placeOf(
  message: string,
  sql: string,
  complaintOf: (sql: string) => string | undefined,
): Place | undefined {
  const syntax = /^near "([\s\S]*)": syntax error$/.exec(message);
  if (syntax !== null) return firstComplaint(message, sql, { word: syntax[1] ?? "", complaintOf });
  if (message === "incomplete input") return { position: sql.length, length: 0 };
  const subject =
    /^(?:no such (?:column|table|function|index|view|trigger|collation sequence|module)|ambiguous column name): (.+)$/.exec(
      message,
    );
  return subject === null ? undefined : onlyMention(sql, subject[1] ?? "");
}

/** The parser stops at a word it cannot take; a beginning that ends before that word has another complaint, or none. */
function firstComplaint(
  message: string,
  sql: string,
  { word, complaintOf }: { word: string; complaintOf: (sql: string) => string | undefined },
): Place | undefined {
  const mentions = tokensOf(sql).filter(({ start, end }) => sql.slice(start, end) === word);
  if (mentions.length > looksMax) return undefined;
  const found = mentions.find(
    ({ end }, at) => at === mentions.length - 1 || complaintOf(sql.slice(0, end)) === message,
  );
  return found === undefined ? undefined : placeOfToken(found);
}

/** `a.b` is looked for by its last part. */
function onlyMention(sql: string, subject: string): Place | undefined {
  const name = subject.slice(subject.lastIndexOf(".") + 1).toLowerCase();
  const mentions = tokensOf(sql).filter(({ kind, start, end }) => {
    const text = sql.slice(start, end).toLowerCase();
    return kind === "quoted" ? text.slice(1, -1) === name : text === name;
  });
  const [only] = mentions;
  return only === undefined || mentions.length > 1 ? undefined : placeOfToken(only);
}

function tokensOf(sql: string): readonly Token[] {
  const tokens = tokenize(sql);
  return isRefusal(tokens) ? [] : tokens;
}

function placeOfToken({ start, end }: Token): Place {
  return { position: start, length: end - start };
}
