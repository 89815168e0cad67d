/** What waits to be written: who goes into a transaction of its own, and what is remembered for it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { encodeRequest } from "../../../src/protocol/index.js";
import { Planner } from "../../../src/store/statement/plan.js";
import { WriteQueue } from "../../../src/store/writer/write-queue.js";
import { limitsWith, refuse, seq } from "../../../src/terms/index.js";
import { alice } from "../writer-bench.js";

const limits = limitsWith();

function queueOf() {
  const queue = new WriteQueue(new Planner(limits), limits);
  let next = 1;
  const add = (sql: string) => {
    const at = next++;
    const raw = encodeRequest(at, "db.execute", { sql }, "json");
    const from = { session: alice, key: undefined, ackedBelow: 0, alone: false, mode: "run" } as const;
    queue.add({ kind: "write", seq: seq(at), method: "db.execute", encoding: "json", raw, ...from });
  };
  const sizes = () => {
    const found: number[] = [];
    for (let group = queue.takeGroup(false); group.length > 0; group = queue.takeGroup(false)) found.push(group.length);
    return found;
  };
  return { queue, add, sizes };
}

test("a text that is alone is known again, however long it is, and no other is taken for it", () => {
  const { queue, add, sizes } = queueOf();
  const long = `insert into t /* ${"x".repeat(100_000)} */ values (1)`;
  for (const text of ["insert into t values (1)", long]) {
    add(text);
    for (const job of queue.takeGroup(false)) queue.isolate(job, refuse("SQLITE_CONSTRAINT", "x"));
  }
  for (const text of [long, long.replace("(1)", "(2)"), "insert into t values (2)", "insert into t values (1)"])
    add(text);
  assert.deepEqual(sizes(), [1, 2, 1]);
});

test("what is remembered of long texts does not grow with their length", () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const { queue, add } = queueOf();
  const heap = () => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  const before = heap();
  for (let n = 0; n < 200; n++) {
    add(`insert into t /* ${n} ${"x".repeat(500_000)} */ values (1)`);
    for (const job of queue.takeGroup(false)) queue.isolate(job, refuse("SQLITE_CONSTRAINT", "x"));
  }
  const grown = heap() - before;
  assert.ok(grown < 10_000_000, `${grown} bytes are kept of 200 texts`);
});
