/** Batches that go on after a refusal, and statements that run only under a condition. The writer runs in this process. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { alice, bench, codes, type WriterBench } from "../writer-bench.js";

interface Step {
  readonly sql: string;
  readonly if?: object;
}

function withTable(t: Parameters<typeof bench>[0]): WriterBench {
  const made = bench(t);
  made.run("create table t (a unique)");
  made.run("insert into t values (1)");
  return made;
}

function batch(steps: readonly (Step | string)[], atomic?: boolean, key?: number) {
  const statements = steps.map((step) => (typeof step === "string" ? { sql: step } : step));
  return {
    method: "db.batch" as const,
    params: { statements, ...(atomic === undefined ? {} : { atomic }), ...(key === undefined ? {} : { key }) },
    ...(key === undefined ? {} : { key }),
  };
}

/** Of each statement the rows it changed, the code it was refused with, or null. */
function shape(result: unknown): unknown[] {
  const { results } = result as {
    results: ({ rowsAffected: number } | { error: { data: { code: string } } } | null)[];
  };
  return results.map((one) => {
    if (one === null) return null;
    return "error" in one ? one.error.data.code : one.rowsAffected;
  });
}

const taken = "insert into t values (1)";

test("one that is not atomic keeps what succeeded; each refusal stands where its result would", (t) => {
  const w = withTable(t);
  const [settled] = w.group([
    batch(
      ["insert into t values (2)", taken, "insert or fail into t values (3), (1), (4)", "insert into t values (5)"],
      false,
    ),
  ]);
  assert.deepEqual(shape(settled?.result), [1, "SQLITE_CONSTRAINT", "SQLITE_CONSTRAINT", 1]);
  assert.deepEqual(w.rows("select a from t order by a"), [[1], [2], [5]]);
});

test("one that is atomic, or does not say, is undone with its first refusal", (t) => {
  const w = withTable(t);
  for (const atomic of [true, undefined]) {
    const [settled] = w.group([batch(["insert into t values (2)", taken, "insert into t values (3)"], atomic)]);
    assert.deepEqual(codes(settled === undefined ? [] : [settled]), ["SQLITE_CONSTRAINT"]);
    assert.equal(settled?.refusal?.details?.["statement"], 1);
  }
  assert.deepEqual(w.rows("select a from t"), [[1]]);
});

test("a statement runs when its condition holds, and is passed over when it does not", (t) => {
  const w = withTable(t);
  const [settled] = w.group([
    batch(
      [
        taken,
        { sql: "insert into t values (2)", if: { error: 0 } },
        { sql: "insert into t values (3)", if: { ok: 0 } },
        { sql: "insert into t values (4)", if: { or: [{ ok: 2 }, { error: 2 }] } },
        { sql: "insert into t values (5)", if: { and: [{ ok: 1 }, { not: { ok: 2 } }] } },
      ],
      false,
    ),
  ]);
  assert.deepEqual(shape(settled?.result), ["SQLITE_CONSTRAINT", 1, null, null, 1]);
  assert.deepEqual(w.rows("select a from t order by a"), [[1], [2], [5]]);
});

// rule 3: what ends the whole transaction cannot be undone by itself
test("a statement that ends the transaction refuses the whole batch, and nobody else's request", (t) => {
  const w = withTable(t);
  const settled = w.group([
    { sql: "insert into t values (2)" },
    batch(["insert into t values (3)", "insert or rollback into t values (1)", "insert into t values (4)"], false),
    { sql: "insert into t values (5)" },
  ]);
  assert.deepEqual(codes(settled), ["done", "SQLITE_CONSTRAINT", "done"]);
  assert.equal(settled[1]?.refusal?.details?.["statement"], 1);
  assert.deepEqual(w.rows("select a from t order by a"), [[1], [2], [5]]);
});

test("one that is sent again under its key says the same, its refusals too", (t) => {
  const w = withTable(t);
  const again = batch(["insert into t values (2)", taken], false, 7);
  const [first] = w.group([again]);
  const [second] = w.group([again]);
  assert.deepEqual(second?.result, first?.result);
  assert.deepEqual(shape(second?.result), [1, "SQLITE_CONSTRAINT"]);
  assert.deepEqual(codes(w.group([batch(["insert into t values (2)", taken], true, 7)])), ["KEY_REUSED"]);
  assert.equal(w.rows(`select count(*) from _holdfast_replies where session = x'${alice}'`)[0]?.[0], 1);
});
