/** Half of a surrogate pair, which JSON can write and MessagePack cannot: nobody may take it for another text. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { requestMessage, unpairedIn } from "../../src/protocol/index.js";
import { isRefusal } from "../../src/terms/index.js";

const half = "\ud83d";
const found: readonly (readonly [params: object, code: string, details: object])[] = [
  [{ sql: `select '${half}'` }, "SQL_INVALID_TEXT", { path: "params.sql", position: 8 }],
  [
    { statements: [{ sql: "select '😀\ufffd'" }, { sql: `select '${half}'` }] },
    "SQL_INVALID_TEXT",
    { path: "params.statements[1].sql", position: 8, statement: 1 },
  ],
  [{ sql: "select ?", args: [half] }, "PARAMETER_INVALID", { path: "params.args[0]", position: 0 }],
  [{ sql: "select :sql", named: { sql: half } }, "PARAMETER_INVALID", { path: "params.named.sql", position: 0 }],
  [{ sql: "select 1", named: { [half]: 1 } }, "PARAMETER_INVALID", { path: "params.named", position: 0 }],
  [{ fence: [{ name: `a${half}`, token: 1 }] }, "NAME_INVALID", { path: "params.fence[0].name", position: 1 }],
  [{ prefix: half }, "NAME_INVALID", { path: "params.prefix", position: 0 }],
  [{ key: `a${half}` }, "PARAMS_INVALID", { path: "params.key", position: 1 }],
  [{ name: "a", reason: half }, "PARAMS_INVALID", { path: "params.reason", position: 0 }],
];

for (const [params, code, details] of found)
  test(`it is found in ${JSON.stringify(params)}`, () => {
    const refusal = unpairedIn(params, "params");
    assert.deepEqual([refusal?.refused, refusal?.details], [code, details]);
    // As MessagePack it is refused; as JSON it goes to the broker, which looks itself.
    assert.deepEqual(requestMessage(1, "any", params, "msgpack"), refusal);
    assert.ok(!isRefusal(requestMessage(1, "any", params, "json")));
  });

test("what is whole is none, U+FFFD and bytes that look like it included", () => {
  const params = { sql: "select '\ufffd😀'", args: ["\ufffd", new Uint8Array([0xef, 0xbf, 0xbd]), null, 1], key: 7 };
  assert.equal(unpairedIn(params, "params"), undefined);
  assert.ok(!isRefusal(requestMessage(1, "any", params, "msgpack")));
});
