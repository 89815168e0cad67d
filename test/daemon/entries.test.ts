import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { findEntries } from "../../src/daemon/entries.js";
import { tempDir } from "../support/temp-dir.js";

test("a chosen directory is taken when the bundles lie there, and refused when they do not", (t) => {
  const directory = tempDir(t);
  assert.throws(() => findEntries(directory), { code: "START_FAILED", message: /installation is incomplete/ });
  for (const name of ["writer.js", "reader.js"]) writeFileSync(join(directory, name), "");
  assert.deepEqual(findEntries(directory), {
    writer: join(directory, "writer.js"),
    reader: join(directory, "reader.js"),
  });
});

test("without a choice the children's programs are found from where this one lies", () => {
  const { writer, reader } = findEntries(undefined);
  assert.ok(existsSync(writer) && existsSync(reader), `${writer} ${reader}`);
});
