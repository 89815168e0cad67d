/** The lock under which one of many programs starts the broker: a file, without native code, that survives its owner's death. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { SpawnLock } from "../../src/client/spawn-lock.js";
import { refuse } from "../../src/terms/index.js";
import { tempDir } from "../support/temp-dir.js";

/** The pid of a process that has ended. */
function deadPid(): number {
  return spawnSync(process.execPath, ["-e", ""]).pid;
}

const reused = [
  "a process whose number another has now",
  () => JSON.stringify({ pid: process.pid, startTime: "1", mark: "x" }),
] as const;

describe("the spawn lock", () => {
  it("is had by one at a time", (test) => {
    const path = join(tempDir(test), "lock");
    const [first, second] = [new SpawnLock(path), new SpawnLock(path)];
    assert.equal(first.tryTake(), true);
    assert.equal(second.tryTake(), false);
    first.free();
    assert.equal(second.tryTake(), true);
  });

  it("is not freed by one that does not have it", (test) => {
    const path = join(tempDir(test), "lock");
    const [first, second] = [new SpawnLock(path), new SpawnLock(path)];
    first.tryTake();
    second.free();
    assert.equal(new SpawnLock(path).tryTake(), false);
  });

  it("leaves nothing beside itself", (test) => {
    const dir = tempDir(test);
    const lock = new SpawnLock(join(dir, "lock"));
    lock.tryTake();
    assert.deepEqual(readdirSync(dir), ["lock"]);
    lock.free();
    assert.deepEqual(readdirSync(dir), []);
  });

  const abandoned: readonly (readonly [string, () => string])[] = [
    ["a process that is gone", () => JSON.stringify({ pid: deadPid(), startTime: "1", mark: "x" })],
    // Start times are read where there is /proc.
    ...(process.platform === "linux" ? [reused] : []),
    ["nobody who can be read", () => "{"],
    ["an empty file", () => ""],
  ];
  for (const [owner, content] of abandoned)
    it(`is taken over from ${owner}`, (test) => {
      const dir = tempDir(test);
      writeFileSync(join(dir, "lock"), content());
      assert.equal(new SpawnLock(join(dir, "lock")).tryTake(), true);
      assert.equal(JSON.parse(readFileSync(join(dir, "lock"), "utf8")).pid, process.pid);
      assert.deepEqual(readdirSync(dir), ["lock"]);
    });

  it("is taken over from an owner that lives but does nothing, while those who wait have time left for a start", (test) => {
    const path = join(tempDir(test), "lock");
    new SpawnLock(path).tryTake();
    const since = (seconds: number) => utimesSync(path, Date.now() / 1000 - seconds, Date.now() / 1000 - seconds);
    since(10);
    assert.equal(new SpawnLock(path).tryTake(), false);
    since(25);
    assert.equal(new SpawnLock(path).tryTake(), true);
  });

  it("tells those who waited why the start failed, and those who come later nothing", (test) => {
    const path = join(tempDir(test), "lock");
    const [owner, waiting] = [new SpawnLock(path), new SpawnLock(path)];
    owner.tryTake();
    assert.equal(waiting.failureOfOther(), undefined);
    const refusal = refuse("START_FAILED", "no room");
    owner.noteFailure(refusal);
    assert.deepEqual(waiting.failureOfOther(), refusal);
    assert.equal(new SpawnLock(path).failureOfOther(), undefined);
  });
});
