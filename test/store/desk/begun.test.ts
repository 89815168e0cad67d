/** Children that are there before the store is. */
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { type BegunChild, beginChildren } from "../../../src/store/index.js";
import { limitsWith } from "../../../src/terms/index.js";
import { until } from "../../support/patience.js";
import { isGone, known } from "../../support/processes.js";
import { entries, rig } from "../store-rig.js";

const { childBytesMax } = limitsWith();

function begin(
  t: TestContext,
  bytesMax = childBytesMax,
): { begun: BegunChild[]; writer: ChildProcess; reader: ChildProcess } {
  const begun = beginChildren(entries, bytesMax);
  const [writer, reader] = begun.map(({ process: child }) => child);
  assert.ok(writer !== undefined && reader !== undefined);
  t.after(() => [writer, reader].every((child) => child.kill("SIGKILL")));
  return { begun, writer, reader };
}

test("children that were begun are the first writer and the first reader; the others are started", async (t) => {
  const { begun, writer, reader } = begin(t);
  const r = rig(t, { begun });
  await r.startWriter();
  await r.startReader(1);
  await r.startReader(2);
  assert.equal(r.pidOf("writer"), writer.pid);
  assert.equal(r.pidOf("reader"), reader.pid);
  await r.execute("create table t (a)");
  assert.deepEqual(await r.rows("select count(*) from t"), [[0]]);
  await r.killWriter();
  await r.startWriter();
  assert.notEqual(r.pidOf("writer"), writer.pid);
});

test("of one that has died before it was wanted nobody hears, and another is started", async (t) => {
  const { begun, writer } = begin(t);
  writer.kill("SIGKILL");
  await once(writer, "exit");
  const r = rig(t, { begun });
  await r.startWriter();
  assert.notEqual(r.pidOf("writer"), writer.pid);
});

test("a store that is closed ends those that it has not wanted", async (t) => {
  const { begun, writer, reader } = begin(t);
  const there = [writer, reader].map(({ pid = 0 }) => known(pid));
  await rig(t, { begun }).store.close();
  await until("both to be gone", () => there.every(isGone));
});

test("one that may have another amount of memory than it should is ended, and another is started", async (t) => {
  const { begun, writer } = begin(t, childBytesMax / 2);
  const there = known(writer.pid ?? 0);
  const r = rig(t, { begun });
  await r.startWriter();
  assert.notEqual(r.pidOf("writer"), writer.pid);
  await until("it to be gone", () => isGone(there));
});
