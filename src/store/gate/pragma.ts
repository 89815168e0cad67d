/**
 * Which PRAGMAs are served, and how. This is decided before SQLite sees the text, because some PRAGMAs act while they
 * are prepared, even behind EXPLAIN (https://sqlite.org/pragma.html: "Some pragmas run during the SQL compilation
 * stage").
 *
 * PRAGMA [main.]name [= value | (value)], and nothing else: no other schema, no argument where an argument would set.
 */
import { isRefusal } from "../../terms/index.js";
import { folded, type Phrase } from "./phrase.js";
import { pragmaArgument, readablePragmas } from "./pragma-names.js";
import type { GateRefusal } from "./refusal.js";

export type Pragma =
  | { readonly kind: "read" }
  /** user_version or application_id gets a number; it is stored in the file, in the transaction. */
  | { readonly kind: "write" }
  /** defer_foreign_keys: ends with the transaction, and would end at once outside one. */
  | { readonly kind: "transaction-setting" }
  /** foreign_keys: belongs to the connection; SQLite overlooks it inside a transaction. */
  | { readonly kind: "session-setting"; readonly name: "foreign_keys"; readonly on: boolean };

interface Sentence {
  readonly phrase: Phrase;
  /** In lower case. */
  readonly name: string;
  /** Where the name stands. */
  readonly namePlace: number;
  /** Where the argument begins and how many words it has; undefined without one. */
  readonly argument: { readonly place: number; readonly length: number } | undefined;
}

const served = `the PRAGMAs to read are ${readablePragmas.join(", ")}; to set: user_version, application_id, defer_foreign_keys in a transaction, foreign_keys outside one`;

/** `phrase` begins with PRAGMA. */
export function inspectPragma(phrase: Phrase): Pragma | GateRefusal {
  const sentence = readSentence(phrase);
  if (isRefusal(sentence)) return sentence;
  switch (sentence.name) {
    case "defer_foreign_keys": {
      const on = readSwitch(sentence);
      return isRefusal(on) ? on : { kind: "transaction-setting" };
    }
    case "foreign_keys": {
      const on = readSwitch(sentence);
      return isRefusal(on) ? on : { kind: "session-setting", name: "foreign_keys", on: on.value };
    }
    default:
      return inspectReadable(sentence);
  }
}

function inspectReadable(sentence: Sentence): Pragma | GateRefusal {
  const { phrase, name, namePlace, argument } = sentence;
  const takes = pragmaArgument(name);
  if (takes === undefined)
    return phrase.refuse(namePlace, "STATEMENT_REFUSED", `PRAGMA ${phrase.shown(namePlace)} is not served; ${served}`);
  if (argument === undefined) return { kind: "read" };
  switch (takes) {
    case "none":
      return phrase.refuse(argument.place, "STATEMENT_REFUSED", `PRAGMA ${name} is only read here, without a value`);
    case "subject":
      return inspectSubject(sentence, argument.place) ?? { kind: "read" };
    case "number":
      return inspectNumber(sentence, argument.place) ?? { kind: "write" };
  }
}

function inspectSubject({ phrase, name, argument }: Sentence, place: number): GateRefusal | undefined {
  const kind = phrase.kind(place);
  if (argument?.length === 1 && (kind === "number" || phrase.isName(place))) return undefined;
  return phrase.refuse(place, "STATEMENT_REFUSED", `PRAGMA ${name} takes one name or one number`);
}

/** SQLite would take a number that does not fit, or a word, for 0. */
function inspectNumber({ phrase, name, argument }: Sentence, place: number): GateRefusal | undefined {
  const sign = argument?.length === 2 ? phrase.shown(place) : "";
  const digits = phrase.shown(argument?.length === 2 ? place + 1 : place);
  const value = Number(`${sign === "-" ? "-" : ""}${digits}`);
  const isLiteral = /^[-+]?$/.test(sign) && /^([0-9]+|0[xX][0-9a-fA-F]+)$/.test(digits);
  if (isLiteral && value >= -0x8000_0000 && value <= 0x7fff_ffff) return undefined;
  return phrase.refuse(place, "STATEMENT_REFUSED", `PRAGMA ${name} takes an integer of 32 bits, written in digits`);
}

function readSwitch({ phrase, name, namePlace, argument }: Sentence): { value: boolean } | GateRefusal {
  if (argument === undefined)
    return phrase.refuse(namePlace, "STATEMENT_REFUSED", `PRAGMA ${name} can be set here, not read; ${served}`);
  const word = phrase.name(argument.place) ?? phrase.shown(argument.place);
  if (argument.length === 1) {
    if (/^(on|true|yes|1)$/i.test(word)) return { value: true };
    if (/^(off|false|no|0)$/i.test(word)) return { value: false };
  }
  return phrase.refuse(argument.place, "STATEMENT_REFUSED", `PRAGMA ${name} takes ON or OFF`);
}

function readSentence(phrase: Phrase): Sentence | GateRefusal {
  const namePlace = phrase.kind(2) === "." ? 3 : 1;
  const schema = namePlace === 3 ? phrase.name(1) : undefined;
  if (schema !== undefined && folded(schema) !== "main")
    return phrase.refuse(1, "STATEMENT_REFUSED", `a PRAGMA speaks of the schema main here, not of ${phrase.shown(1)}`);
  const name = phrase.name(namePlace);
  const argument = name === undefined ? undefined : readArgument(phrase, namePlace + 1);
  if (name === undefined || argument === "malformed")
    return phrase.refuse(
      Math.min(namePlace, phrase.length),
      "STATEMENT_REFUSED",
      "this is not PRAGMA name, PRAGMA name = value or PRAGMA name(value)",
    );
  return { phrase, name: folded(name), namePlace, argument };
}

function readArgument(phrase: Phrase, place: number): Sentence["argument"] | "malformed" {
  if (place >= phrase.length) return undefined;
  const inParentheses = phrase.kind(place) === "(";
  const end = inParentheses ? phrase.length - 1 : phrase.length;
  const length = end - place - 1;
  const opens = inParentheses ? phrase.kind(end) === ")" : phrase.isMark(place, "=");
  return opens && (length === 1 || length === 2) ? { place: place + 1, length } : "malformed";
}
