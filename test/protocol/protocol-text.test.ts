/** proto/PROTOCOL.md says what the source says: its generated parts are compared, and its examples are golden frames. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { depthMax, nodesMax, subprotocols } from "../../src/protocol/index.js";
import { refusals } from "../../src/terms/index.js";
import { assertGolden, root } from "./golden.js";
import { blocks } from "./protocol-blocks.js";

const path = "proto/PROTOCOL.md";
const block = /<!-- begin: ([a-z. ]+) -->\n[\s\S]*?<!-- end -->/g;

function text(): string {
  return readFileSync(join(root, path), "utf8");
}

test("the parts of PROTOCOL.md that follow from the source are up to date", () => {
  const known = blocks();
  const renewed = text().replaceAll(block, (whole, name: string) => {
    const content = known.get(name);
    return content === undefined ? whole : `<!-- begin: ${name} -->\n\n${content}\n\n<!-- end -->`;
  });
  assertGolden(path, renewed);
});

test("PROTOCOL.md has every part once, in this order, and no other", () => {
  const named = [...text().matchAll(block)].map((match) => match[1] as string);
  assert.deepEqual([...named].sort(), [...blocks().keys()].sort());
  const methods = named.filter((name) => name.includes("."));
  assert.deepEqual(
    methods,
    [...blocks().keys()].filter((name) => name.includes(".")),
  );
});

test("every method and notification has a heading", () => {
  const headings = new Set(
    text()
      .split("\n")
      .filter((line) => line.startsWith("#")),
  );
  for (const name of blocks().keys()) if (name.includes(".")) assert.ok(headings.has(`### ${name}`), name);
});

test("every code that the text speaks of is in the table", () => {
  const words = [...text().matchAll(/`([A-Z][A-Z0-9]*_[A-Z0-9_]+)`/g)].map((match) => match[1] as string);
  const variables = /^(?:HOLDFAST|XDG)_/;
  for (const word of new Set(words)) if (!variables.test(word)) assert.ok(Object.hasOwn(refusals, word), word);
});

test("the bounds and subprotocols are those of the source", () => {
  const said = text();
  for (const word of [...Object.values(subprotocols), `${depthMax} deep`, nodesMax.toLocaleString("en-US")])
    assert.ok(said.includes(word), word);
});
