import assert from "node:assert/strict";
import { test } from "node:test";
import { ChangeRing } from "../../../src/core/watches/change-ring.js";
import { seqOf } from "../support/values.js";

function ring(commitsMax: number, bytesMax: number, numbers: readonly number[]): ChangeRing {
  const made = new ChangeRing(commitsMax, bytesMax);
  made.begin(seqOf(1));
  for (const at of numbers) {
    made.push({ seq: seqOf(at), tables: [], bytes: 10 });
    made.check();
  }
  return made;
}

const after = (made: ChangeRing, at: number) => made.after(at)?.map(({ seq }) => seq);

test("gives what came after a number, also after one that changed nothing", () => {
  const made = ring(10, 1000, [3, 5, 8]);
  assert.deepEqual(
    [1, 2, 3, 4, 8, 9].map((at) => after(made, at)),
    [[3, 5, 8], [3, 5, 8], [5, 8], [5, 8], [], []],
  );
  assert.equal(after(made, 0), undefined);
});

test("keeps so many commits, and so many bytes, and knows what it has let go", () => {
  for (const made of [ring(2, 1000, [3, 5, 8]), ring(10, 25, [3, 5, 8])]) {
    assert.deepEqual([after(made, 3), after(made, 2)], [[5, 8], undefined]);
    assert.equal(made.size, 2);
  }
});

test("a commit that is larger than all that may be kept is not kept, and nothing before it", () => {
  const made = ring(10, 5, [3]);
  assert.deepEqual([made.size, after(made, 2), after(made, 3)], [0, undefined, []]);
});

test("keeps nothing while nothing is known, and begins where it is told to", () => {
  const made = new ChangeRing(10, 1000);
  made.push({ seq: seqOf(3), tables: [], bytes: 10 });
  assert.deepEqual([made.size, after(made, 9)], [0, undefined]);
  made.beginOnce(seqOf(3));
  made.push({ seq: seqOf(4), tables: [], bytes: 10 });
  made.beginOnce(seqOf(4));
  assert.deepEqual(after(made, 3), [4]);
  made.forget();
  assert.deepEqual([made.size, after(made, 3)], [0, undefined]);
});

test("thousands pass through a small ring, in order", () => {
  const made = ring(
    3,
    1000,
    Array.from({ length: 5000 }, (_, at) => at + 2),
  );
  assert.deepEqual(after(made, 4998), [4999, 5000, 5001]);
});
