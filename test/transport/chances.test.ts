import assert from "node:assert/strict";
import { test } from "node:test";
import { Chances } from "../../src/transport/chances.js";
import { Passes } from "./passes.js";

test("chances are given when they are asked for, to all who are there, and then no more", () => {
  const passes = new Passes();
  const chances = new Chances(passes.after);
  assert.equal(passes.wanted, false);
  const since = chances.given;
  chances.give();
  passes.some(10);
  assert.equal(chances.allPassed(since), false);
  passes.some(1);
  assert.equal(chances.allPassed(since), true);
  assert.equal(passes.wanted, false);
});

test("who comes while others are given theirs gets all of its own", () => {
  const passes = new Passes();
  const chances = new Chances(passes.after);
  const first = chances.given;
  chances.give();
  passes.some(7);
  const second = chances.given;
  chances.give();
  passes.some(4);
  assert.deepEqual([chances.allPassed(first), chances.allPassed(second)], [true, false]);
  passes.all();
  assert.equal(chances.allPassed(second), true);
});
