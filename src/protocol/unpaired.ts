/**
 * Half of a surrogate pair in a request. JSON has an escape for it, and the broker refuses it; UTF-8 has nothing, so that
 * a MessagePack writer leaves U+FFFD in its place, and two texts would become one: that is refused before it is sent, and
 * by the same words.
 */
import { isWellFormed, type Refusal, type RefusalCode, refuse } from "../terms/index.js";

/** By where it stands, the first that fits. */
const codes: readonly (readonly [RegExp, RefusalCode])[] = [
  [/\.(?:args|named)\b/, "PARAMETER_INVALID"],
  [/\.sql$/, "SQL_INVALID_TEXT"],
  [/\.(?:name|prefix)$/, "NAME_INVALID"],
];

/** The first that is found in a value in wire form. `path`: where that stands. */
export function unpairedIn(value: unknown, path: string): Refusal | undefined {
  if (typeof value === "string") return isWellFormed(value) ? undefined : unpaired(value, path);
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return undefined;
  for (const [name, inner] of Object.entries(value)) {
    const place = Array.isArray(value) ? `${path}[${name}]` : `${path}.${name}`;
    const found = isWellFormed(name) ? unpairedIn(inner, place) : unpaired(name, path);
    if (found !== undefined) return found;
  }
  return undefined;
}

function unpaired(text: string, path: string): Refusal {
  const code = codes.find(([pattern]) => pattern.test(path))?.[1] ?? "PARAMS_INVALID";
  const position = text.search(/[\ud800-\udfff]/u);
  const statement = /\.statements\[(\d+)\]/.exec(path)?.[1];
  const details = { path, position, ...(statement === undefined ? {} : { statement: Number(statement) }) };
  return refuse(code, `${path} has a surrogate without its partner`, details);
}
