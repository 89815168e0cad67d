/** The table of refusals and PROTOCOL.md name the same codes: one who writes a client can trust the text. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { refusals } from "../../src/terms/index.js";
import { read, root } from "./tree.js";

const text = "proto/PROTOCOL.md";

/** The codes that a heading, or the first cell of a table's row, names as `CODE`. */
function codesDescribed(): Set<string> {
  assert.ok(existsSync(join(root, text)), `${text} is missing`);
  const codes = new Set<string>();
  for (const line of read(text).split("\n")) {
    const place = /^#+ (.*)$/.exec(line)?.[1] ?? /^\|([^|]*)\|/.exec(line)?.[1] ?? "";
    for (const match of place.matchAll(/`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*)`/g)) {
      codes.add(match[1] ?? "");
    }
  }
  return codes;
}

test("every code of the table is described in PROTOCOL.md", () => {
  const described = codesDescribed();
  assert.deepEqual(
    Object.keys(refusals).filter((code) => !described.has(code)),
    [],
  );
});

test("every code described in PROTOCOL.md is in the table", () => {
  assert.deepEqual(
    [...codesDescribed()].filter((code) => !Object.hasOwn(refusals, code)),
    [],
  );
});
