import assert from "node:assert/strict";
import { test } from "node:test";
import type { ChangedTable } from "../../../src/core/index.js";
import { ToldChanges } from "../../../src/store/writer/told-changes.js";
import { seq } from "../../../src/terms/index.js";

const one = (table: string, more: Partial<ChangedTable> = {}): ChangedTable => ({
  ...{ table, inserts: 1, updates: 0, deletes: 0 },
  ...more,
});

test("commits are told once, in order, and those that changed nothing not at all", () => {
  const told = new ToldChanges(seq(4));
  told.add(seq(5), [one("a")], false);
  told.add(seq(6), [], false);
  told.add(seq(7), [], true);
  assert.deepEqual(told.take(), [
    { seq: 5, outside: false, tables: [one("a")] },
    { seq: 7, outside: true, tables: [] },
  ]);
  assert.deepEqual(told.take(), []);
  assert.equal(told.last, 7);
});

test("the number of the last commit does not go back", () => {
  const told = new ToldChanges(seq(4));
  told.add(seq(0), [], false);
  assert.equal(told.last, 4);
});

test("what another process has done, and a commit without a number has found, is told under the last number", () => {
  const told = new ToldChanges(seq(4));
  told.add(seq(0), [one("a")], true);
  assert.deepEqual(told.take(), [{ seq: 4, outside: true, tables: [one("a")] }]);
  told.add(seq(6), [one("a")], false);
  told.add(seq(0), [], true);
  assert.deepEqual(told.take(), [{ seq: 6, outside: true, tables: [one("a")] }]);
});

test("commits under one number are told as one", () => {
  const told = new ToldChanges(seq(4));
  told.add(seq(5), [one("a", { keys: [{ change: "insert", key: [1] }] })], false);
  told.add(seq(5), [one("b"), one("a", { keys: [{ change: "insert", key: [2] }], keysCut: true })], true);
  assert.deepEqual(told.take(), [
    {
      ...{ seq: 5, outside: true },
      tables: [
        one("a", {
          ...{ inserts: 2, keysCut: true },
          keys: [
            { change: "insert", key: [1] },
            { change: "insert", key: [2] },
          ],
        }),
        one("b"),
      ],
    },
  ]);
});

test("of commits that are told as one no more keys are named than of one", () => {
  const keyed = (key: unknown) => one("a", { keys: [{ change: "insert", key: [key] }] });
  const told = new ToldChanges(seq(4), 3);
  for (let n = 1; n <= 5; n++) told.add(seq(5), [keyed(n)], false);
  const few = told.take()[0]?.tables[0];
  assert.deepEqual([few?.inserts, few?.keys?.map(({ key }) => key), few?.keysCut], [5, [[1], [2], [3]], true]);
  const long = new ToldChanges(seq(4), 1000);
  for (let n = 1; n <= 100; n++) long.add(seq(5), [keyed("x".repeat(1000))], false);
  const cut = long.take()[0]?.tables[0];
  assert.equal(cut?.keysCut, true);
  assert.ok(JSON.stringify(cut?.keys).length <= 64 * 1024);
  for (let n = 1; n <= 3; n++) long.add(seq(6), [keyed("x".repeat(30_000))], false);
  assert.equal(long.take()[0]?.tables[0]?.keys?.length, 2);
});

for (const [first, second, whole] of [
  ["created", "dropped", undefined],
  ["created", "changed", "created"],
  ["dropped", "created", "changed"],
  ["changed", "dropped", "dropped"],
  [undefined, "dropped", "dropped"],
] as const)
  test(`${first ?? "as it was"}, then ${second}: ${whole ?? "as it was"}`, () => {
    const told = new ToldChanges(seq(4));
    told.add(seq(5), [one("a", first === undefined ? {} : { schema: first })], false);
    told.add(seq(5), [one("a", { schema: second })], false);
    assert.equal(told.take()[0]?.tables[0]?.schema, whole);
  });
