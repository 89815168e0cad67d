import assert from "node:assert/strict";
import { test } from "node:test";
import { silentMsMin } from "../../src/transport/admission.js";
import { Admission } from "../../src/transport/index.js";

const limits = { connectionsMax: 6, connectionsKept: 2, unauthenticatedMax: 3, resumingMax: 4 };
const never = () => assert.fail("it was hung up on");

test("silent newcomers fill their own allowance and nobody else's", () => {
  const admission = new Admission(limits, () => 0);
  for (let i = 0; i < 3; i++) admission.enter("newcomer", never);
  assert.equal(admission.judge("newcomer")?.code, "CONNECTIONS_FULL");
  assert.equal(admission.judge("newcomer")?.status, 503);
  assert.equal(admission.judge("resuming"), undefined);
  assert.equal(admission.judge("operator"), undefined);
});

test("a newcomer that says hello, or leaves, makes room for the next one", () => {
  const admission = new Admission(limits, () => 0);
  const [first, second] = [
    admission.enter("newcomer", never),
    admission.enter("newcomer", never),
    admission.enter("newcomer", never),
  ];
  first?.admitted();
  first?.admitted();
  assert.equal(admission.judge("newcomer"), undefined);
  admission.enter("newcomer", never);
  assert.notEqual(admission.judge("newcomer"), undefined);
  second?.left();
  assert.equal(admission.judge("newcomer"), undefined);
});

test("the last places are kept for the command line", () => {
  const admission = new Admission(limits, () => 0);
  const places = Array.from({ length: 4 }, () => {
    const place = admission.enter("resuming", never);
    place.admitted();
    return place;
  });
  assert.match(admission.judge("newcomer")?.message ?? "", /4 connections are open/);
  assert.notEqual(admission.judge("resuming"), undefined);
  assert.equal(admission.judge("operator"), undefined);
  admission.enter("operator", never);
  admission.enter("operator", never);
  assert.notEqual(admission.judge("operator"), undefined);
  places[0]?.left();
  assert.equal(admission.judge("operator"), undefined);
  assert.notEqual(admission.judge("newcomer"), undefined);
});

test("however often a place is told of, it counts once, and all counts come back to zero", () => {
  const admission = new Admission(limits, () => 0);
  const places = (["newcomer", "resuming", "operator"] as const).map((purpose) => admission.enter(purpose, never));
  assert.deepEqual(admission.counts, { open: 3, waiting: { newcomer: 1, resuming: 1, operator: 1 } });
  for (const place of places) {
    place.left();
    place.admitted();
    place.left();
  }
  assert.deepEqual(admission.counts, { open: 0, waiting: { newcomer: 0, resuming: 0, operator: 0 } });
});

test("one place is there for an app even where all are kept", () => {
  const admission = new Admission({ ...limits, connectionsMax: 4, connectionsKept: 64 }, () => 0);
  assert.equal(admission.judge("newcomer"), undefined);
});

test("when an allowance is used up the longest silent of it goes, and gives its place to who comes", () => {
  let now = 0;
  const admission = new Admission({ ...limits, connectionsMax: 20 }, () => now);
  const gone: string[] = [];
  const places = ["a", "b", "c"].map((one) => {
    now += 1;
    return admission.enter("newcomer", () => gone.push(one));
  });
  admission.enter("resuming", never);
  places[0]?.admitted();
  admission.enter("newcomer", never);
  now += silentMsMin;
  assert.equal(admission.makeRoom("newcomer"), undefined);
  assert.deepEqual(gone, ["b"]);
  places[1]?.left();
  assert.deepEqual(admission.counts.waiting, { newcomer: 2, resuming: 1, operator: 0 });
  assert.equal(admission.counts.open, 4);
});

test("nobody is hung up on while there is room, nor before its hello can have come", () => {
  let now = 0;
  const admission = new Admission(limits, () => now);
  for (let i = 0; i < 2; i++) admission.enter("newcomer", never);
  now += silentMsMin;
  assert.equal(admission.makeRoom("newcomer"), undefined);
  now = 0;
  admission.enter("newcomer", never);
  now += silentMsMin - 1;
  assert.equal(admission.makeRoom("newcomer")?.code, "CONNECTIONS_FULL");
});

test("where all connections are taken the silent go first, of whatever purpose; those who said hello stay", () => {
  let now = 0;
  const admission = new Admission(limits, () => now);
  const gone: string[] = [];
  for (let i = 0; i < 3; i++) admission.enter("newcomer", never).admitted();
  admission.enter("resuming", () => gone.push("resuming"));
  now += silentMsMin;
  assert.equal(admission.makeRoom("newcomer"), undefined);
  assert.deepEqual(gone, ["resuming"]);
  admission.enter("newcomer", never).admitted();
  assert.equal(admission.makeRoom("newcomer")?.code, "CONNECTIONS_FULL");
});
