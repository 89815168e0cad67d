/** What the first writer of a front does with the log that it finds (rule 9). The writers run in this process. */
import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { test } from "node:test";
import { type TestLife, tempDir } from "../../support/temp-dir.js";
import { bench, type WriterBench } from "../writer-bench.js";

const long = "x".repeat(500_000);

function logOf({ orders }: WriterBench): number {
  return statSync(`${orders.database}-wal`).size;
}

/** A log of half a megabyte whose writer has ended without a fold, as one that was killed. */
function left(t: TestLife, dir: string): WriterBench {
  const w = bench(t, { dir });
  w.run("create table t (a)");
  w.run({ sql: "insert into t values (?)", args: [long] });
  w.writer.lock.release();
  return w;
}

test("the log that an earlier front has left is folded before anything is written behind it", (t) => {
  const dir = tempDir(t);
  left(t, dir);
  const next = bench(t, { dir });
  assert.ok(logOf(next) < 100_000, `the log still has ${logOf(next)} bytes`);
  assert.equal(next.value("select count(*) from t"), 1);
});

test("who reads from the log that an earlier front has left is not waited for, and there is a writer all the same", (t) => {
  const dir = tempDir(t);
  const { look } = left(t, dir);
  look.exec("begin");
  look.prepare("select count(*) from t").get();
  const began = performance.now();
  const next = bench(t, { dir });
  assert.ok(performance.now() - began < 1900, "it has waited");
  assert.ok(logOf(next) > 500_000, "nobody was in the way");
  assert.equal(next.run("insert into t values (1)").kind, "done");
  look.exec("commit");
});

test("the next writer of the same front, which knows that no disk has failed, is ready without a fold", (t) => {
  const dir = tempDir(t);
  left(t, dir);
  const next = bench(t, { dir, first: false });
  assert.ok(logOf(next) > 500_000);
});
