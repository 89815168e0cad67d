/**
 * Every planted bug still fits its source, and the tests notice a few of them; `npm run mutants` has them all looked for,
 * which takes longer.
 */
import assert from "node:assert/strict";
import { dirname, resolve } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { hunt } from "./hunt.js";
import { mutants } from "./list.js";
import { mutated } from "./mutant.js";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");

test("each planted bug still fits the source that it is planted in", () => {
  for (const mutant of mutants) assert.notEqual(mutated(mutant, root), "");
  assert.throws(
    () => mutated({ name: "x", rule: "x", file: "src/core/core.ts", patch: [["no such text", ""]] }, root),
    /does not fit src\/core\/core\.ts any more/,
  );
});

test("the tests notice a bug that is planted, and nothing where none is", async () => {
  const quick = { seeds: 0, jobs: 1, only: ["unit"] } as const;
  assert.deepEqual(await hunt(undefined, root, { ...quick, only: ["stories"] }), []);
  const sample = mutants.filter(({ sampled }) => sampled === true);
  assert.ok(sample.length > 0);
  for (const mutant of sample) assert.equal((await hunt(mutant, root, quick)).length, 1, mutant.name);
});
