import assert from "node:assert/strict";
import { test } from "node:test";
import { arrange } from "../../../src/store/gate/index.js";
import { isRefusal } from "../../../src/terms/index.js";
import { letIn } from "./verdict.js";

function arranged(list: string, positional: readonly unknown[], named?: Readonly<Record<string, unknown>>) {
  const found = arrange(letIn(`select ${list}`).parameters, positional, named);
  if (isRefusal(found)) assert.fail(`${list}: ${found.message}`);
  return { anonymous: found.anonymous, named: { ...found.named } };
}

function refusal(list: string, positional: readonly unknown[], named?: Readonly<Record<string, unknown>>) {
  const found = arrange(letIn(`select ${list}`).parameters, positional, named);
  if (!isRefusal(found)) assert.fail(`${list} was let in`);
  return found;
}

test("values alone fill all parameters in order of number, whatever they are called", () => {
  assert.deepEqual(arranged("?, ?", [1, 2]), { anonymous: [1, 2], named: {} });
  assert.deepEqual(arranged(":a, ?, $b", [1, 2, 3]), { anonymous: [2], named: { a: 1, b: 3 } });
  assert.deepEqual(arranged("?3, ?1", [1, 2, 3]), { anonymous: [2], named: { 1: 1, 3: 3 } });
  assert.deepEqual(arranged("?2, ?2", [1, 2]), { anonymous: [1], named: { 2: 2 } });
  assert.deepEqual(arranged("1", []), { anonymous: [], named: {} });
});

test("named values are found with and without prefix, and the rest is filled by position", () => {
  assert.deepEqual(arranged(":a, @b, $c", [], { a: 1, "@b": 2, $c: 3 }), {
    anonymous: [],
    named: { a: 1, b: 2, c: 3 },
  });
  assert.deepEqual(arranged("?, :n", ["x"], { n: 1 }), { anonymous: ["x"], named: { n: 1 } });
  assert.deepEqual(arranged(":n, ?, :m", ["x", "y"], { m: 1 }), { anonymous: ["y"], named: { n: "x", m: 1 } });
  assert.deepEqual(arranged("?1, ?2", ["x"], { 2: 1 }), { anonymous: [], named: { 1: "x", 2: 1 } });
  assert.deepEqual(arranged("?1, ?2", [], { "?2": 2, "?1": 1 }), { anonymous: [], named: { 1: 1, 2: 2 } });
});

test("null, undefined and empty values are values", () => {
  assert.deepEqual(arranged("?, :a", [undefined], { a: null }), { anonymous: [undefined], named: { a: null } });
});

test("a parameter without value is named", () => {
  const { refused, message, details } = refusal("?, :one, ?", [1]);
  assert.equal(refused, "PARAMETER_MISSING");
  assert.match(message, /parameters :one, number 3; the statement has 3 parameters/);
  assert.deepEqual(details, { missing: [":one", "number 3"], parameters: 3 });
  assert.match(refusal(":a", []).message, /for parameter :a; the statement has 1 parameter$/);
  assert.match(refusal("?32766", []).message, /number 8 and 32758 more/);
});

test("a value that no parameter takes is named", () => {
  assert.match(refusal("?", [1, 2]).message, /^2 values were given by position; the statement has 1 parameter$/);
  assert.match(refusal("?, :a", [1, 2], { a: 3 }).message, /1 of which got theirs by name/);
  const { refused, message, details } = refusal(":a, ?2", [], { a: 1, b: 2, $a: 3, 2: 2 });
  assert.equal(refused, "PARAMETER_SURPLUS");
  assert.match(message, /for b, \$a, but the statement's parameters are :a, \?2$/);
  assert.deepEqual(details, { surplus: ["b", "$a"], parameters: 2 });
  assert.equal(refusal("1", [], { a: 1 }).refused, "PARAMETER_SURPLUS");
  assert.equal(refusal("?", [1], { 1: 1 }).refused, "PARAMETER_SURPLUS");
  assert.ok(refusal("?", [1], { ["x".repeat(100_000)]: 1 }).message.length < 200);
});

test("two values for one parameter are refused", () => {
  assert.equal(refusal(":a", [], { a: 1, ":a": 1 }).refused, "PARAMETER_CLASH");
});

test("names of Object's own are names like others", () => {
  const found = arrange(letIn("select :__proto__, :constructor, :toString").parameters, [1, 2, 3]);
  if (isRefusal(found)) assert.fail(found.message);
  assert.equal(Object.getPrototypeOf(found.named), null);
  assert.deepEqual(Object.keys(found.named), ["__proto__", "constructor", "toString"]);
  const named = arranged(":__proto__", [], JSON.parse('{"__proto__": 5}'));
  assert.deepEqual(Object.getOwnPropertyNames(named.named), ["__proto__"]);
  assert.equal(refusal(":toString", [], {}).refused, "PARAMETER_MISSING");
});
