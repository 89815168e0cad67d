import assert from "node:assert/strict";
import { test } from "node:test";
import { carriedIn, carriedLocks, withLocks } from "../../src/cli/held-locks-variable.js";

const outer = { name: "a", token: 7, session: "s".repeat(32) };
const inner = { name: "b", token: 8, session: "t".repeat(32) };

test("a command is told all locks that it runs under, the outermost first", () => {
  const env = withLocks(
    { HOLDFAST_LOCKS: JSON.stringify([outer]), HOME: "/h" },
    [inner, { ...inner, name: "c" }],
    "secret",
  );
  assert.deepEqual(JSON.parse(env["HOLDFAST_LOCKS"] ?? ""), [outer, inner, { ...inner, name: "c" }]);
  assert.equal(env["HOLDFAST_LOCK_NAME"], "b");
  assert.equal(env["HOLDFAST_LOCK_TOKEN"], "8");
  assert.equal(env["HOLDFAST_LOCK_SESSION"], "secret");
  assert.equal(env["HOME"], "/h");
});

test("what cannot be understood says nothing, and what can is kept", () => {
  for (const text of [undefined, "", "{", "7", "{}", '["a"]', "[null]", '[{"name":"a"}]'])
    assert.deepEqual(carriedLocks(text), []);
  assert.deepEqual(carriedLocks(JSON.stringify([null, outer, { ...outer, token: "7" }])), [outer]);
});

test("the locks of a process are found among its other variables", () => {
  assert.deepEqual(carriedIn(`A=1\0NOT_HOLDFAST_LOCKS=[]\0HOLDFAST_LOCKS=${JSON.stringify([outer])}\0B=2\0`), [outer]);
  assert.deepEqual(carriedIn("A=1\0B=2\0"), []);
});
