import assert from "node:assert/strict";
import { test } from "node:test";
import type { Condition } from "../../../src/protocol/index.js";
import { conditionFault, holds, type StepOutcome } from "../../../src/store/statement/conditions.js";

const outcomes: readonly StepOutcome[] = ["ok", "error", "passed-over"];

for (const [condition, holdsNow] of [
  [{ ok: 0 }, true],
  [{ ok: 1 }, false],
  [{ ok: 2 }, false],
  [{ error: 0 }, false],
  [{ error: 1 }, true],
  [{ error: 2 }, false],
  [{ not: { ok: 2 } }, true],
  [{ not: { error: 1 } }, false],
  [{ and: [] }, true],
  [{ and: [{ ok: 0 }, { error: 1 }] }, true],
  [{ and: [{ ok: 0 }, { error: 2 }] }, false],
  [{ or: [] }, false],
  [{ or: [{ error: 2 }, { ok: 0 }] }, true],
  [{ or: [{ error: 2 }, { ok: 1 }] }, false],
] as readonly (readonly [Condition, boolean])[])
  test(`after ok, error and passed over, ${JSON.stringify(condition)} is ${holdsNow}`, () => {
    assert.equal(conditionFault(condition, 3), undefined);
    assert.equal(holds(condition, outcomes), holdsNow);
  });

function nested(depth: number): unknown {
  return depth === 0 ? { ok: 0 } : { not: nested(depth - 1) };
}

for (const [name, given, message] of [
  ["a statement that comes later", { ok: 3 }, /names statement 3/],
  ["itself, deep inside", { and: [{ ok: 0 }, { or: [{ error: 3 }] }] }, /names statement 3/],
  ["a place that is none", { ok: -1 }, /names statement -1/],
  ["a part of a statement", { ok: 0.5 }, /names statement 0.5/],
  ["two words", { ok: 0, error: 1 }, /must be one of/],
  ["an unknown word", { changed: 0 }, /must be one of/],
  ["a list", [{ ok: 0 }], /must be one of/],
  ["nothing", null, /must be one of/],
  ["no list where there must be one", { and: { ok: 0 } }, /must have a list under and/],
  ["too deep a nest", nested(16), /nested more than 16 deep/],
] as const)
  test(`a condition that names ${name} is refused, and says where it is`, () => {
    const refusal = conditionFault(given, 3);
    assert.equal(refusal?.refused, "PARAMS_INVALID");
    assert.match(refusal?.message ?? "", message);
    assert.deepEqual(refusal?.details, { path: "params.statements[3].if" });
  });

for (const [what, given] of [
  ["bytes", new Uint8Array(3)],
  ["a list", [1, 2, 3]],
] as const)
  test(`${what} instead of a condition, as large as a frame may be, are not gone through`, () => {
    const watched = new Proxy(given, { ownKeys: () => assert.fail("its elements were counted") });
    assert.equal(conditionFault(watched, 1)?.refused, "PARAMS_INVALID");
  });

test("a condition may be nested fifteen deep", () => {
  assert.equal(conditionFault(nested(15), 1), undefined);
});
