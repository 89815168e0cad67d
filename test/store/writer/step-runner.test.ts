import assert from "node:assert/strict";
import { test } from "node:test";
import { openDatabase } from "../../../src/sqlite/index.js";
import { type Answered, alice, bob, type RigOptions, rig, type StoreRig } from "../store-rig.js";

async function ready(t: Parameters<typeof rig>[0], options?: RigOptions): Promise<StoreRig> {
  const writer = rig(t, options);
  await writer.startWriter();
  await writer.startReader();
  await writer.execute("create table t (a integer primary key, b)");
  return writer;
}

function refusedAs(answered: Answered): string {
  if (answered.kind !== "refused") return answered.kind;
  return `${answered.refusal.refused}${answered.ended === true ? ", and it is over" : ""}`;
}

test("the steps of a transaction are answered as they run, and seen by others when it is committed", async (t) => {
  const writer = await ready(t);
  const { transaction, answer } = writer.begin();
  assert.equal((await answer).kind, "done");
  const inserted = await writer.run(transaction, "insert into t values (?, ?) returning a", [1, "one"]);
  assert.deepEqual(inserted.kind === "done" && inserted.result.rows, [[1]]);
  assert.deepEqual(await writer.rows("select a from t"), []);
  const seen = await writer.run(transaction, "select a, b from t");
  assert.deepEqual(seen.kind === "done" && seen.result.rows, [[1, "one"]]);
  const committed = await writer.commit(transaction);
  assert.ok(committed.kind === "done" && committed.result.seq > transaction);
  assert.deepEqual(await writer.rows("select a from t"), [[1]]);
});

test("all steps that come in one breath are run in their order, and what stands behind the commit after it", async (t) => {
  const writer = await ready(t);
  const { transaction, answer } = writer.begin();
  const answers = [
    answer,
    writer.run(transaction, "insert into t (a) values (1)"),
    writer.run(transaction, "insert into t (a) select max(a) + 1 from t"),
    writer.commit(transaction),
    writer.execute("insert into t (a) select max(a) + 1 from t"),
  ];
  for (const one of await Promise.all(answers)) assert.equal(one.kind, "done");
  assert.deepEqual(await writer.rows("select a from t"), [[1], [2], [3]]);
});

test("a statement that fails is undone by itself; the transaction goes on", async (t) => {
  const writer = await ready(t);
  const { transaction } = writer.begin();
  await writer.run(transaction, "insert into t (a) values (1)");
  const failed = await writer.run(transaction, "insert into t (a) values (2), (3), (1)");
  assert.equal(refusedAs(failed), "SQLITE_CONSTRAINT");
  const batch = await writer.runBatch(transaction, [
    { sql: "insert into t (a) values (4)" },
    { sql: "insert into nowhere values (1)" },
  ]);
  assert.equal(refusedAs(batch), "SQLITE_ERROR");
  assert.equal(batch.kind === "refused" && batch.refusal.details?.["statement"], 1);
  await writer.commit(transaction);
  assert.deepEqual(await writer.rows("select a from t"), [[1]]);
});

test("savepoints are SQLite's own: set, released, rolled back to, and refused by it when they are not there", async (t) => {
  const writer = await ready(t);
  const { transaction } = writer.begin();
  await writer.run(transaction, "savepoint outer_one");
  await writer.run(transaction, "insert into t (a) values (1)");
  await writer.run(transaction, "savepoint inner_one");
  await writer.run(transaction, "insert into t (a) values (2)");
  await writer.run(transaction, "rollback to INNER_ONE");
  await writer.run(transaction, "release savepoint inner_one");
  assert.equal(refusedAs(await writer.run(transaction, "release inner_one")), "SQLITE_ERROR");
  assert.equal(refusedAs(await writer.run(transaction, "release outer_one")), "done");
  await writer.commit(transaction);
  assert.deepEqual(await writer.rows("select a from t"), [[1]]);
});

test("begin, commit and rollback are no statements: they are refused, with the method to use", async (t) => {
  const writer = await ready(t);
  const { transaction } = writer.begin();
  for (const [sql, method] of [
    ["begin", "tx.begin"],
    ["commit", "tx.commit"],
    ["end transaction", "tx.commit"],
    ["rollback", "tx.rollback"],
  ] as const) {
    const refused = await writer.run(transaction, sql);
    assert.equal(refusedAs(refused), "TRANSACTION_CONTROL");
    assert.ok(refused.kind === "refused" && refused.refusal.message.endsWith(method));
  }
  assert.equal((await writer.commit(transaction)).kind, "done");
});

// rule 15: never in a transaction of its own
test("a step of a transaction that is not open is not run", async (t) => {
  const writer = await ready(t);
  const { transaction } = writer.begin();
  await writer.rollBack(transaction);
  for (const answered of [
    await writer.run(transaction, "insert into t (a) values (1)"),
    await writer.commit(transaction),
    await writer.rollBack(transaction),
    await writer.run(9999, "insert into t (a) values (1)"),
  ])
    assert.equal(answered.kind, "absent");
  assert.deepEqual(await writer.rows("select a from t"), []);
});

// rule 3
test("a statement that rolls back the whole transaction says so, and nothing after it is run", async (t) => {
  const writer = await ready(t);
  const trigger =
    "create trigger no_nine before insert on t when new.a = 9 begin select raise(rollback, 'no nine'); end";
  await writer.execute(trigger);
  for (const sql of ["insert or rollback into t (a) values (1)", "insert into t (a) values (9)"]) {
    const { transaction } = writer.begin();
    await writer.run(transaction, "insert into t (a) values (1)");
    assert.equal(refusedAs(await writer.run(transaction, sql)), "SQLITE_CONSTRAINT, and it is over");
    assert.equal((await writer.run(transaction, "insert into t (a) values (2)")).kind, "absent");
    assert.equal((await writer.commit(transaction)).kind, "absent");
  }
  await writer.execute("insert into t (a) values (3)");
  assert.deepEqual(await writer.rows("select a from t"), [[3]]);
});

// rule 7
test("a commit that a deferred constraint refuses leaves nothing under its key, and the transaction open", async (t) => {
  const writer = await ready(t);
  await writer.execute("create table c (p references t (a) deferrable initially deferred)");
  const { transaction } = writer.begin();
  await writer.run(transaction, "insert into c values (7)");
  assert.equal(refusedAs(await writer.commit(transaction, { key: 1 })), "SQLITE_CONSTRAINT");
  await writer.run(transaction, "insert into t (a) values (7)");
  assert.equal((await writer.commit(transaction, { key: 1 })).kind, "done");
  assert.deepEqual(await writer.rows("select p from c"), [[7]]);
});

test("PRAGMA defer_foreign_keys holds for its transaction and no longer", async (t) => {
  const writer = await ready(t);
  await writer.execute("create table c (p references t (a))");
  const { transaction } = writer.begin();
  await writer.run(transaction, "pragma defer_foreign_keys = on");
  assert.equal((await writer.run(transaction, "insert into c values (7)")).kind, "done");
  await writer.run(transaction, "insert into t (a) values (7)");
  assert.equal((await writer.commit(transaction)).kind, "done");
  assert.equal(refusedAs(await writer.execute("insert into c values (8)")), "SQLITE_CONSTRAINT");
});

// rule 6
test("a commit is stored under its key with the transaction: asked again it answers the same, in either encoding", async (t) => {
  const writer = await ready(t);
  const { transaction } = writer.begin();
  await writer.run(transaction, "insert into t (a) values (1)");
  const committed = await writer.commit(transaction, { key: 5 });
  for (const encoding of ["json", "msgpack"] as const) {
    const { answer } = writer.giveCommit({ tx: 1, key: 5 }, { key: 5, mode: "replay", encoding });
    writer.store.flush();
    const again = await answer;
    assert.deepEqual(again.kind === "done" && again.result, committed.kind === "done" && committed.result);
  }
  const other = writer.giveCommit({ tx: 2, key: 5 }, { key: 5, mode: "replay" });
  const unknown = writer.giveCommit({ tx: 1, key: 6 }, { key: 6, mode: "replay" });
  writer.store.flush();
  assert.equal(refusedAs(await other.answer), "KEY_REUSED");
  assert.equal((await unknown.answer).kind, "absent");
});

test("a commit whose key stands for another request is refused, and its transaction is open all the same", async (t) => {
  const writer = await ready(t);
  await writer.execute("insert into t (a) values (1)", [], { key: 3 });
  const { transaction } = writer.begin();
  await writer.run(transaction, "insert into t (a) values (2)");
  assert.equal(refusedAs(await writer.commit(transaction, { key: 3 })), "KEY_REUSED");
  assert.equal((await writer.commit(transaction, { key: 4 })).kind, "done");
  assert.deepEqual(await writer.rows("select a from t"), [[1], [2]]);
});

test("what waits for the writer's own hand waits for the transaction: tokens, a fold of the log, sessions that ended", async (t) => {
  const writer = await ready(t);
  const { transaction, answer } = writer.begin();
  await answer;
  const reserved = writer.next("tokens-reserved");
  const folded = writer.next("checkpointed");
  writer.obey(
    { to: "writer", kind: "reserve", above: 1, newIncarnation: false },
    { to: "writer", kind: "checkpoint" },
    { to: "writer", kind: "end-session", session: bob },
  );
  assert.equal((await writer.run(transaction, "insert into t (a) values (1)")).kind, "done");
  assert.ok(!writer.events.some(({ kind }) => kind === "tokens-reserved" || kind === "checkpointed"));
  await writer.commit(transaction, { session: alice });
  await Promise.all([reserved, folded]);
});

test("the last rowid is the transaction's own: what a statement inserted is what the next one asks for", async (t) => {
  const writer = await ready(t);
  const { transaction } = writer.begin();
  await writer.run(transaction, "insert into t (a) values (41)");
  // A row that was there before: the rowid is unclear to anybody who has only the connection's word.
  const ignored = await writer.run(transaction, "insert or ignore into t (a) values (41)");
  assert.deepEqual(ignored.kind === "done" && [ignored.result.rowsAffected, ignored.result.lastInsertRowid], [0, null]);
  const asked = await writer.run(transaction, "insert into t (a, b) values (42, last_insert_rowid()) returning b");
  assert.deepEqual(asked.kind === "done" && asked.result.rows, [[41]]);
  await writer.commit(transaction);
});

test("a schema that is changed in a transaction is known to those after it, and forgotten with a rollback", async (t) => {
  const writer = await ready(t);
  const first = writer.begin();
  await writer.run(first.transaction, "create table gone (a)");
  await writer.run(first.transaction, "insert into gone values (1)");
  await writer.rollBack(first.transaction);
  assert.equal(refusedAs(await writer.execute("insert into gone values (1)")), "SQLITE_ERROR");
  const second = writer.begin();
  await writer.run(second.transaction, "create table d (p references t (a) deferrable initially deferred)");
  await writer.commit(second.transaction);
  // rule 7: from now on every write is alone, so that no neighbour mends what another has broken.
  const [orphan, parent] = await writer.together([
    { sql: "insert into d values (7)" },
    { sql: "insert into t (a) values (7)" },
  ]);
  assert.equal(refusedAs(orphan as Answered), "SQLITE_CONSTRAINT");
  assert.equal(parent?.kind, "done");
});

/** A connection of another process's, as far as the writer can tell. */
function beside(t: Parameters<typeof rig>[0], writer: StoreRig) {
  const database = openDatabase({ path: writer.places.database, role: "writer", durability: "off", busyMs: 1000 });
  t.after(() => database.close());
  const commits = () => database.prepare("select commits from _holdfast_meta").pluck().get() as number;
  return { database, commits };
}

test("a begin that goes on from a snapshot is refused when anything was committed since, and nothing is left of it", async (t) => {
  const writer = await ready(t);
  const { commits } = beside(t, writer);
  const seen = commits();
  const first = writer.begin(alice, seen);
  assert.equal(refusedAs(await first.answer), "done");
  await writer.run(first.transaction, "insert into t values (1, 'one')");
  await writer.commit(first.transaction);
  const stale = writer.begin(alice, seen);
  assert.equal(refusedAs(await stale.answer), "SQLITE_BUSY_SNAPSHOT");
  assert.equal(refusedAs(await writer.run(stale.transaction, "insert into t values (2, 'two')")), "absent");
  await writer.rollBack(writer.begin().transaction);
  const again = writer.begin(alice, commits());
  assert.equal(refusedAs(await again.answer), "done");
  await writer.rollBack(again.transaction);
  assert.deepEqual(await writer.rows("select a from t"), [[1]]);
});

test("what a stranger has committed is not counted: the writer refuses until it has committed behind it", async (t) => {
  const writer = await ready(t);
  const { database, commits } = beside(t, writer);
  const seen = commits();
  database.exec("insert into t values (7, 'past the broker')");
  assert.equal(commits(), seen);
  assert.equal(refusedAs(await writer.begin(alice, seen).answer), "SQLITE_BUSY_SNAPSHOT");
  assert.ok(commits() > seen, "a snapshot from now on counts as new");
  assert.equal(refusedAs(await writer.begin(alice, seen).answer), "SQLITE_BUSY_SNAPSHOT");
  const next = writer.begin(alice, commits());
  assert.equal(refusedAs(await next.answer), "done");
  await writer.rollBack(next.transaction);
});
