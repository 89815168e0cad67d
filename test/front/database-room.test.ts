import assert from "node:assert/strict";
import { test } from "node:test";
import { DatabaseRoom } from "../../src/front/database-room.js";
import { type Refusal, refuse, seq } from "../../src/terms/index.js";

function rig() {
  const room = new DatabaseRoom();
  const settled = (storedSeq: number, refusal?: Refusal): boolean => {
    const answer =
      refusal === undefined ? ({ kind: "done", body: null } as const) : ({ kind: "refused", refusal } as const);
    room.hear({ kind: "writer-settled", answers: [{ seq: seq(9), answer }], storedSeq: seq(storedSeq), walBytes: 0 });
    return room.full;
  };
  return settled;
}

const full = refuse("DISK_FULL", "database or disk is full");

test("the disk is full from a write that found no room until one is on disk", () => {
  const settled = rig();
  assert.equal(settled(1), false);
  assert.equal(settled(1, full), true);
  // What changed nothing was answered, and what was refused for another reason.
  assert.equal(settled(1), true);
  assert.equal(settled(1, refuse("SQLITE_CONSTRAINT", "")), true);
  assert.equal(settled(2), false);
});

test("a limit of the broker's own says nothing of the disk", () => {
  assert.equal(rig()(1, refuse("DISK_FULL", "", { limit: "ownKeysBytesMax" })), false);
});
