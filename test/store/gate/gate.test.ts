import assert from "node:assert/strict";
import { test } from "node:test";
import { Gate } from "../../../src/store/gate/index.js";
import { isRefusal } from "../../../src/terms/index.js";

test("a text that was asked for before is not inspected again", () => {
  const gate = new Gate({ textsMax: 4 });
  const first = gate.inspect("select 1");
  assert.equal(gate.inspect("select 1"), first);
  assert.equal(gate.inspect("vacuum"), gate.inspect("vacuum"));
});

test("no more texts are kept than allowed, and those that are asked for stay", () => {
  const gate = new Gate({ textsMax: 10 });
  const favourite = gate.inspect("select 0");
  for (let i = 1; i <= 100; i++) {
    gate.inspect(`select ${i}`);
    assert.equal(gate.inspect("select 0"), favourite);
    assert.ok(gate.texts <= 10, `${gate.texts}`);
  }
  const last = gate.inspect("select 100");
  assert.equal(gate.inspect("select 100"), last);
  assert.throws(() => new Gate({ textsMax: 1 }), RangeError);
});

test("a long text is inspected and not kept", () => {
  const gate = new Gate({ textsMax: 10, textUnitsMax: 20 });
  gate.inspect(`select '${"x".repeat(20)}'`);
  assert.equal(gate.texts, 0);
});

test("what is kept does not depend on what was allowed when it was first asked for", () => {
  const gate = new Gate({ textsMax: 10 });
  const refused = (permissions?: Parameters<Gate["inspect"]>[1]) => {
    const found = gate.inspect("begin", permissions);
    return isRefusal(found) && found.refused;
  };
  assert.equal(refused(), "TRANSACTION_CONTROL");
  assert.equal(refused({ transactionControl: true }), false);
  assert.equal(refused(), "TRANSACTION_CONTROL");
});

test("the gate's own limit counts", () => {
  const found = new Gate({ textsMax: 2, sqlBytesMax: 8 }).inspect("select 12");
  assert.equal(isRefusal(found) && found.refused, "SQL_TOO_LONG");
});
