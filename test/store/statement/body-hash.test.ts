/** Equal requests have equal hashes; requests that differ in meaning differ. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeRequest } from "../../../src/protocol/index.js";
import type { StoreMethod } from "../../../src/store/pipe/messages.js";
import { Planner } from "../../../src/store/statement/plan.js";
import { openRequest } from "../../../src/store/statement/request.js";
import { isRefusal, limitsWith } from "../../../src/terms/index.js";

const planner = new Planner(limitsWith());

function hash(params: object, method: StoreMethod = "db.execute", encoding: "json" | "msgpack" = "json"): number {
  const opened = openRequest({ method, encoding, raw: encodeRequest(1, method, params, encoding) }, planner, true);
  assert.ok(!isRefusal(opened.plan));
  return opened.hash;
}

const sql = "insert into t values (?, ?)";

test("encodings, ids, keys and times make no difference", () => {
  const args = [1, "x"];
  const plain = hash({ sql, args });
  assert.equal(hash({ sql, args }, "db.execute", "msgpack"), plain);
  assert.equal(hash({ sql, args, key: 7, ack: 3, timeoutMs: 10 }), plain);
  assert.equal(hash({ sql, args: [{ $int: "1" }, "x"] }), plain);
  assert.ok(Number.isSafeInteger(plain) && plain >= 0);
});

test("everything that is asked for makes a difference", () => {
  const fence = [{ name: "a", token: 1 }];
  const requests: readonly [object, StoreMethod?][] = [
    [{ sql, args: [1, "x"] }],
    [{ sql, args: ["x", 1] }],
    [{ sql, args: [{ $real: "1" }, "x"] }],
    [{ sql, args: ["1", "x"] }],
    [{ sql, args: [{ $blob: "MQ==" }, "x"] }],
    [{ sql, args: [null, "x"] }],
    [{ sql, args: [1, "xx"] }],
    [{ sql, args: [1, "x".repeat(5000)] }],
    [{ sql, args: [1, `${"x".repeat(4999)}y`] }],
    [{ sql, args: [1, { $blob: Buffer.alloc(5000).toString("base64") }] }],
    [{ sql, args: [{ $real: "0" }, "x"] }],
    [{ sql, args: [{ $real: "-0" }, "x"] }],
    [{ sql: `${sql} returning 1`, args: [1, "x"] }],
    [{ sql, args: [1, "x"], fence }],
    [{ sql, args: [1, "x"], fence: [{ name: "a", token: 2 }] }],
    [{ statements: [{ sql, args: [1, "x"] }] }, "db.batch"],
    [{ statements: [{ sql: "delete from t" }] }, "db.batch"],
    [{ statements: [{ sql: "delete from t" }], atomic: false }, "db.batch"],
    [{ statements: [{ sql: "delete from t" }, { sql: "delete from u" }] }, "db.batch"],
    [{ statements: [{ sql: "delete from t" }, { sql: "delete from u", if: { ok: 0 } }] }, "db.batch"],
    [{ statements: [{ sql: "delete from t" }, { sql: "delete from u", if: { error: 0 } }] }, "db.batch"],
    [{ sql: "delete from t" }, "db.script"],
    [{ sql: "delete from t", atomic: false }, "db.script"],
    [{ sql: "delete from t" }],
    [{ tx: 1 }, "tx.commit"],
    [{ tx: 2 }, "tx.commit"],
    [{ sql: "insert into t values (:a, :b)", named: { a: 1, b: 2 } }],
    [{ sql: "insert into t values (:a, :b)", named: { a: 2, b: 1 } }],
  ];
  const hashes = requests.map(([params, method]) => hash(params, method));
  assert.equal(new Set(hashes).size, requests.length);
});

test("many small differences do not collide", () => {
  const hashes = new Set(Array.from({ length: 20_000 }, (_, at) => hash({ sql, args: [at, String(at * 7)] })));
  assert.equal(hashes.size, 20_000);
});
