/** test/RELIABILITY.md: each case of a fault or of bad input has its tests, and each test that it names is there. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { TestNames } from "./test-names.js";
import { root } from "./tree.js";

/** How many cases each group has. */
const groups = { P: 15, S: 17, D: 13, K: 6, R: 9 };

interface Case {
  readonly id: string;
  readonly tests: string[];
  untested: boolean;
}

function casesOf(text: string): Case[] {
  const cases: Case[] = [];
  for (const line of text.split("\n")) {
    const [, id] = /^## ([A-Z]\d+)\. /.exec(line) ?? [];
    if (id !== undefined) cases.push({ id, tests: [], untested: false });
    const last = cases.at(-1);
    if (line.startsWith("- ")) last?.tests.push(line.slice(2));
    if (line.startsWith("No test") && last !== undefined) last.untested = true;
  }
  return cases;
}

test("each fault and each kind of bad input has its tests, or the reason why it has none, and each test that is named is there", () => {
  const cases = casesOf(readFileSync(join(root, "test/RELIABILITY.md"), "utf8"));
  const wanted = Object.entries(groups).flatMap(([group, count]) =>
    Array.from({ length: count }, (_, n) => `${group}${n + 1}`),
  );
  assert.deepEqual(
    cases.map(({ id }) => id),
    wanted,
  );
  const there = new TestNames();
  for (const { id, tests, untested } of cases) {
    assert.ok(tests.length > 0 || untested, `${id} has no test, and no reason for it`);
    for (const name of tests) assert.ok(there.has(name), `${id} names a test that is not there: ${name}`);
  }
});
