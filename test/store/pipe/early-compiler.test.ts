/** V8 changes its flags from version to version, and says so where the broker's processes tell why they died. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

test("this version of V8 knows what it is told", () => {
  const module = new URL("../../../src/store/pipe/early-compiler.js", import.meta.url);
  const code = `import { compileEarly } from ${JSON.stringify(module)}; compileEarly();`;
  const { stdout, stderr, status } = spawnSync(process.execPath, ["--input-type=module", "-e", code], {
    encoding: "utf8",
  });
  assert.deepEqual([stdout, stderr, status], ["", "", 0]);
});
