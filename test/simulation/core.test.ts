/**
 * Thousands of small lives of the core, each out of a seed. A failure names its seed: `HOLDFAST_TEST_SEED=n` runs that
 * one alone, `HOLDFAST_TEST_SEEDS=n` runs so many.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { liveOut } from "./core-swarm.js";

const steps = 150;
const { HOLDFAST_TEST_SEED: one, HOLDFAST_TEST_SEEDS: many = "1000" } = process.env;

function lived(seed: number): string {
  try {
    return liveOut(seed, steps);
  } catch (error) {
    throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

test("whatever happens in whatever order, the core keeps its promises and leaves nothing behind", () => {
  if (one !== undefined) lived(Number(one));
  else for (let seed = 1; seed <= Number(many); seed++) lived(seed);
});

test("the same seed decides the same, to the letter", () => {
  for (const seed of [1, 7, 42]) assert.equal(lived(seed), lived(seed));
  assert.notEqual(lived(1), lived(2));
});
