/**
 * The parameters of a statement, numbered as SQLite numbers them (https://sqlite.org/lang_expr.html#varparam): `?` gets
 * one more than the largest number so far, `?NNN` is NNN, a name gets a number where it first appears.
 */
import type { Phrase } from "./phrase.js";
import { type GateRefusal, shortened } from "./refusal.js";

/** SQLITE_MAX_VARIABLE_NUMBER of the build. */
export const parameterNumberMax = 32_766;

export interface NamedParameter {
  readonly number: number;
  /** As it is written, with its prefix: ":one", "?3". */
  readonly name: string;
  /** Without the prefix: "one", "3". The key under which a value is handed over. */
  readonly key: string;
}

export interface ParameterPlan {
  /** The largest number, as sqlite3_bind_parameter_count: `?3` alone makes three. */
  readonly count: number;
  /** The parameters that have a name, by number. All other numbers up to `count` are anonymous. */
  readonly named: readonly NamedParameter[];
  readonly style: "none" | "anonymous" | "named" | "mixed";
}

export const noParameters: ParameterPlan = { count: 0, named: [], style: "none" };

/**
 * What sqlite3_bind_parameter_name says for each number from 1. Made when it is asked for: `?32766` is six units of SQL
 * and an array of 32,766.
 *
 * @example parameterNames(plan of "select ?, ?3, :one") // [null, null, "?3", ":one"]
 */
export function parameterNames(plan: ParameterPlan): (string | null)[] {
  const names: (string | null)[] = new Array(plan.count).fill(null);
  for (const { number, name } of plan.named) names[number - 1] = name;
  return names;
}

/** Takes the parameters of one statement in the order of the text. */
export class ParameterNumbering {
  #count = 0;
  readonly #byNumber = new Map<number, NamedParameter>();
  readonly #byKey = new Map<string, NamedParameter>();

  /** Takes the variable at `place` of the phrase; answers with a refusal if SQLite or its binding cannot take it. */
  add(phrase: Phrase, place: number): GateRefusal | undefined {
    const name = phrase.text(place);
    if (name === "?") this.#count++;
    else if (name.startsWith("?")) return this.#addNumbered(phrase, place, name);
    else return this.#addNamed(phrase, place, name);
    return this.#tooMany(phrase, place);
  }

  plan(): ParameterPlan {
    const count = this.#count;
    if (count === 0) return noParameters;
    if (this.#byNumber.size === 0) return { count, named: [], style: "anonymous" };
    const named = [...this.#byNumber.values()].sort((a, b) => a.number - b.number);
    return { count, named, style: named.length === count ? "named" : "mixed" };
  }

  #addNumbered(phrase: Phrase, place: number, name: string): GateRefusal | undefined {
    const number = Number(name.slice(1));
    if (number < 1 || number > parameterNumberMax)
      return phrase.refuse(
        place,
        "STATEMENT_REFUSED",
        `the number of a parameter is between ?1 and ?${parameterNumberMax}, not ${phrase.shown(place)}`,
      );
    this.#count = Math.max(this.#count, number);
    // The first name of a number stays: in "?1, ?01" it is "?1".
    return this.#byNumber.has(number) ? undefined : this.#keep(phrase, place, { number, name, key: name.slice(1) });
  }

  #addNamed(phrase: Phrase, place: number, name: string): GateRefusal | undefined {
    const key = name.slice(1);
    if (this.#byKey.get(key)?.name === name) return undefined;
    const refusal = this.#keep(phrase, place, { number: ++this.#count, name, key });
    return refusal ?? this.#tooMany(phrase, place);
  }

  /** better-sqlite3 knows names without their prefix only: of `:a` and `$a` it would fill both with one value. */
  #keep(phrase: Phrase, place: number, parameter: NamedParameter): GateRefusal | undefined {
    const other = this.#byKey.get(parameter.key);
    if (other !== undefined) {
      const message = `${shortened(other.name)} and ${shortened(parameter.name)} are two parameters that differ only in how they are written; rename one`;
      return phrase.refuse(place, "PARAMETER_CLASH", message);
    }
    this.#byNumber.set(parameter.number, parameter);
    this.#byKey.set(parameter.key, parameter);
    return undefined;
  }

  #tooMany(phrase: Phrase, place: number): GateRefusal | undefined {
    if (this.#count <= parameterNumberMax) return undefined;
    const message = `a statement has at most ${parameterNumberMax} parameters`;
    return phrase.refuse(place, "STATEMENT_REFUSED", message);
  }
}
