import assert from "node:assert/strict";
import { test } from "node:test";
import { Admission } from "../../src/transport/index.js";

const limits = { connectionsMax: 6, connectionsKept: 2, unauthenticatedMax: 3, resumingMax: 4 };

test("silent newcomers fill their own allowance and nobody else's", () => {
  const admission = new Admission(limits);
  for (let i = 0; i < 3; i++) admission.enter("newcomer");
  assert.equal(admission.judge("newcomer")?.code, "CONNECTIONS_FULL");
  assert.equal(admission.judge("newcomer")?.status, 503);
  assert.equal(admission.judge("resuming"), undefined);
  assert.equal(admission.judge("operator"), undefined);
});

test("a newcomer that says hello, or leaves, makes room for the next one", () => {
  const admission = new Admission(limits);
  const [first, second] = [admission.enter("newcomer"), admission.enter("newcomer"), admission.enter("newcomer")];
  first?.admitted();
  first?.admitted();
  assert.equal(admission.judge("newcomer"), undefined);
  admission.enter("newcomer");
  assert.notEqual(admission.judge("newcomer"), undefined);
  second?.left();
  assert.equal(admission.judge("newcomer"), undefined);
});

test("the last places are kept for the command line", () => {
  const admission = new Admission(limits);
  const places = Array.from({ length: 4 }, () => {
    const place = admission.enter("resuming");
    place.admitted();
    return place;
  });
  assert.match(admission.judge("newcomer")?.message ?? "", /4 connections are open/);
  assert.notEqual(admission.judge("resuming"), undefined);
  assert.equal(admission.judge("operator"), undefined);
  admission.enter("operator");
  admission.enter("operator");
  assert.notEqual(admission.judge("operator"), undefined);
  places[0]?.left();
  assert.equal(admission.judge("operator"), undefined);
  assert.notEqual(admission.judge("newcomer"), undefined);
});

test("however often a place is told of, it counts once, and all counts come back to zero", () => {
  const admission = new Admission(limits);
  const places = (["newcomer", "resuming", "operator"] as const).map((purpose) => admission.enter(purpose));
  assert.deepEqual(admission.counts, { open: 3, waiting: { newcomer: 1, resuming: 1, operator: 1 } });
  for (const place of places) {
    place.left();
    place.admitted();
    place.left();
  }
  assert.deepEqual(admission.counts, { open: 0, waiting: { newcomer: 0, resuming: 0, operator: 0 } });
});

test("one place is there for an app even where all are kept", () => {
  const admission = new Admission({ ...limits, connectionsMax: 4, connectionsKept: 64 });
  assert.equal(admission.judge("newcomer"), undefined);
});
