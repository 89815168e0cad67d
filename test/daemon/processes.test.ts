import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { type ProcessFacts, processTable, readProcess } from "../../src/daemon/processes.js";
import { tempDir } from "../support/temp-dir.js";

/** Lives until its standard input ends. */
async function spawned(t: TestContext, command: string, args: string[] = []): Promise<ChildProcess & { pid: number }> {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  await once(child, "spawn");
  return child as ChildProcess & { pid: number };
}

function facts(pid: number): ProcessFacts {
  const found = readProcess(pid);
  assert.ok(typeof found !== "string", `process ${pid} is ${String(found)}`);
  return found;
}

test("a living process is alive under its own start time, and dead under another", async (t) => {
  const { pid } = await spawned(t, "cat");
  const { startTime, ppid } = facts(pid);
  assert.equal(ppid, process.pid);
  assert.equal(processTable.startTimeOf(pid), startTime);
  assert.equal(processTable.fateOf({ pid, startTime }), "alive");
  assert.equal(processTable.fateOf({ pid, startTime: `${startTime}0` }), "dead");
  assert.ok((processTable.residentBytesOf(process.pid) ?? 0) > 1024 * 1024);
});

test("a stopped process is alive", async (t) => {
  const child = await spawned(t, "cat");
  const { startTime } = facts(child.pid);
  child.kill("SIGSTOP");
  while (facts(child.pid).state !== "T") await setImmediate();
  assert.equal(processTable.fateOf({ pid: child.pid, startTime }), "alive");
});

test("a process that has ended is dead, and so is a number that no process has", async (t) => {
  const child = await spawned(t, "cat");
  const { startTime } = facts(child.pid);
  child.kill("SIGKILL");
  await once(child, "exit");
  assert.equal(processTable.fateOf({ pid: child.pid, startTime }), "dead");
  assert.equal(processTable.startTimeOf(child.pid), undefined);
  assert.equal(readProcess(2 ** 22 + 1), "gone");
});

test("a process whose parent does not collect it is dead from the moment it ends", async (t) => {
  const parent = await spawned(t, "sh", ["-c", "sleep 1000 & echo $!; exec cat"]);
  const [said] = await once(parent.stdout as NodeJS.ReadableStream, "data");
  const pid = Number(String(said));
  const { startTime } = facts(pid);
  assert.equal(processTable.fateOf({ pid, startTime }), "alive");
  // A shell may still collect it; what it becomes does not.
  while (facts(parent.pid).program !== "cat") await setImmediate();
  process.kill(pid, "SIGKILL");
  while (facts(pid).state !== "Z") await setImmediate();
  assert.equal(processTable.fateOf({ pid, startTime }), "dead");
  assert.equal(processTable.startTimeOf(pid), undefined);
});

test("a program whose name looks like the rest of the line is read rightly", async (t) => {
  const path = join(tempDir(t), "x) R 1 (y");
  writeFileSync(path, "#!/bin/sh\nread -r line\n");
  chmodSync(path, 0o700);
  const { pid } = await spawned(t, path);
  while (facts(pid).program !== "x) R 1 (y") await setImmediate();
  assert.equal(facts(pid).ppid, process.pid);
  assert.match(facts(pid).startTime, /^\d+$/);
});

test("the pid namespace is one and the same for processes beside each other", () => {
  assert.match(processTable.pidNamespace ?? "", /^pid:\[\d+\]$/);
});
