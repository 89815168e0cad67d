import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { type Invocation, withinMemory } from "../../../src/store/desk/memory-bound.js";
import { reservedBytes } from "../../../src/store/pipe/memory.js";

const MiB = 1024 * 1024;
/** The limit (KiB) under which a program may have so many MiB. */
const limitOf = (mebibytes: number) => String((mebibytes * MiB + reservedBytes) / 1024);

function said({ file, args }: Invocation): string {
  const { status, stdout, stderr } = spawnSync(file, args, { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  return stdout.trim();
}

const tellsLimit = { file: "/bin/sh", args: ["-c", "ulimit -d"] };

test("a program runs under the limit, with its arguments as they are", () => {
  assert.equal(said(withinMemory(300 * MiB, tellsLimit)), limitOf(300));
  const odd = ["two words", "$HOME", "'", '"', "", "*"];
  const tellsArguments = { file: process.execPath, args: ["-p", "JSON.stringify(process.argv.slice(1))", ...odd] };
  assert.deepEqual(JSON.parse(said(withinMemory(1024 * MiB, tellsArguments))), odd);
});

test("a lower limit that is in force stays in force, and the program runs all the same", () => {
  assert.equal(said(withinMemory(100 * MiB, withinMemory(300 * MiB, tellsLimit))), limitOf(100));
});

test("no process stands between: the program has the number of the shell that it began as", () => {
  const { file, args } = withinMemory(1024 * MiB, { file: "/bin/sh", args: ["-c", "echo $$"] });
  const { pid, stdout } = spawnSync(file, args, { encoding: "utf8" });
  assert.equal(stdout.trim(), String(pid));
});
