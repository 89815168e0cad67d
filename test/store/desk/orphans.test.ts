/** What a front that was killed has left behind is ended, and nothing else is. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { writeChildren } from "../../../src/store/desk/orphans.js";
import { currentBootId, killOrphans } from "../../../src/store/index.js";
import { isGone, known, stop } from "../../support/processes.js";
import { type TestLife, tempDir } from "../../support/temp-dir.js";

function idler(t: TestLife): ChildProcess & { pid: number } {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1 << 30)"], { stdio: "ignore" });
  t.after(() => {
    child.kill("SIGKILL");
  });
  return child as ChildProcess & { pid: number };
}

const bootId = currentBootId() ?? "";

test("what is written down is ended, also when it stands still", async (t) => {
  const children = join(tempDir(t), "children.json");
  const [one, two] = [known(idler(t).pid), known(idler(t).pid)];
  await stop(two);
  writeChildren(
    children,
    [one, two].map((child) => ({ ...child, role: "writer", bootId })),
  );
  assert.deepEqual(await killOrphans({ children }), []);
  assert.ok(isGone(one) && isGone(two));
});

test("a process that was given the number later is not touched", async (t) => {
  const children = join(tempDir(t), "children.json");
  const stranger = known(idler(t).pid);
  writeChildren(children, [
    { pid: stranger.pid, startTime: "1", role: "writer", bootId },
    { ...stranger, role: "reader", bootId: "another run of the machine" },
  ]);
  assert.deepEqual(await killOrphans({ children }), []);
  assert.ok(!isGone(stranger));
});

test("a list that is missing or spoilt names nobody", async (t) => {
  const children = join(tempDir(t), "children.json");
  assert.deepEqual(await killOrphans({ children }), []);
  for (const text of ["", "{", "{}", "[null, 1, {}]", '[{"pid":0,"startTime":"1"},{"pid":-1,"startTime":"1"}]']) {
    writeFileSync(children, text);
    assert.deepEqual(await killOrphans({ children }), []);
  }
});
