/** test/RULES.md: each rule of the lock service has tests, and each test that it names is there. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { TestNames } from "./test-names.js";
import { root } from "./tree.js";

/** Rules of the broker's correctness that touch locks, sessions or the ledger. */
const touching = [1, 2, 5, 6, 8, 10, 11, 12, 13, 14, 18, 22, 24];

interface Rule {
  readonly id: string;
  readonly tests: string[];
}

function rulesOf(text: string): Rule[] {
  const rules: Rule[] = [];
  for (const line of text.split("\n")) {
    const [, id] = /^## ([LC]\d+)\. /.exec(line) ?? [];
    if (id !== undefined) rules.push({ id, tests: [] });
    else if (line.startsWith("- ")) rules.at(-1)?.tests.push(line.slice(2));
  }
  return rules;
}

test("each rule of the lock service has its tests, and each test that is named is there", () => {
  const rules = rulesOf(readFileSync(join(root, "test/RULES.md"), "utf8"));
  const wanted = [...Array.from({ length: 28 }, (_, i) => `L${i + 1}`), ...touching.map((n) => `C${n}`)];
  assert.deepEqual(
    rules.map(({ id }) => id),
    wanted,
  );
  const there = new TestNames();
  for (const { id, tests } of rules) {
    assert.ok(tests.length > 0, `${id} has no test`);
    for (const name of tests) assert.ok(there.has(name), `${id} names a test that is not there: ${name}`);
  }
});
