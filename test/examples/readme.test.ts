/**
 * What README shows as a program runs as it stands there: each block in its order, in one directory, against the package
 * as it is installed, under the Node that runs the tests, which may be the oldest that is supported.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { tempDir } from "../support/temp-dir.js";

const root = resolve(fileURLToPath(new URL(".", import.meta.url)), "../../..");

function stop(place: string): void {
  spawnSync(process.execPath, [join(root, "dist", "cli.js"), "stop", "--dir", ".holdfast"], { cwd: place });
}

test("every program in README runs to its end", (t) => {
  // Hooks run in the order in which they are given: the broker ends before its directory goes.
  t.after(() => stop(place));
  const place = tempDir(t);
  mkdirSync(join(place, "node_modules"));
  symlinkSync(root, join(place, "node_modules", "holdfast"));
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("HOLDFAST_")));
  const readme = readFileSync(join(root, "README.md"), "utf8");
  const blocks = [...readme.matchAll(/^```js\n(.*?)^```$/gms)].map(([, code = ""]) => code);
  assert.ok(blocks.length >= 2, "README shows programs");
  for (const [at, code] of blocks.entries()) {
    const file = join(place, `block-${at + 1}.mjs`);
    writeFileSync(file, code);
    const { status, stderr } = spawnSync(process.execPath, [file], {
      cwd: place,
      env,
      encoding: "utf8",
      timeout: 60_000,
    });
    assert.equal(status, 0, `block ${at + 1}:\n${code}\n${stderr}`);
  }
});
