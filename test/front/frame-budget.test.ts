import assert from "node:assert/strict";
import { test } from "node:test";
import { FrameBudget } from "../../src/front/frame-budget.js";

const KiB = 1024;
const statement = 1000 * KiB;

test("two very large frames are never taken in one turn, whoever sent them, and small ones always are", () => {
  const budget = new FrameBudget<string>();
  assert.equal(budget.takes("a", statement), true);
  assert.equal(budget.takes("b", statement), false);
  assert.equal(budget.takes("c", statement), false);
  assert.equal(budget.takes("innocent", 100), true);
  assert.equal(budget.takes("innocent", 4 * KiB - 1), true);
});

test("those that wait come one after the other, in the order in which they came, however often one comes", () => {
  const budget = new FrameBudget<string>();
  const left = new Map([
    ["a", 3],
    ["b", 3],
    ["c", 3],
  ]);
  const taken: string[] = [];
  // As a link does: it hands on what it has, until it is put off or has no more.
  const goOn = (one: string) => {
    for (let frames = left.get(one) ?? 0; frames > 0; frames--) {
      if (!budget.takes(one, statement)) return;
      taken.push(one);
      left.set(one, frames - 1);
    }
  };
  for (const one of left.keys()) goOn(one);
  // Its second came before the first of the others.
  assert.deepEqual(taken, ["a"]);
  for (let turn = 2; turn <= 9; turn++) {
    budget.turned(goOn);
    assert.equal(taken.length, turn);
  }
  assert.deepEqual(taken.join(""), "aabcabcbc");
  budget.turned(goOn);
  assert.equal(taken.length, 9);
});

test("as many frames that are not so large go into one turn as it has room for", () => {
  const budget = new FrameBudget<number>();
  const takenAtOnce = () => {
    let taken = 0;
    while (budget.takes(1, 10 * KiB)) taken += 1;
    return taken;
  };
  assert.equal(takenAtOnce(), 26);
  budget.turned(() => undefined);
  assert.equal(takenAtOnce(), 26);
});

test("who is gone is not waited for, and who has nothing to say any more takes nobody's turn", () => {
  const budget = new FrameBudget<string>();
  for (const one of ["a", "gone", "mute", "b"]) budget.takes(one, statement);
  budget.gone("gone");
  const came: string[] = [];
  budget.turned((one) => {
    came.push(one);
    if (one === "b") budget.takes(one, statement);
  });
  assert.deepEqual(came, ["mute", "b"]);
});
