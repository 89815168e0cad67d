import assert from "node:assert/strict";
import { test } from "node:test";
import { Gatherer } from "../../../src/cli/shell/gatherer.js";

function gather(...lines: string[]) {
  const gatherer = new Gatherer();
  const gathered = lines.map((line) => gatherer.add(line)).filter((one) => one !== undefined);
  return { gathered, gatherer };
}

test("lines are statements together, from the line on which they began", () => {
  const { gathered, gatherer } = gather("", "-- a word", "select", "  1;", "select 2;");
  assert.deepEqual(gathered, [
    { kind: "sql", text: "select\n  1;", at: 3 },
    { kind: "sql", text: "select 2;", at: 5 },
  ]);
  assert.equal(gatherer.begun, false);
});

test("a dot begins a command where a statement may begin, and nowhere else", () => {
  const { gathered } = gather(".tables", "select 1", ".5;", "  .quit");
  assert.deepEqual(gathered, [
    { kind: "dot", line: ".tables", at: 1 },
    { kind: "sql", text: "select 1\n.5;", at: 2 },
    { kind: "dot", line: ".quit", at: 4 },
  ]);
});

test("what is dropped is gone, and what is left at the end is a statement", () => {
  const { gatherer } = gather("select 1,");
  gatherer.drop();
  assert.equal(gatherer.rest(), undefined);
  gatherer.add("select 2");
  assert.deepEqual(gatherer.rest(), { kind: "sql", text: "select 2", at: 2 });
});
