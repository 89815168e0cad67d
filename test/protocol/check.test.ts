/** The checker against TypeBox's own, on the schemas of all methods, and its words. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Check } from "typebox/value";
import { checkOf } from "../../src/protocol/check.js";
import {
  checkNotice,
  checkParams,
  type JsonSchema,
  methodNames,
  methods,
  notificationsToBroker,
  notificationsToClient,
} from "../../src/protocol/index.js";

/** Every schema of the protocol by what it describes. */
const schemas: [name: string, schema: JsonSchema][] = [
  ...methodNames.flatMap((name): [string, JsonSchema][] => [
    [`${name} params`, methods[name].params],
    [`${name} result`, methods[name].result],
  ]),
  ...Object.entries({ ...notificationsToBroker, ...notificationsToClient }).map(
    ([name, { params }]): [string, JsonSchema] => [name, params],
  ),
];

/** A value that fits the schema, or nearly: at any place something else may stand. */
function near(schema: JsonSchema): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 12, arbitrary: fitting(schema) }, { weight: 1, arbitrary: anything });
}

const anything = fc.oneof(
  fc.constantFrom<unknown>(null, true, "", "x", 0, -1, 1.5, 2 ** 53, 1e300, [], {}, [1], { a: 1 }, "A".repeat(43)),
  fc.anything({ maxDepth: 2 }),
);

function fitting(schema: JsonSchema): fc.Arbitrary<unknown> {
  if (Array.isArray(schema["anyOf"])) return fc.oneof(...(schema["anyOf"] as JsonSchema[]).map(near));
  if ("const" in schema) return fc.constant(schema["const"]);
  switch (schema["type"]) {
    case "object":
      return object(schema);
    case "array":
      return fc.array(near(schema["items"] as JsonSchema), {
        minLength: (schema["minItems"] as number) ?? 0,
        maxLength: 3,
      });
    case "string":
      return fc.constantFrom("A".repeat(43), "0".repeat(32), "name", "", "x".repeat(65));
    case "integer":
      return fc.constantFrom(0, 1, 2, 1024, Number.MAX_SAFE_INTEGER);
    case "boolean":
      return fc.boolean();
    default:
      return fc.constantFrom(null, 1, "x", { $int: "1" });
  }
}

function object(schema: JsonSchema): fc.Arbitrary<unknown> {
  const values = schema["additionalProperties"] as JsonSchema | undefined;
  if (values !== undefined) return fc.dictionary(fc.string({ minLength: 1 }), near(values), { maxKeys: 3 });
  const fields = Object.entries(schema["properties"] as Record<string, JsonSchema>);
  const requiredKeys = fc.shuffledSubarray(
    fields.map(([name]) => name),
    { minLength: Math.max(0, fields.length - 1) },
  );
  const record = fc.record(Object.fromEntries(fields.map(([name, inner]) => [name, near(inner)])));
  return fc.tuple(record, requiredKeys).map(([value, kept]) => ({
    ...Object.fromEntries(Object.entries(value).filter(([name]) => kept.includes(name))),
    later: { version: 2 },
  }));
}

/** What JSON can carry: a field that is undefined is not there, and numbers are finite. */
function carried(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_, inner) => (typeof inner === "bigint" ? null : inner)) ?? "null");
}

for (const [name, schema] of schemas)
  test(`the checker takes and refuses what TypeBox takes and refuses: ${name}`, () => {
    const check = checkOf(schema);
    // A reference is to a value of SQL, which is checked when it is bound; to TypeBox it must be said so.
    const open = JSON.parse(JSON.stringify(schema).replaceAll(/\{"\$ref":"[^"]+"\}/g, "{}"));
    fc.assert(
      fc.property(near(schema).map(carried), (value) => {
        const wrong = check(value);
        assert.equal(wrong === undefined, Check(open, value), wrong);
      }),
      { numRuns: 300 },
    );
  });

test("a refusal names the place and says what must stand there", () => {
  const secret = "A".repeat(43);
  const wrong: [method: Parameters<typeof checkParams>[0], params: unknown, message: string][] = [
    ["db.execute", {}, "params.sql is missing"],
    ["db.execute", [], "params must be an object"],
    ["db.execute", null, "params must be an object"],
    ["db.execute", { sql: 5 }, "params.sql must be a string"],
    ["db.execute", { sql: "x", args: {} }, "params.args must be an array"],
    ["db.execute", { sql: "x", named: [] }, "params.named must be an object"],
    ["lock.cancel", { of: 1, key: 0 }, "params.key must be a whole number, 1 or more, not 0"],
    ["lock.cancel", { of: 1, key: 1.5 }, "params.key must be a whole number, 1 or more, not 1.5"],
    ["lock.cancel", { of: 1, key: 2 ** 53 }, "params.key must be a whole number, 1 or more, not 9007199254740992"],
    [
      "lock.cancel",
      { of: 1, key: Number.POSITIVE_INFINITY },
      "params.key must be a whole number, 1 or more, not Infinity",
    ],
    ["lock.cancel", { of: 1, key: "1" }, "params.key must be a whole number, 1 or more"],
    ["lock.cancel", { of: 1, key: null }, "params.key must be a whole number, 1 or more"],
    ["db.execute", { sql: "x", key: 0 }, "params.key must be a whole number, 1 or more, not 0"],
    ["db.execute", { sql: "x", key: "" }, "params.key must not be empty"],
    ["db.execute", { sql: "x", key: true }, "params.key must be integer or string"],
    ["db.execute", { sql: "x", fence: [{ name: "a", token: 1 }, { name: "b" }] }, "params.fence[1].token is missing"],
    ["db.batch", { statements: [] }, "params.statements must have 1 to 1024 elements, not 0"],
    ["db.batch", { statements: [{ sql: "x" }, "y"] }, "params.statements[1] must be an object"],
    ["lock.acquire", { name: "", key: 1 }, "params.name must not be empty"],
    ["lock.acquire", { name: "a", key: 1, waitMs: -1 }, "params.waitMs must be a whole number, 0 or more, not -1"],
    ["session.hello", { protocol: { min: 1, max: 1 }, mode: "x" }, 'params.mode must be "new" or "resume" or "either"'],
    ["session.hello", { protocol: { min: 1, max: 1 }, secret: "x" }, "params.secret must match ^[A-Za-z0-9_-]{43}$"],
    ["session.hello", { protocol: { min: 1, max: 1 }, bound: 1 }, "params.bound must be true or false"],
    ["session.settle", { secret, keys: Array(1025).fill(1) }, "params.keys must have 1 to 1024 elements, not 1025"],
  ];
  for (const [method, params, message] of wrong) {
    const refusal = checkParams(method, params);
    assert.deepEqual([refusal?.refused, refusal?.message], ["PARAMS_INVALID", message]);
    assert.equal(refusal?.details?.["path"], message.split(" ")[0]);
  }
});

test("a notification is checked too", () => {
  assert.equal(checkNotice("session.ack", { below: 3 }), undefined);
  assert.equal(checkNotice("session.cancel", { id: "a" }), undefined);
  assert.equal(checkNotice("session.cancel", { id: 1 }), undefined);
  assert.equal(checkNotice("session.cancel", { id: null })?.message, "params.id must be string or integer");
  assert.equal(checkNotice("lock.lost", { name: "a", token: 1, reason: "released" }), undefined);
});

test("unknown fields are let through, and none is taken from a prototype", () => {
  assert.equal(checkParams("session.ping", { later: { version: 2 } }), undefined);
  assert.equal(checkParams("db.query", JSON.parse('{"__proto__":{"sql":"x"}}'))?.message, "params.sql is missing");
  const inherited = Object.getOwnPropertyNames(Object.prototype);
  for (const [name, schema] of schemas)
    for (const field of Object.keys((schema["properties"] as object | undefined) ?? {}))
      assert.ok(!inherited.includes(field), `${name}: every object has a ${field}`);
});

test("a word of JSON Schema that the checker does not know is noticed when the check is made", () => {
  for (const schema of [
    { type: "object", properties: {}, minProperties: 1 },
    { type: "number" },
    { type: "string", format: "date" },
    { type: "integer", multipleOf: 2 },
    { oneOf: [] },
  ])
    assert.throws(() => checkOf(schema), /does not know/);
});
