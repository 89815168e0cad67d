/** A broker that cannot be started is told as such, whatever the reason; how one is started stands in connect.test.ts. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { StartOutcome } from "../../src/client/spawn.js";
import { tempDir } from "../support/temp-dir.js";

const program = fileURLToPath(new URL("./support/crowded-program.js", import.meta.url));

test("a program that is out of files is told so, and goes on", (t) => {
  const script = 'ulimit -n 64; exec "$0" "$@"';
  const args = ["-c", script, process.execPath, program, join(tempDir(t), "h")];
  const { status, stdout, stderr } = spawnSync("/bin/sh", args, { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  const outcome = JSON.parse(stdout) as StartOutcome;
  assert.ok(outcome.kind === "failed" && outcome.refusal.refused === "START_FAILED", stdout);
  assert.match(outcome.refusal.message, /EMFILE/);
});
