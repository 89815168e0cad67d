/**
 * Every planted bug still fits its source, and the tests notice a few of them; `npm run mutants` has them all looked for,
 * which takes longer.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { findings, plain } from "./findings.js";
import { hunt } from "./hunt.js";
import { mutants } from "./list.js";
import { mutated } from "./mutant.js";
import { ruleOf, sourcesWithout } from "./removal.js";
import { removals, rules } from "./rules/index.js";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");

test("each planted bug still fits the source that it is planted in", () => {
  for (const mutant of mutants) assert.notEqual(mutated(mutant, root), "");
  assert.throws(
    () => mutated({ name: "x", rule: "x", file: "src/core/core.ts", patch: [["no such text", ""]] }, root),
    /does not fit src\/core\/core\.ts any more/,
  );
});

test("each rule still stands in the sources that it is taken out of, and was looked for with tests that are there", () => {
  const nameds = removals.map(({ id }) => id);
  assert.deepEqual(
    nameds.filter((id, place) => nameds.indexOf(id) !== place),
    [],
  );
  for (const removal of removals) {
    assert.ok(rules.has(ruleOf(removal)), `rule ${removal.id} is told in test/mutants/rules/index.ts`);
    for (const [file, text] of sourcesWithout(removal, root))
      assert.notEqual(text, readFileSync(join(root, file), "utf8"), removal.id);
    const texts = removal.tests.map((test) => readFileSync(join(root, "test", `${test}.test.ts`), "utf8"));
    assert.ok(
      texts.some((text) => removal.first.test(text)),
      `${removal.id}: no test is named like ${removal.first}`,
    );
  }
});

test("test/RULES-REMOVED.md tells of the rules as they are taken out", () => {
  const found = findings(root);
  const told = new Map(removals.map(({ id, without }) => [id, without]));
  for (const [id, row] of found)
    assert.ok(row.startsWith(`| ${id} | ${plain(told.get(id) ?? "")} |`), `${id} is another one by now: look again`);
});

test("the tests notice a bug that is planted, and nothing where none is", async () => {
  const quick = { seeds: 0, jobs: 1, only: ["unit"] } as const;
  assert.deepEqual(await hunt(undefined, root, { ...quick, only: ["stories"] }), []);
  const sample = mutants.filter(({ sampled }) => sampled === true);
  assert.ok(sample.length > 0);
  for (const mutant of sample) assert.equal((await hunt(mutant, root, quick)).length, 1, mutant.name);
});
