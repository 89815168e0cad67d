/** A lock that the kernel gives and takes. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { FileLock } from "../../src/sqlite/index.js";
import { tempDir } from "../support/temp-dir.js";

/** Another process that takes the lock, says so, and keeps it. */
async function holder(path: string): Promise<ChildProcess> {
  const room = new URL("../../src/sqlite/index.js", import.meta.url).href;
  const code = `import { FileLock } from ${JSON.stringify(room)};
    globalThis.lock = FileLock.take(${JSON.stringify(path)}, 0);
    console.log(globalThis.lock === undefined ? "no" : "yes");
    setInterval(() => {}, 1 << 30);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: ["ignore", "pipe", "inherit"] });
  const [said] = (await once(child.stdout, "data")) as [Buffer];
  assert.equal(said.toString().trim(), "yes");
  return child;
}

test("a lock that is held is not given to another", (t) => {
  const path = join(tempDir(t), "lock");
  const first = FileLock.take(path, 0);
  assert.equal(FileLock.take(path, 0), undefined);
  first?.release();
  const second = FileLock.take(path, 0);
  assert.notEqual(second, undefined);
  second?.release();
});

test("a lock goes with its process, however that ends", async (t) => {
  const path = join(tempDir(t), "lock");
  const child = await holder(path);
  assert.equal(FileLock.take(path, 0), undefined);
  child.kill("SIGKILL");
  await once(child, "exit");
  const lock = FileLock.take(path, 0);
  assert.notEqual(lock, undefined);
  lock?.release();
});
