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
