import assert from "node:assert/strict";
import { test } from "node:test";
import { Chances } from "../../src/transport/chances.js";
import { Admission } from "../../src/transport/index.js";
import { Passes } from "./passes.js";

const limits = { connectionsMax: 6, connectionsKept: 2, unauthenticatedMax: 3, resumingMax: 4 };
const never = () => assert.fail("it was ended");

function rig(chosen: Partial<typeof limits> = {}) {
  const passes = new Passes();
  return { passes, admission: new Admission({ ...limits, ...chosen }, new Chances(passes.after)) };
}

test("silent newcomers fill their own allowance and nobody else's", () => {
  const { admission } = rig();
  for (let i = 0; i < 3; i++) admission.enter("newcomer", never);
  assert.equal(admission.judge("newcomer")?.code, "CONNECTIONS_FULL");
  assert.equal(admission.judge("newcomer")?.status, 503);
  assert.equal(admission.judge("resuming"), undefined);
  assert.equal(admission.judge("operator"), undefined);
});

test("a newcomer that says hello, or leaves, makes room for the next one", () => {
  const { admission } = rig();
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
  const { admission } = rig();
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
  const { admission } = rig();
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
  const { admission } = rig({ connectionsMax: 4, connectionsKept: 64 });
  assert.equal(admission.judge("newcomer"), undefined);
});

test("when an allowance is used up the longest silent of it is ended for who comes, and gives its place back", () => {
  const { passes, admission } = rig({ connectionsMax: 20 });
  const ended: string[] = [];
  const places = ["a", "b", "c"].map((one) => admission.enter("newcomer", () => ended.push(one)));
  admission.enter("resuming", never);
  passes.all();
  places[0]?.admitted();
  admission.enter("newcomer", never);
  assert.equal(admission.makeRoom("newcomer"), undefined);
  assert.deepEqual(ended, ["b"]);
  places[1]?.left();
  assert.deepEqual(admission.counts, { open: 4, waiting: { newcomer: 2, resuming: 1, operator: 0 } });
});

test("nobody is ended while there is room, and nothing is counted then", () => {
  const { passes, admission } = rig();
  for (let i = 0; i < 2; i++) admission.enter("newcomer", never);
  assert.equal(passes.wanted, false);
  assert.equal(admission.makeRoom("newcomer"), undefined);
});

test("who came last may still speak when those before it have had all their chances", () => {
  const { passes, admission } = rig();
  const ended: number[] = [];
  for (let i = 0; i < 3; i++) admission.enter("newcomer", () => ended.push(i));
  passes.all();
  assert.equal(admission.makeRoom("newcomer"), undefined);
  admission.enter("newcomer", never);
  passes.some(3);
  for (let i = 0; i < 2; i++) {
    assert.equal(admission.makeRoom("newcomer"), undefined);
    admission.enter("newcomer", never);
  }
  assert.deepEqual(ended, [0, 1, 2]);
  assert.equal(admission.makeRoom("newcomer")?.code, "CONNECTIONS_FULL");
});

// rule 11: a pause expires nobody
test("however long the broker stood still, nobody is ended who could not be read meanwhile", () => {
  const { passes, admission } = rig({ connectionsMax: 600, resumingMax: 500 });
  for (let i = 0; i < 500; i++) admission.enter("resuming", never);
  // A loop that goes on after a pause looks for input once, whatever the clock says.
  passes.some(1);
  for (let i = 0; i < 500; i++) assert.equal(admission.makeRoom("resuming")?.code, "CONNECTIONS_FULL");
});

test("where all connections are taken the silent go, of whatever purpose, and those who said hello stay", () => {
  const { passes, admission } = rig();
  const ended: string[] = [];
  for (let i = 0; i < 3; i++) admission.enter("newcomer", never).admitted();
  admission.enter("resuming", () => ended.push("resuming"));
  passes.all();
  assert.equal(admission.makeRoom("newcomer"), undefined);
  assert.deepEqual(ended, ["resuming"]);
  admission.enter("newcomer", never).admitted();
  assert.equal(admission.makeRoom("newcomer")?.code, "CONNECTIONS_FULL");
});

test("a full allowance ends nobody of another", () => {
  const { passes, admission } = rig({ connectionsMax: 20 });
  admission.enter("resuming", never);
  for (let i = 0; i < 2; i++) admission.enter("newcomer", never);
  passes.all();
  admission.enter("newcomer", never);
  assert.equal(admission.counts.waiting.newcomer, 3);
  assert.equal(admission.makeRoom("newcomer")?.code, "CONNECTIONS_FULL");
});
