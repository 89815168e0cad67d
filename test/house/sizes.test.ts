/** The size of files: 200 lines are normal, 400 a question, and the two that join things stay a switch and calls. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { read, sourcesIn } from "./tree.js";

const joiners = ["src/core/core.ts", "src/front/front.ts"];
const joinerLinesMax = 300;
const fileLinesMax = 450;

function linesOf(file: string): number {
  return read(file).trimEnd().split("\n").length;
}

test("the files that join things have at most 300 lines", () => {
  const sources = sourcesIn("src");
  for (const file of joiners) {
    assert.ok(sources.includes(file), `${file} is the joiner of its room`);
    assert.ok(linesOf(file) <= joinerLinesMax, `${file} has ${linesOf(file)} lines: something in it decides or does`);
  }
});

test("no source file has more than 450 lines", () => {
  const long = sourcesIn("src").filter((file) => linesOf(file) > fileLinesMax);
  assert.deepEqual(
    long.map((file) => `${file}: ${linesOf(file)} lines; look for the second idea in it`),
    [],
  );
});
