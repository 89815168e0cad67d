/** What a request is, before it runs. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { StoreMethod } from "../../../src/store/pipe/messages.js";
import { type BoundStatement, Planner, type RequestPlan, type StoreParams } from "../../../src/store/statement/plan.js";
import { isRefusal, limitsWith, type Refusal } from "../../../src/terms/index.js";

const planner = new Planner(limitsWith({ parametersMax: 3, valueBytesMax: 1024 }));

function plan(method: StoreMethod, params: object): RequestPlan | Refusal {
  return planner.plan(method, params as StoreParams);
}

function code(found: RequestPlan | Refusal): string {
  return isRefusal(found) ? found.refused : `${found.access}${found.alone ? " alone" : ""}`;
}

test("a request is judged by what it does", () => {
  const cases: readonly [StoreMethod, object, string][] = [
    ["db.execute", { sql: "select 1" }, "read"],
    ["db.execute", { sql: "insert into t values (1)" }, "write"],
    ["db.execute", { sql: "create table t (a)" }, "write alone"],
    ["db.query", { sql: "select 1" }, "read"],
    ["db.query", { sql: "with x as (select 1) delete from t" }, "READ_ONLY"],
    ["db.batch", { statements: [{ sql: "select 1" }, { sql: "select 2" }] }, "read"],
    ["db.batch", { statements: [{ sql: "select 1" }, { sql: "delete from t" }] }, "write"],
    ["db.batch", { statements: [{ sql: "pragma defer_foreign_keys = on" }] }, "write alone"],
    ["db.execute", { sql: "pragma defer_foreign_keys = on" }, "STATEMENT_REFUSED"],
    ["db.script", { sql: "select 1; select 2" }, "write alone"],
    ["db.script", { sql: "begin; select 2" }, "TRANSACTION_CONTROL"],
    ["db.batch", { statements: [{ sql: "commit" }] }, "TRANSACTION_CONTROL"],
    ["db.execute", { sql: "pragma foreign_keys = off" }, "STATEMENT_REFUSED"],
    ["tx.execute", { tx: 1, sql: "select 1" }, "read"],
    ["tx.execute", { tx: 1, sql: "delete from t" }, "write"],
    ["tx.execute", { tx: 1, sql: "pragma defer_foreign_keys = on" }, "write alone"],
    ["tx.execute", { tx: 1, sql: "savepoint s" }, "read"],
    ["tx.execute", { tx: 1, sql: "rollback to s" }, "read"],
    ["tx.execute", { tx: 1, sql: "rollback" }, "TRANSACTION_CONTROL"],
    ["tx.execute", { tx: 1, sql: "begin immediate" }, "TRANSACTION_CONTROL"],
    ["tx.batch", { tx: 1, statements: [{ sql: "select 1" }, { sql: "delete from t" }] }, "write"],
    ["tx.batch", { tx: 1, statements: [{ sql: "savepoint s" }] }, "TRANSACTION_CONTROL"],
    ["tx.commit", { tx: 1 }, "write alone"],
  ];
  for (const [method, params, expected] of cases) {
    assert.equal(code(plan(method, params)), expected, JSON.stringify(params));
    const judged = planner.judge(method, params as StoreParams);
    assert.equal(isRefusal(judged) ? judged.refused : `${judged.access}${judged.alone ? " alone" : ""}`, expected);
  }
});

test("a refusal names the statement of a batch and the place in its text", () => {
  const found = plan("db.batch", { statements: [{ sql: "select 1" }, { sql: "vacuum" }] });
  assert.ok(isRefusal(found));
  assert.deepEqual(found.details, { position: 0, length: 6, statement: 1 });
});

test("values are bound by place and by name", () => {
  const found = plan("db.execute", { sql: "select ?, :b", args: [1], named: { b: { $real: "2" } } });
  assert.ok(!isRefusal(found));
  const [anonymous, named] = (found.statements[0] as BoundStatement).values as [unknown[], Record<string, unknown>];
  assert.deepEqual([anonymous, { ...named }], [[1n], { b: 2 }]);
});

test("values that do not fit are refused by name, in a batch with the statement", () => {
  const cases: readonly [object, string][] = [
    [{ sql: "select ?" }, "PARAMETER_MISSING"],
    [{ sql: "select ?", args: [1, 2] }, "PARAMETER_SURPLUS"],
    [{ sql: "select ?", args: [true] }, "PARAMETER_INVALID"],
    [{ sql: "select ?", args: ["x".repeat(1025)] }, "VALUE_TOO_LARGE"],
    [{ sql: "select :a", named: { b: 1 } }, "PARAMETER_SURPLUS"],
    [{ sql: "select ?, ?, ?, ?", args: [1, 2, 3, 4] }, "PARAMETER_SURPLUS"],
  ];
  for (const [params, expected] of cases) {
    assert.equal(code(plan("db.execute", params)), expected);
    const inBatch = plan("db.batch", { statements: [{ sql: "select 1" }, params] });
    assert.ok(isRefusal(inBatch));
    assert.deepEqual([inBatch.refused, inBatch.details?.["statement"]], [expected, 1]);
  }
});

test("a batch or a script of too many statements is refused before one of them is looked at", () => {
  const planner = new Planner(limitsWith({ statementsMax: 2 }));
  const many = { db: [{ sql: "select 1" }, { sql: "select 2" }, { sql: "vacuum" }], sql: "select 1; select 2; vacuum" };
  for (const [method, params] of [
    ["db.batch", { statements: many.db }],
    ["tx.batch", { tx: 1, statements: many.db }],
    ["db.script", { sql: many.sql }],
    ["db.describe", { sql: many.sql }],
  ] as const) {
    for (const found of [planner.judge(method, params as StoreParams), planner.plan(method, params as StoreParams)])
      assert.ok(isRefusal(found) && found.refused === "SQL_TOO_LONG", method);
  }
  assert.ok(!isRefusal(planner.judge("db.script", { sql: "select 1; select 2;;" })));
});

test("the different texts of a batch are together no longer than one statement may be", () => {
  const planner = new Planner(limitsWith({ sqlBytesMax: 20_000 }));
  const text = (mark: string) => ({ sql: `select '${mark.repeat(9000)}'` });
  for (const [statements, refusedAt] of [
    [[text("a"), text("b"), text("a"), text("b")], undefined],
    [[text("a"), text("b"), text("c")], 2],
    [[text("a"), text("é")], 1],
    [Array.from({ length: 1024 }, () => text("a")), undefined],
    [[{ sql: "select 1" }, { sql: `select '${"x".repeat(20_000)}'` }], 1],
  ] as const) {
    for (const method of ["db.batch", "tx.batch"] as const) {
      const params = { tx: 1, statements } as StoreParams;
      for (const found of [planner.judge(method, params), planner.plan(method, params)]) {
        if (refusedAt === undefined) assert.ok(!isRefusal(found));
        else {
          assert.ok(isRefusal(found) && found.refused === "SQL_TOO_LONG");
          assert.deepEqual(found.details, { limit: "sqlBytesMax", statement: refusedAt });
        }
      }
    }
  }
});

test("a text that a batch repeats is looked at once, however long it is", () => {
  const sql = `select '${"x".repeat(20_000)}', ?`;
  const found = plan("db.batch", { statements: [1, 2, 3].map((value) => ({ sql, args: [value] })) });
  assert.ok(!isRefusal(found));
  assert.equal(new Set(found.statements.map(({ statement }) => statement)).size, 1);
});
