/** What can come of what is asked is accounted for, and a run that never saw some of it fails. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { doubtful, expected, missing, surplus } from "./combinations.js";
import { live } from "./swarm.js";
import { without } from "./throwers.js";

test("each outcome that a question could have is expected, known to be rare, or impossible for a reason that is given", () => {
  assert.deepEqual(doubtful(), []);
});

test("a combination that never happened is missed, and one that is in no table is noticed", () => {
  const all = Object.fromEntries(expected().map((what) => [what, 1]));
  assert.deepEqual(missing(all), []);
  for (const what of expected()) {
    const { [what]: _, ...rest } = all;
    assert.deepEqual(missing(rest), [what]);
  }
  assert.deepEqual(surplus({ ...all, "release own granted": 1 }), ["release own granted"]);
});

test("what happens in a life is counted, and is in the table", () => {
  const { counts } = without(() => live(3));
  assert.ok(Object.keys(counts).length > 5);
  assert.deepEqual(surplus(counts), []);
});
