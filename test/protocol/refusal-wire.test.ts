import assert from "node:assert/strict";
import { test } from "node:test";
import { errorOf, refusalOf } from "../../src/protocol/index.js";
import { type Refusal, refusalCodes, refusals, refuse } from "../../src/terms/index.js";

test("the integer is JSON-RPC's own for JSON-RPC's own errors, and one for all others", () => {
  const own = {
    PARSE_ERROR: -32700,
    INVALID_REQUEST: -32600,
    ARRAY_REFUSED: -32600,
    METHOD_UNKNOWN: -32601,
    PARAMS_INVALID: -32602,
    INTERNAL: -32603,
  };
  for (const code of refusalCodes)
    assert.equal(
      errorOf(refuse(code, "no")).code,
      Object.hasOwn(own, code) ? own[code as keyof typeof own] : -32000,
      code,
    );
});

test("the error says what the table says of the code, and the outcome that the refusal knows better", () => {
  for (const code of refusalCodes) {
    const { data } = errorOf(refuse(code, "no"));
    assert.deepEqual(data, { code, retryable: refusals[code].retryable, outcome: refusals[code].outcome, details: {} });
  }
  for (const outcome of ["unknown", "partial"] as const) {
    const known: Refusal = { refused: "DISK_FULL", message: "full", outcome };
    assert.equal(errorOf(known).data.outcome, outcome);
    assert.deepEqual(refusalOf(errorOf(known)), { ...known, details: {} });
  }
});

test("a code of a newer broker is not lost", () => {
  const error = {
    code: -32000,
    message: "the moon is full",
    data: { code: "MOON_FULL", retryable: true, outcome: "none", details: {} },
  };
  assert.deepEqual(refusalOf(error), {
    refused: "INTERNAL",
    message: "the moon is full",
    details: { code: "MOON_FULL" },
  });
});

test("whatever stands in the place of an error, there is a refusal", () => {
  for (const error of [
    null,
    undefined,
    5,
    "x",
    [],
    {},
    { data: 5 },
    { data: { code: "__proto__" } },
    { code: -32601, message: 5 },
  ])
    assert.equal(refusalOf(error).refused, "INTERNAL");
});
