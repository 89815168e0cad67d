/** Keys of the callers' own making through restarts of programs and of the broker, and the death of the writer. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Home } from "../support/broker.js";
import { until } from "../support/patience.js";
import { kill } from "../support/processes.js";
import type { Wire } from "../support/wire.js";

async function table(wire: Wire): Promise<void> {
  await wire.call("db.script", { sql: "create table t (id integer primary key, a)", key: wire.key() });
}

function insert(a: number, key: string, more: object = {}) {
  return { sql: "insert into t (a) values (?)", args: [a], key, ...more };
}

/** The one that ran when its writer was killed is refused, as its culprit; under its key it may be asked for again. */
async function askAgain(wire: Wire, params: ReturnType<typeof insert>) {
  const { result, error } = await wire.post("db.execute", params);
  if (error === undefined) return result as { rowsAffected: number };
  assert.equal(error.data.code, "STATEMENT_CRASHED");
  return wire.call("db.execute", params);
}

async function values(wire: Wire): Promise<unknown[]> {
  return (await wire.call("db.query", { sql: "select a from t order by a" })).rows.flat();
}

test("a program that was started anew and asks again, of a broker that was killed, is answered as the first time", async (t) => {
  const home = new Home(t);
  const front = await home.start();
  const first = await home.wire();
  await table(first);
  const told = await first.call("db.execute", insert(1, "order 7"));
  await front.kill();
  await home.start();
  const second = await home.wire();
  assert.deepEqual(await second.call("db.execute", insert(1, "order 7")), told);
  assert.equal((await second.refusal("db.execute", insert(2, "order 7"))).data.code, "KEY_REUSED");
  assert.deepEqual(await values(second), [1]);
});

test("a writer that dies after the commit has applied it once, and who asked is answered", async (t) => {
  const home = new Home(t);
  await home.start();
  const wire = await home.wire();
  await table(wire);
  for (let n = 1; n <= 5; n++) {
    const asked = Array.from({ length: 20 }, (_, at) => askAgain(wire, insert(n * 100 + at, `${n}/${at}`)));
    // The one that was killed last may not have its successor yet.
    kill(await until("a writer", () => home.processOf("writer").catch(() => undefined)), "SIGKILL");
    for (const answer of await Promise.all(asked)) assert.equal(answer.rowsAffected, 1);
  }
  assert.equal((await values(wire)).length, 100);
});

test("a transaction under a key is committed once; the next one under it is rolled back and told what the first was", async (t) => {
  const home = new Home(t);
  await home.start();
  const [first, second] = [await home.wire(), await home.wire()];
  await table(first);
  const seqs: unknown[] = [];
  for (const [wire, tx] of [
    [first, 1],
    [first, 2],
    [second, 1],
  ] as const) {
    await wire.call("tx.begin", { tx, mode: "write" });
    await wire.call("tx.execute", { tx, sql: "insert into t (a) values (1)" });
    seqs.push((await wire.call("tx.commit", { tx, key: "nightly 2026-11-26" })).seq);
  }
  assert.equal(new Set(seqs).size, 1);
  assert.deepEqual(await values(first), [1]);
  // The transaction is gone, as after a lost answer: the key is looked up before it.
  assert.equal((await second.call("tx.commit", { tx: 9, key: "nightly 2026-11-26" })).seq, seqs[0]);
  assert.equal((await second.refusal("tx.commit", { tx: 9, key: "never" })).data.code, "TX_LOST");
});

test("a transaction whose key finds no room is rolled back, and the next one begins as if it had not been", async (t) => {
  const home = new Home(t);
  await home.start({ limits: { ownKeysBytesMax: 65_536 } });
  const wire = await home.wire();
  await table(wire);
  const filled = await Promise.all(Array.from({ length: 800 }, (_, n) => wire.post("db.execute", insert(n, `${n}`))));
  assert.ok(filled.some(({ error }) => error?.data.code === "DISK_FULL"));
  const before = (await values(wire)).length;
  const run = async (tx: number, key: string | number) => {
    await wire.call("tx.begin", { tx, mode: "write" });
    await wire.call("tx.execute", { tx, sql: "insert into t (a) values (1000)" });
    return wire.post("tx.commit", { tx, key });
  };
  const { error } = await run(1, "nightly");
  assert.equal(error?.data.code, "DISK_FULL");
  assert.equal(error?.data.details["limit"], "ownKeysBytesMax");
  assert.equal((await values(wire)).length, before);
  assert.equal((await run(2, wire.key())).error, undefined);
  assert.equal((await values(wire)).length, before + 1);
});

test("a key with half of a surrogate pair is refused: what is stored would stand for another one too", async (t) => {
  const home = new Home(t);
  await home.start();
  const wire = await home.wire();
  await table(wire);
  for (const [tx, key] of [
    [1, "a\ud800"],
    [2, "a\ud801"],
  ] as const) {
    const { data } = await wire.refusal("db.execute", insert(1, key));
    assert.deepEqual([data.code, data.details["path"]], ["PARAMS_INVALID", "params.key"]);
    await wire.call("tx.begin", { tx, mode: "write" });
    assert.equal((await wire.refusal("tx.commit", { tx, key })).data.code, "PARAMS_INVALID");
    await wire.call("tx.rollback", { tx });
  }
  assert.deepEqual(await values(wire), []);
});

test("a key that is too long, kept for too long, or of a script in pieces is refused", async (t) => {
  const home = new Home(t);
  await home.start();
  const wire = await home.wire();
  await table(wire);
  for (const params of [
    insert(1, "é".repeat(65)),
    insert(1, ""),
    insert(1, "k", { keepMs: 8 * 24 * 3_600_000 }),
    { ...insert(1, ""), key: wire.key(), keepMs: 1000 },
  ])
    assert.equal((await wire.refusal("db.execute", params)).data.code, "PARAMS_INVALID");
  const script = { sql: "insert into t (a) values (1)", atomic: false, key: "k" };
  assert.equal((await wire.refusal("db.script", script)).data.code, "PARAMS_INVALID");
  assert.deepEqual(await values(wire), []);
});
