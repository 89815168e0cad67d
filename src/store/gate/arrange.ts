/**
 * Values to parameters, in the form that better-sqlite3 takes: an array for the anonymous ones in order of number, an
 * object with bare names for the others (its documentation: docs/api.md, "Binding Parameters"). It overlooks surplus
 * names and fills `?NNN` from the object alone, so every value is counted here, before it is asked.
 */

import { type Refusal, refuse } from "../../terms/index.js";
import type { NamedParameter, ParameterPlan } from "./parameters.js";
import { type GateCode, shortened } from "./refusal.js";

/** To be given as `statement.run(anonymous, named)`. */
export interface Arranged<T> {
  readonly anonymous: readonly T[];
  /** Keys without prefix; the object has no prototype. */
  readonly named: Readonly<Record<string, T>>;
}

/** A refusal that speaks of values and so has no place in the SQL; `details` names the parameters or values. */
export interface ArrangeRefusal extends Refusal {
  readonly refused: Extract<GateCode, "PARAMETER_MISSING" | "PARAMETER_SURPLUS" | "PARAMETER_CLASH">;
}

/** How many parameters or values a message lists. */
const listedMax = 8;

const nothing: Readonly<Record<string, never>> = Object.freeze(Object.create(null));

/**
 * Gives each parameter its value. The keys of `named` are names with or without prefix; the values of `positional` then
 * fill the parameters that are left, in order of number. So values alone are value i for number i + 1, as with
 * sqlite3_bind, whatever the parameters are called.
 *
 * @example arrange(plan of "… where a = ? and b = :n", ["x"], { n: 1 }) // { anonymous: ["x"], named: { n: 1 } }
 */
export function arrange<T>(
  plan: ParameterPlan,
  positional: readonly T[],
  named: Readonly<Record<string, T>> = nothing,
): Arranged<T> | ArrangeRefusal {
  const keys = Object.keys(named);
  if (keys.length === 0 && plan.named.length === 0 && positional.length === plan.count)
    return { anonymous: positional, named: nothing };
  const claimed = claim(plan, keys);
  if ("refused" in claimed) return claimed;
  return deal(plan, positional, (number) => {
    const key = claimed.keys.get(number);
    return key === undefined ? undefined : { value: named[key] as T };
  });
}

/** Which key speaks for which parameter number. */
function claim(plan: ParameterPlan, keys: readonly string[]): { keys: ReadonlyMap<number, string> } | ArrangeRefusal {
  const claimed = new Map<number, string>();
  if (keys.length === 0) return { keys: claimed };
  const parameters = new Map<string, NamedParameter>();
  for (const parameter of plan.named) parameters.set(parameter.key, parameter).set(parameter.name, parameter);
  const surplus: string[] = [];
  for (const key of keys) {
    const parameter = parameters.get(key);
    if (parameter === undefined) surplus.push(key);
    else if (claimed.has(parameter.number)) return givenTwice(parameter);
    else claimed.set(parameter.number, key);
  }
  return surplus.length === 0 ? { keys: claimed } : unknownNames(plan, surplus);
}

/** Deals the values out, number by number. */
function deal<T>(
  plan: ParameterPlan,
  positional: readonly T[],
  claimedValue: (number: number) => { value: T } | undefined,
): Arranged<T> | ArrangeRefusal {
  const anonymous: T[] = [];
  const named: Record<string, T> = Object.create(null);
  const missing: string[] = [];
  let used = 0;
  let nextNamed = 0;
  for (let number = 1; number <= plan.count; number++) {
    const parameter = plan.named[nextNamed]?.number === number ? plan.named[nextNamed++] : undefined;
    const claimed = parameter === undefined ? undefined : claimedValue(number);
    if (claimed === undefined && used >= positional.length) {
      missing.push(parameter?.name ?? `number ${number}`);
      continue;
    }
    const value = claimed === undefined ? (positional[used++] as T) : claimed.value;
    if (parameter === undefined) anonymous.push(value);
    else named[parameter.key] = value;
  }
  if (missing.length > 0) return noValue(plan, missing);
  if (used < positional.length) return tooManyValues(plan, positional.length, used);
  return { anonymous, named };
}

function noValue(plan: ParameterPlan, missing: readonly string[]): ArrangeRefusal {
  const subject = missing.length === 1 ? "parameter" : "parameters";
  const message = `no value was given for ${subject} ${listed(missing)}; the statement has ${counted(plan.count)}`;
  return refusal("PARAMETER_MISSING", message, {
    missing: missing.slice(0, listedMax).map(shortened),
    parameters: plan.count,
  });
}

function tooManyValues(plan: ParameterPlan, given: number, used: number): ArrangeRefusal {
  const rest = plan.count - used;
  const room = rest === 0 ? "" : `, ${rest} of which got theirs by name`;
  const message = `${given} values were given by position; the statement has ${counted(plan.count)}${room}`;
  return refusal("PARAMETER_SURPLUS", message, { given, taken: used, parameters: plan.count });
}

function unknownNames(plan: ParameterPlan, surplus: readonly string[]): ArrangeRefusal {
  const known = plan.named.map(({ name }) => name);
  const have = known.length === 0 ? "none with a name" : listed(known);
  const message = `a value was given for ${listed(surplus)}, but the statement's parameters are ${have}`;
  return refusal("PARAMETER_SURPLUS", message, {
    surplus: surplus.slice(0, listedMax).map(shortened),
    parameters: plan.count,
  });
}

function givenTwice({ name, key }: NamedParameter): ArrangeRefusal {
  const message = `a parameter was given two values, one as ${shortened(name)} and one as ${shortened(key)}`;
  return refusal("PARAMETER_CLASH", message, { parameter: shortened(name) });
}

function refusal(
  code: ArrangeRefusal["refused"],
  message: string,
  details: { readonly [field: string]: unknown },
): ArrangeRefusal {
  return { ...refuse(code, message, details), refused: code };
}

function counted(parameters: number): string {
  return parameters === 1 ? "1 parameter" : `${parameters} parameters`;
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, listedMax).map(shortened).join(", ");
  return names.length > listedMax ? `${shown} and ${names.length - listedMax} more` : shown;
}
