/** WITH and EXPLAIN stand before a statement without changing what it does: its main verb is behind them. */
import { isRefusal } from "../../terms/index.js";
import type { Phrase } from "./phrase.js";
import type { GateRefusal } from "./refusal.js";

export type QueryVerb = "SELECT" | "VALUES";
export type ChangeVerb = "INSERT" | "REPLACE" | "UPDATE" | "DELETE";

/**
 * Where the main verb stands: at `first`, or behind the last table of
 * WITH [RECURSIVE] name [(columns)] AS [[NOT] MATERIALIZED] (…), …   (https://sqlite.org/lang_with.html)
 */
export function mainPlace(phrase: Phrase, first: number): number | GateRefusal {
  if (!phrase.isWord(first, "WITH")) return first;
  let place = phrase.isWord(first + 1, "RECURSIVE") ? first + 2 : first + 1;
  for (; ; place++) {
    const past = pastCommonTable(phrase, place);
    if (isRefusal(past)) return past;
    place = past;
    if (phrase.kind(place) !== ",") return place;
  }
}

function pastCommonTable(phrase: Phrase, start: number): number | GateRefusal {
  if (!phrase.isName(start) || phrase.isWord(start, "AS")) return refuseCommonTable(phrase, start);
  let place = start + 1;
  if (phrase.kind(place) === "(") place = phrase.pastGroup(place) ?? phrase.length;
  if (!phrase.isWord(place, "AS")) return refuseCommonTable(phrase, place);
  place++;
  if (phrase.isWord(place, "NOT") && phrase.isWord(place + 1, "MATERIALIZED")) place += 2;
  else if (phrase.isWord(place, "MATERIALIZED")) place++;
  return phrase.pastGroup(place) ?? refuseCommonTable(phrase, place);
}

function refuseCommonTable(phrase: Phrase, place: number): GateRefusal {
  return phrase.refuse(place, "STATEMENT_REFUSED", `WITH is written WITH name AS (…), …; not ${phrase.shown(place)}`);
}

export function mainVerb(phrase: Phrase, place: number): QueryVerb | ChangeVerb | undefined {
  const verb = phrase.word(place);
  switch (verb) {
    case "SELECT":
    case "VALUES":
    case "INSERT":
    case "REPLACE":
    case "UPDATE":
    case "DELETE":
      return verb;
    default:
      return undefined;
  }
}

export function refuseMain(phrase: Phrase, place: number): GateRefusal {
  const message = `WITH must lead to SELECT, VALUES, INSERT, REPLACE, UPDATE or DELETE, not ${phrase.shown(place)}`;
  return phrase.refuse(place, "STATEMENT_REFUSED", message);
}
