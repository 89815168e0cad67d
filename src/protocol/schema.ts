/**
 * The words in which the methods are described, and the proof that a description and the interface beside it say the
 * same. Only the builders of TypeBox are used, by their names: they cost a bundle 19 KB and all schemas 3 to 4 ms of
 * a start, its compiler 400 KB and 25 ms (Node 20.20, 2 cores, 2026-11). What checks values is check.ts.
 */
import {
  Integer as AnyWhole,
  Array as ArrayOf,
  Literal,
  Null,
  Object as ObjectOf,
  Optional,
  type Static,
  String as Text,
  type TLiteral,
  type TSchema,
  Union,
  Unsafe,
} from "typebox";
import type { Schema } from "./method.js";
import type { WireInteger, WireValue } from "./numbers.js";

export { Boolean as Flag, Union, Unknown } from "typebox";
export { ArrayOf, Null, ObjectOf, Optional, Text, Unsafe };

/** Without `readonly`, which neither JSON nor TypeBox knows, at every depth. Values and marks are one type each. */
type Plain<T> = [T] extends [WireValue | undefined]
  ? T
  : T extends object
    ? { -readonly [Name in keyof T]: Plain<T[Name]> }
    : T;

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** `schemaOf<T>()(schema)` does not compile unless `schema` describes exactly `T`. */
export function schemaOf<T>(): <S extends TSchema>(
  schema: S & (Same<Plain<Static<S>>, Plain<T>> extends true ? unknown : "the schema and the interface differ"),
) => Schema<T> {
  return (schema) => schema as unknown as Schema<T>;
}

/** One of these words. */
export function OneOf<const Words extends readonly string[]>(
  words: readonly [...Words],
  description: string,
): ReturnType<typeof Unsafe<Words[number]>> {
  const literals: TLiteral[] = words.map((word) => Literal(word));
  return Unsafe<Words[number]>(Union(literals, { description }));
}

/** An object with any names. (TypeBox's own Record brings its whole type engine: 130 KB.) */
export function RecordOf<S extends TSchema>(values: S, description: string) {
  return Unsafe<Record<string, Static<S>>>({ type: "object", additionalProperties: values, description });
}

/** A value of SQL. Not checked here: numbers.ts does that when it is bound, with a refusal of its own. */
export const Value = Unsafe<WireValue>({ $ref: "#/components/schemas/SqlValue" });

/** An INTEGER in a result, which may be beyond 2^53. */
export const AnyInteger = Unsafe<WireInteger>({ $ref: "#/components/schemas/SqlInteger" });

/** Within what JSON's numbers say exactly; the bounds are said, for those who make clients from the description. */
export function Integer(options: Parameters<typeof AnyWhole>[0] = {}) {
  return AnyWhole({ minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER, ...options });
}

export function WholeNumber(description: string, minimum = 0) {
  return Integer({ minimum, description });
}

export function RequestKeyField(
  description = "The request key: a whole number that rises from 1 in a session and is never used again",
) {
  return Integer({ minimum: 1, description });
}

export const Ack = Optional(
  Integer({
    minimum: 1,
    description: "All keys below this one are settled for the client; their stored results may go",
  }),
);
export const LockNameField = Text({
  minLength: 1,
  description: "A lock's name: 1 to 512 bytes of UTF-8, no control characters, compared byte by byte",
});
export const TokenField = Integer({ minimum: 1, description: "A fencing token: never repeats, never goes back" });
export const Nothing = ObjectOf({});
