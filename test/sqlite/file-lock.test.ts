/** A lock that the kernel gives and takes. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { FileLock } from "../../src/sqlite/index.js";
import { endHolder, lockHolder } from "../support/lock-holder.js";
import { tempDir } from "../support/temp-dir.js";

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
  const child = await lockHolder(path);
  assert.equal(FileLock.take(path, 0), undefined);
  await endHolder(child);
  const lock = FileLock.take(path, 0);
  assert.notEqual(lock, undefined);
  lock?.release();
});
