/** At most one writer (rule 2), and who is in the way. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { FileLock } from "../../../src/sqlite/index.js";
import { pidsIn, told } from "../../../src/store/writer/lock-holders.js";
import { takeWriterLock } from "../../../src/store/writer/writer-lock.js";
import { tempDir } from "../../support/temp-dir.js";

test("a lock that becomes free is taken, and until then it is told what is waited for", (t) => {
  const path = join(tempDir(t), "lock");
  const other = FileLock.take(path, 0);
  const reports: string[] = [];
  const lock = takeWriterLock(path, (text) => {
    reports.push(text);
    other?.release();
  });
  assert.notEqual(lock, undefined);
  lock?.release();
  assert.match(reports.join(), /waiting for the writer's lock .*lock/);
});

test("the kernel's list of locks names who holds one, not who waits for one or only reads", () => {
  const table = [
    "1: POSIX  ADVISORY  WRITE 4711 fe:01:131 1073741824 1073741824",
    "2: POSIX  ADVISORY  READ  4712 fe:01:131 1073741826 1073742335",
    "3: POSIX  ADVISORY  WRITE 4713 fe:01:999 0 EOF",
    "3: -> POSIX  ADVISORY  WRITE 4714 fe:01:131 0 EOF",
    "4: FLOCK  ADVISORY  WRITE 4711 00:1a:131 0 EOF",
    `5: POSIX  ADVISORY  WRITE ${process.pid} fe:01:131 120 120`,
    "",
  ].join("\n");
  assert.deepEqual(pidsIn(table, new Set(["131"])), [4711]);
});

test("holders are told by name and number", () => {
  assert.equal(told([]), "another process");
  assert.equal(
    told([
      { pid: 1, program: "sqlite3" },
      { pid: 2, program: "vi" },
    ]),
    "sqlite3 (pid 1), vi (pid 2)",
  );
});
