/**
 * What the word before the cursor may become, pure: names of tables and columns, keywords, and for dot commands what
 * they take. Keywords come in the case in which they were begun.
 */
import { keywords, sqlName } from "../sql-name.js";
import type { TableNames } from "./schema-names.js";
import { endsInside } from "./statements.js";

export interface CompletionSubject {
  /** Lines of the statement before this one. */
  readonly before: string;
  /** Up to the cursor. */
  readonly line: string;
  readonly tables: readonly TableNames[];
}

export type Completion = readonly [candidates: string[], end: string];

/** Behind these a table is meant. */
const tablePlaces = /\b(?:from|join|into|update|table|references)\s+$/i;

export function completeSql({ before, line, tables }: CompletionSubject): Completion {
  const text = before === "" ? line : `${before}\n${line}`;
  const word = /[\p{L}_][\p{L}\p{N}_$]*$/u.exec(line)?.[0] ?? "";
  if (endsInside(text)) return [[], word];
  const ahead = text.slice(0, text.length - word.length);
  const owner = /([\p{L}_][\p{L}\p{N}_$]*|"(?:[^"]|"")*")\s*\.\s*$/u.exec(ahead)?.[1];
  if (owner !== undefined) return [fitting(columnsOf(owner, tables), word), word];
  const names = tables.map(({ name }) => name);
  if (tablePlaces.test(ahead)) return [fitting(names, word), word];
  if (word === "") return [[], word];
  return [distinct([...fitting(columnsIn(text, tables), word), ...fitting(names, word), ...keywordsFor(word)]), word];
}

/** Of the table; of all when the name is one that the statement gave to a table. */
function columnsOf(owner: string, tables: readonly TableNames[]): string[] {
  const name = owner.startsWith('"') ? owner.slice(1, -1).replaceAll('""', '"') : owner;
  const table = tables.find((one) => one.name.toLowerCase() === name.toLowerCase());
  return table === undefined ? tables.flatMap(({ columns }) => columns) : [...table.columns];
}

/** Of the tables that the statement names; of all while it names none. */
function columnsIn(text: string, tables: readonly TableNames[]): string[] {
  const words = new Set(text.toLowerCase().match(/[\p{L}_][\p{L}\p{N}_$]*/gu));
  const named = tables.filter(({ name }) => words.has(name.toLowerCase()));
  return (named.length > 0 ? named : tables).flatMap(({ columns }) => columns);
}

export function fitting(names: readonly string[], word: string): string[] {
  const begun = word.toLowerCase();
  return distinct(names.filter((name) => name.toLowerCase().startsWith(begun)).map(sqlName));
}

function keywordsFor(word: string): string[] {
  const upper = word.toUpperCase();
  const small = word !== upper;
  return [...keywords].filter((one) => one.startsWith(upper)).map((one) => (small ? one.toLowerCase() : one));
}

function distinct(words: readonly string[]): string[] {
  return [...new Set(words)];
}
