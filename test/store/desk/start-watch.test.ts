import assert from "node:assert/strict";
import { test } from "node:test";
import { StartWatch } from "../../../src/store/desk/start-watch.js";

const before = { since: 1000 };

/** After how many looks it is said to hang. */
function looksOf(watch: StartWatch, noted: { readonly since: number } | undefined): number {
  for (let look = 1; look <= 100; look++) if (watch.look(noted)) return look;
  return Number.POSITIVE_INFINITY;
}

test("a writer that notes nothing hangs when it has had longer than it tries for the lock", () => {
  for (const noted of [before, undefined]) assert.equal(looksOf(new StartWatch(noted, 0), noted), 12);
});

test("one that has noted something has the lock, and may take as long as it takes", () => {
  assert.equal(looksOf(new StartWatch(before, 0), { since: 1001 }), Number.POSITIVE_INFINITY);
  assert.equal(looksOf(new StartWatch(undefined, 0), before), Number.POSITIVE_INFINITY);
  // It has just made the file anew.
  assert.equal(looksOf(new StartWatch(before, 0), undefined), Number.POSITIVE_INFINITY);
});

test("the time in which it loads its code is not that in which it tries for the lock", () => {
  const watch = new StartWatch(before, 0);
  for (let look = 0; look < 11; look++) assert.equal(watch.look(before), false);
  watch.loaded();
  assert.equal(looksOf(watch, before), 12);
});

test("each that is started in the place of one that hung has longer", () => {
  assert.deepEqual(
    [0, 1, 2].map((deaths) => looksOf(new StartWatch(before, deaths), before)),
    [12, 24, 36],
  );
});
