/** BEGIN, COMMIT, SAVEPOINT and their kin (https://sqlite.org/lang_transaction.html, lang_savepoint.html), word by word. */
import type { Phrase } from "./phrase.js";
import type { GateRefusal } from "./refusal.js";

export type Control =
  | {
      readonly action: "begin";
      readonly mode: "deferred" | "immediate" | "exclusive";
      /** BEGIN TRANSACTION READONLY, as libSQL's clients say it. For SQLite READONLY is a name without meaning. */
      readonly readonly: boolean;
    }
  | { readonly action: "commit" }
  | { readonly action: "rollback" }
  | { readonly action: "savepoint" | "release" | "rollback-to"; readonly savepoint: string };

export const controlVerbs = ["BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE"] as const;
export type ControlVerb = (typeof controlVerbs)[number];

/** `phrase` begins with `verb`. */
export function inspectControl(phrase: Phrase, verb: ControlVerb): Control | GateRefusal {
  switch (verb) {
    case "BEGIN":
      return begin(phrase);
    case "COMMIT":
    case "END":
      return closed(phrase, pastTransaction(phrase, 1), { action: "commit" });
    case "ROLLBACK":
      return rollback(phrase);
    case "SAVEPOINT":
      return named(phrase, 1, "savepoint");
    case "RELEASE":
      return named(phrase, phrase.isWord(1, "SAVEPOINT") ? 2 : 1, "release");
  }
}

function begin(phrase: Phrase): Control | GateRefusal {
  const mode = modes.get(phrase.word(1));
  const place = mode === undefined ? 1 : 2;
  const readonly = phrase.isWord(place, "TRANSACTION") && phrase.isWord(place + 1, "READONLY");
  return closed(phrase, pastTransaction(phrase, place), { action: "begin", mode: mode ?? "deferred", readonly });
}

const modes: ReadonlyMap<string, "deferred" | "immediate" | "exclusive"> = new Map([
  ["DEFERRED", "deferred"],
  ["IMMEDIATE", "immediate"],
  ["EXCLUSIVE", "exclusive"],
] as const);

function rollback(phrase: Phrase): Control | GateRefusal {
  const place = pastTransaction(phrase, 1);
  if (!phrase.isWord(place, "TO")) return closed(phrase, place, { action: "rollback" });
  return named(phrase, phrase.isWord(place + 1, "SAVEPOINT") ? place + 2 : place + 1, "rollback-to");
}

/** TRANSACTION may be followed by a name, which SQLite reads and forgets. */
function pastTransaction(phrase: Phrase, place: number): number {
  if (!phrase.isWord(place, "TRANSACTION")) return place;
  return phrase.isName(place + 1) && !phrase.isWord(place + 1, "TO") ? place + 2 : place + 1;
}

function named(phrase: Phrase, place: number, action: "savepoint" | "release" | "rollback-to"): Control | GateRefusal {
  const savepoint = phrase.name(place);
  if (savepoint !== undefined) return closed(phrase, place + 1, { action, savepoint });
  return phrase.refuse(place, "STATEMENT_REFUSED", `the name of a savepoint is expected, not ${phrase.shown(place)}`);
}

function closed(phrase: Phrase, place: number, control: Control): Control | GateRefusal {
  if (place >= phrase.length) return control;
  return phrase.refuse(place, "STATEMENT_REFUSED", `${phrase.shown(place)} has no meaning in ${phrase.word(0)}`);
}
