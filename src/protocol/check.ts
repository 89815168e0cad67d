/**
 * Checks a value against a schema of this room and says in words what is wrong and where. Understands the words of
 * JSON Schema that the methods use and throws at any other when the check is made, so that a test that makes all
 * checks proves that none is passed over. Unknown fields are let through: a newer peer may send them.
 */
import type { JsonSchema } from "./method.js";

/** Says what is wrong, beginning with the rest of the path (`.fence[2].token must be …`), or nothing. */
export type Check = (value: unknown) => string | undefined;

const annotations = new Set(["description", "title", "default", "examples"]);

export function checkOf(schema: JsonSchema): Check {
  if (schema["$ref"] !== undefined) return accept;
  if (Array.isArray(schema["anyOf"])) return anyOf(only(schema, ["anyOf"])["anyOf"] as JsonSchema[]);
  if ("const" in schema) return constant(only(schema, ["const", "type"])["const"]);
  switch (schema["type"]) {
    case "object":
      return schema["additionalProperties"] === undefined ? object(schema) : record(schema);
    case "array":
      return array(schema);
    case "string":
      return text(schema);
    case "integer":
      return integer(schema);
    case "boolean":
      only(schema, ["type"]);
      return (value) => (typeof value === "boolean" ? undefined : " must be true or false");
    case "null":
      only(schema, ["type"]);
      return (value) => (value === null ? undefined : " must be null");
    case undefined:
      only(schema, []);
      return accept;
  }
  throw new Error(`a schema has the type ${JSON.stringify(schema["type"])}, which check.ts does not know`);
}

function accept(): undefined {
  return undefined;
}

function only(schema: JsonSchema, words: readonly string[]): JsonSchema {
  for (const word of Object.keys(schema))
    if (!words.includes(word) && !annotations.has(word))
      throw new Error(`a schema has the word "${word}", which check.ts does not know`);
  return schema;
}

function object(schema: JsonSchema): Check {
  only(schema, ["type", "properties", "required"]);
  const required = new Set((schema["required"] as string[] | undefined) ?? []);
  const fields = Object.entries(schema["properties"] as Record<string, JsonSchema>).map(([name, inner]) => ({
    name,
    check: checkOf(inner),
    needed: required.has(name),
  }));
  return (value) => {
    if (!isObject(value)) return " must be an object";
    for (const { name, check, needed } of fields) {
      const field = value[name];
      if (field === undefined) {
        if (needed) return `.${name} is missing`;
        continue;
      }
      const wrong = check(field);
      if (wrong !== undefined) return `.${name}${wrong}`;
    }
    return undefined;
  };
}

/** An object with any names, all of whose values are alike. */
function record(schema: JsonSchema): Check {
  only(schema, ["type", "additionalProperties"]);
  const check = checkOf(schema["additionalProperties"] as JsonSchema);
  return (value) => {
    if (!isObject(value)) return " must be an object";
    if (check === accept) return undefined;
    for (const name of Object.keys(value)) {
      const wrong = check(value[name]);
      if (wrong !== undefined) return `[${JSON.stringify(name.slice(0, 100))}]${wrong}`;
    }
    return undefined;
  };
}

function array(schema: JsonSchema): Check {
  only(schema, ["type", "items", "minItems", "maxItems"]);
  const check = checkOf(schema["items"] as JsonSchema);
  const least = (schema["minItems"] as number | undefined) ?? 0;
  const most = (schema["maxItems"] as number | undefined) ?? Infinity;
  return (value) => {
    if (!Array.isArray(value)) return " must be an array";
    if (value.length < least || value.length > most)
      return ` must have ${most === Infinity ? `at least ${least}` : `${least} to ${most}`} elements, not ${value.length}`;
    if (check === accept) return undefined;
    for (let at = 0; at < value.length; at++) {
      const wrong = check(value[at]);
      if (wrong !== undefined) return `[${at}]${wrong}`;
    }
    return undefined;
  };
}

/** Lengths are in UTF-16 units; the schemas bound by length only what a pattern holds to ASCII, and emptiness. */
function text(schema: JsonSchema): Check {
  only(schema, ["type", "minLength", "maxLength", "pattern"]);
  const least = (schema["minLength"] as number | undefined) ?? 0;
  const most = (schema["maxLength"] as number | undefined) ?? Infinity;
  const pattern = schema["pattern"] === undefined ? undefined : new RegExp(schema["pattern"] as string, "u");
  return (value) => {
    if (typeof value !== "string") return " must be a string";
    if (value.length < least) return least === 1 ? " must not be empty" : ` must have at least ${least} characters`;
    if (value.length > most) return ` must have at most ${most} characters, not ${value.length}`;
    if (pattern !== undefined && !pattern.test(value)) return ` must match ${schema["pattern"]}`;
    return undefined;
  };
}

/** JSON's numbers beyond 2^53 have been rounded by the time they are seen: refused, whatever the bounds. */
function integer(schema: JsonSchema): Check {
  only(schema, ["type", "minimum", "maximum"]);
  const least = (schema["minimum"] as number | undefined) ?? Number.MIN_SAFE_INTEGER;
  const most = (schema["maximum"] as number | undefined) ?? Number.MAX_SAFE_INTEGER;
  const bounds = most === Number.MAX_SAFE_INTEGER ? `${least} or more` : `${least} to ${most}`;
  return (value) => {
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= least && value <= most) return undefined;
    const given = typeof value === "number" || typeof value === "bigint" ? `, not ${value}` : "";
    return least === Number.MIN_SAFE_INTEGER
      ? ` must be a whole number${given}`
      : ` must be a whole number, ${bounds}${given}`;
  };
}

function constant(wanted: unknown): Check {
  return (value) => (value === wanted ? undefined : ` must be ${JSON.stringify(wanted)}`);
}

/** Where one alternative alone is of the value's kind, it is what was meant, and says what is wrong. */
function anyOf(schemas: readonly JsonSchema[]): Check {
  const checks = schemas.map(checkOf);
  const words = schemas.map((schema) =>
    "const" in schema ? JSON.stringify(schema["const"]) : String(schema["type"] ?? "a value"),
  );
  return (value) => {
    for (const check of checks) if (check(value) === undefined) return undefined;
    const kind = kindOf(value);
    const [meant, another] = checks.filter((_, at) => (schemas[at] as JsonSchema)["type"] === kind);
    if (meant !== undefined && another === undefined) return meant(value);
    return ` must be ${words.join(" or ")}`;
  };
}

/** By the word that a schema has for it. */
function kindOf(value: unknown): string | undefined {
  if (typeof value === "string" || typeof value === "boolean") return typeof value;
  if (typeof value === "number" || typeof value === "bigint") return "integer";
  return isObject(value) ? "object" : undefined;
}

function isObject(value: unknown): value is { readonly [name: string]: unknown } {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}
