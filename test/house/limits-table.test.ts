/** The limits in README.md are those of src/terms/limits.ts. `HOLDFAST_TEST_REWRITE=1` writes them anew. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { limitNames, limitTable } from "../../src/terms/index.js";
import { read, root } from "./tree.js";

const [begin, end] = ["<!-- limits -->", "<!-- /limits -->"];

function table(): string {
  const rows = limitNames.map((name) => {
    const { standard, least, most, code, why } = limitTable[name];
    const figures = [standard, least, most].map((value) => value.toLocaleString("en-US"));
    return `| \`${name}\` | ${figures.join(" | ")} | ${code ?? ""} | ${why} |`;
  });
  return ["| limit | standard | least | most | refusal | why |", "|---|--:|--:|--:|---|---|", ...rows].join("\n");
}

test("the README's table of limits is the table of the code", () => {
  const text = read("README.md");
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  assert.ok(from >= 0 && to > from, `README.md has no ${begin} … ${end}`);
  const wanted = `\n${table()}\n`;
  if (process.env["HOLDFAST_TEST_REWRITE"] === "1")
    writeFileSync(join(root, "README.md"), text.slice(0, from + begin.length) + wanted + text.slice(to));
  else assert.equal(text.slice(from + begin.length, to), wanted);
});
