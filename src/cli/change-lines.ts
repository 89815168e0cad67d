/** News of watched tables as lines: one line for each, in every form of output. */
import type { ChangedRow, TableChange, TableNews } from "../client/index.js";
import { type Cell, integer, jsonText, tableText } from "./cells.js";
import type { Rows } from "./formats.js";

const columns = ["kind", "seq", "table", "inserts", "updates", "deletes", "schema", "keys"];
/** So many keys are shown to people; programs get all that were named. */
const keysShown = 8;

/** As a row of cells; the keys are JSON, as many as were named. */
export function newsRow(news: TableNews): Rows {
  if (news.gap) return { columns, rows: [["gap", integer(news.seq), null, null, null, null, null, null]] };
  const { table, seq, inserts, updates, deletes, schema = null, keys } = news;
  const counts = [inserts, updates, deletes].map(integer);
  const named = keys === undefined ? null : `[${keys.map(keyJson).join(",")}]`;
  return { columns, rows: [["change", integer(seq), table, ...counts, schema, named]] };
}

/** As one JSON object. */
export function newsJson(news: TableNews): string {
  const { seq, cursor } = news;
  if (news.gap) return JSON.stringify({ gap: true, seq, cursor });
  const { table, inserts, updates, deletes, schema, keys, keysCut } = news;
  const head = JSON.stringify({ gap: false, seq, table, inserts, updates, deletes, schema });
  const named = keys === undefined ? "" : `,"keys":[${keys.map(keyJson).join(",")}],"keysCut":${keysCut}`;
  return `${head.slice(0, -1)}${named},"cursor":${JSON.stringify(cursor)}}`;
}

/** For people. */
export function newsLine(news: TableNews): string {
  if (news.gap) return "… what was committed before this is not all known: look again";
  const { table, inserts, updates, deletes, schema } = news;
  const counts = [`+${inserts}`, `~${updates}`, `-${deletes}`].filter((text) => !text.endsWith("0") || text.length > 2);
  const parts = [tableText(table), ...counts, ...(schema === undefined ? [] : [schema]), ...keysOf(news)];
  return parts.join("  ");
}

function keysOf({ keys, keysCut }: TableChange): string[] {
  if (keys === undefined || keys.length === 0) return [];
  const shown = keys.slice(0, keysShown).map(keyText);
  return [[...shown, ...(keysCut || keys.length > keysShown ? ["…"] : [])].join(", ")];
}

const signs = { insert: "+", update: "~", delete: "-" } as const;

function keyText({ change, key, was }: ChangedRow): string {
  return `${signs[change]}${valuesText(key)}${was === undefined ? "" : ` was ${valuesText(was)}`}`;
}

function valuesText(values: ChangedRow["key"]): string {
  const texts = (values as readonly Cell[]).map(tableText);
  return texts.length === 1 ? (texts[0] ?? "") : `(${texts.join(", ")})`;
}

function keyJson({ change, key, was }: ChangedRow): string {
  const before = was === undefined ? "" : `,"was":${valuesJson(was)}`;
  return `{"change":"${change}","key":${valuesJson(key)}${before}}`;
}

function valuesJson(values: ChangedRow["key"]): string {
  return `[${(values as readonly Cell[]).map(jsonText).join(",")}]`;
}
