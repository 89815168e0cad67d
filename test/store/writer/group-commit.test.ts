/**
 * Many requests in one transaction, and none may feel its neighbours. The writer runs in this process; a group is what
 * was given before a turn.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeRequest } from "../../../src/protocol/index.js";
import { openDatabase, StatementCache } from "../../../src/sqlite/index.js";
import type { Answer, WriteMessage } from "../../../src/store/pipe/messages.js";
import { ProgressFile } from "../../../src/store/pipe/progress-file.js";
import { Planner } from "../../../src/store/statement/plan.js";
import { GroupCommit } from "../../../src/store/writer/group-commit.js";
import { MetaRow } from "../../../src/store/writer/meta-row.js";
import { OwnKeys } from "../../../src/store/writer/own-keys.js";
import { RepliesKept } from "../../../src/store/writer/replies-kept.js";
import { RequestRunner } from "../../../src/store/writer/request-runner.js";
import { SchemaWatch } from "../../../src/store/writer/schema-watch.js";
import { ToldChanges } from "../../../src/store/writer/told-changes.js";
import { type CommitOptions, Transaction } from "../../../src/store/writer/transaction.js";
import { WatchTriggers } from "../../../src/store/writer/watch-triggers.js";
import { WriteQueue } from "../../../src/store/writer/write-queue.js";
import { type Refusal, refuse, seq } from "../../../src/terms/index.js";
import { alice, bench, bob, codes, type WriterBench } from "../writer-bench.js";

function withTable(
  t: Parameters<typeof bench>[0],
  table = "create table t (id integer primary key, a unique, n int)",
): WriterBench {
  const made = bench(t);
  made.run(table);
  return made;
}

test("requests that wait together are settled together, in the order in which they came", (t) => {
  const w = withTable(t);
  const given = [1, 2, 3].map((a) => w.give({ sql: "insert into t (a) values (?)", args: [a] }));
  assert.deepEqual(w.turn(), given);
  assert.deepEqual(w.rows("select id, a from t"), [
    [1, 1],
    [2, 2],
    [3, 3],
  ]);
});

test("a request that fails takes back only its own work", (t) => {
  const w = withTable(t);
  const settled = w.group([
    { sql: "insert into t (a) values (1)" },
    batch("insert into t (a) values (2)", "insert into t (a) values (1)"),
    { sql: "insert into t (a) values (3)" },
  ]);
  assert.deepEqual(codes(settled), ["done", "SQLITE_CONSTRAINT", "done"]);
  assert.equal(settled[1]?.refusal?.details?.["statement"], 1);
  assert.equal(settled[1]?.refusal?.details?.["sqliteCode"], "SQLITE_CONSTRAINT_UNIQUE");
  assert.deepEqual(w.rows("select a from t order by a"), [[1], [3]]);
});

// rule 3: the transaction is gone after the offender, and whoever stood before and behind it is run again
for (const [how, offence] of [
  ["a statement with OR ROLLBACK", "insert or rollback into t (a) values (1)"],
  ["a trigger with RAISE(ROLLBACK)", "insert into bad values (1)"],
  ["a table with ON CONFLICT ROLLBACK", "insert into harsh values (1)"],
] as const)
  test(`${how} ends nobody's transaction but its own`, (t) => {
    const w = withTable(t);
    w.run("create table bad (x)");
    w.run("create trigger bad_trigger before insert on bad begin select raise(rollback, 'never'); end");
    w.run("create table harsh (x primary key on conflict rollback)");
    w.run("insert into harsh values (1)");
    w.run("insert into t (a) values (1)");
    const settled = w.group([
      { sql: "insert into t (a) values (2)", key: 1 },
      { sql: offence, key: 2 },
      { sql: "insert into t (a) values (3)", key: 3 },
    ]);
    assert.deepEqual(codes(settled), ["done", "SQLITE_CONSTRAINT", "done"]);
    assert.deepEqual(w.rows("select a from t order by a"), [[1], [2], [3]]);
    assert.deepEqual(w.rows("select key from _holdfast_replies order by key"), [[1], [3]]);
    assert.equal(w.look.pragma("integrity_check", { simple: true }), "ok");
  });

test("a text that ended everybody's transaction once runs alone from then on", (t) => {
  const w = withTable(t);
  w.run("insert into t (a) values (1)");
  const offence = { sql: "insert or rollback into t (a) values (?)", args: [1] };
  assert.deepEqual(codes(w.group(["insert into t (a) values (2)", offence])), ["done", "SQLITE_CONSTRAINT"]);
  const before = w.give({ sql: "insert into t (a) values (3)" });
  const alone = w.give(offence);
  const behind = w.give({ sql: "insert into t (a) values (4)" });
  assert.deepEqual([w.turn(), w.turn(), w.turn()], [[before], [alone], [behind]]);
});

for (const atomic of [true, false])
  test(`of a batch that ended everybody's transaction ${atomic ? "" : "and is not atomic "}only the statement at fault runs alone from then on`, (t) => {
    const w = withTable(t);
    w.run("insert into t (a) values (1)");
    const plain = { sql: "insert into t (a) values (?)" };
    const offence = { sql: "insert or rollback into t (a) values (?)", args: [1] };
    const statements = [{ ...plain, args: [2] }, offence, { ...plain, args: [3] }];
    const batch = { method: "db.batch", params: { statements, atomic } } as const;
    assert.deepEqual(codes(w.group([{ ...plain, args: [4] }, batch])), ["done", "SQLITE_CONSTRAINT"]);
    const before = [w.give({ ...plain, args: [5] }), w.give({ ...plain, args: [6] })];
    const alone = [w.give(offence), w.give(batch)];
    const behind = [w.give({ ...plain, args: [7] }), w.give({ ...plain, args: [8] })];
    const [first, second] = alone;
    assert.deepEqual([w.turn(), w.turn(), w.turn(), w.turn()], [before, [first], [second], behind]);
  });

test("a text that found no memory has ended everybody's transaction, and is not alone for that", (t) => {
  const w = withTable(t);
  const { groups, transaction, queue, runner, database } = brittleGroups(w);
  transaction.failures = 0;
  const run = runner.run.bind(runner);
  runner.run = () => {
    runner.run = run;
    database.exec("rollback");
    return refuse("SQLITE_NOMEM", "out of memory");
  };
  queue.add(executeMessage(1, "insert into t (a) values (null)"));
  assert.deepEqual(
    groups.next().map(({ kind }) => kind),
    ["refused"],
  );
  for (const at of [2, 3]) queue.add(executeMessage(at, "insert into t (a) values (null)"));
  assert.equal(groups.next().length, 2);
});

const rowidMax = "9223372036854775807";

for (const [where, offence] of [
  ["in the statement itself", "insert into counted (a) values (?)"],
  ["in a trigger", "insert into counting values (?)"],
] as const)
  test(`a table whose rowids are used up, ${where}, is its caller's error and costs its neighbours nothing`, (t) => {
    const w = withTable(t);
    w.run("create table counted (id integer primary key autoincrement, a)");
    w.run("create table counting (a)");
    w.run("create trigger counts after insert on counting begin insert into counted (a) values (new.a); end");
    w.run(`insert into counted values (${rowidMax}, 1)`);
    const commits = w.value("select commits from _holdfast_meta") as number;
    const settled = w.group([
      { sql: "insert into t (a) values (1)", key: 1 },
      { sql: offence, args: [2], key: 2 },
      { sql: "insert into t (a) values (2)", key: 3 },
    ]);
    assert.deepEqual(codes(settled), ["done", "SQLITE_ERROR", "done"]);
    assert.equal(settled[1]?.refusal?.details?.["table"], "counted");
    assert.equal(w.value("select commits from _holdfast_meta"), commits + 2);
    const before = w.give({ sql: "insert into t (a) values (3)" });
    const alone = w.give({ sql: offence, args: [3] });
    const behind = w.give({ sql: "insert into t (a) values (4)" });
    assert.deepEqual([w.turn(), w.turn(), w.turn()], [[before], [alone], [behind]]);
    assert.deepEqual(w.rows("select a from t order by a"), [[1], [2], [3], [4]]);
  });

test("a request that fills what is left by itself is refused alone; those between two of them have one transaction", (t) => {
  const w = withTable(t);
  w.run("create table counted (id integer primary key autoincrement, a)");
  const commits = w.value("select commits from _holdfast_meta") as number;
  const fills = batch(`insert into counted values (${rowidMax}, 1)`, "insert into counted (a) values (2)");
  const one = (a: number) => `insert into t (a) values (${a})`;
  const settled = w.group([one(1), one(2), fills, one(3), one(4), fills]);
  assert.deepEqual(codes(settled), ["done", "done", "DISK_FULL", "done", "done", "DISK_FULL"]);
  assert.equal(w.value("select commits from _holdfast_meta"), commits + 2);
  assert.deepEqual(w.rows("select a from t order by a"), [[1], [2], [3], [4]]);
  assert.deepEqual(w.rows("select * from counted"), []);
});

test("a refusal does not speak of a row that its group has not kept", (t) => {
  const w = withTable(t);
  // The second is refused because of the first, and the third takes both away; the second must be looked at again.
  const settled = w.group([
    { sql: "insert into t (a, n) values (1, 1)" },
    { sql: "insert into t (a, n) values (1, 2)" },
    { sql: "insert or rollback into t (id, a) values (1, 9), (1, 9)" },
  ]);
  assert.deepEqual(codes(settled), ["done", "SQLITE_CONSTRAINT", "SQLITE_CONSTRAINT"]);
  assert.deepEqual(w.rows("select a, n from t"), [[1, 1]]);
});

function batch(...texts: readonly string[]) {
  return { method: "db.batch" as const, params: { statements: texts.map((sql) => ({ sql })) } };
}

/** Its first COMMIT fails, or so many, as they would for something that nobody has thought of. */
class BrittleTransaction extends Transaction {
  commits = 0;
  failures = 1;

  override commit(options: CommitOptions): Refusal | undefined {
    this.commits++;
    if (this.commits > this.failures) return super.commit(options);
    this.abandon();
    return refuse("SQLITE_CONSTRAINT", "not together");
  }
}

/** Another set of the writer's parts on a connection of its own, behind the bench's epoch. */
function brittleGroups(w: WriterBench) {
  const { database: path, limits, bootId, progress: progressPath } = w.orders;
  const database = openDatabase({ path, role: "writer", durability: "full", busyMs: 1000 });
  const meta = MetaRow.start(database, bootId);
  const schema = new SchemaWatch(database);
  const replies = new RepliesKept(database, limits, 0);
  const ownKeys = new OwnKeys(database, limits);
  const queue = new WriteQueue(new Planner(limits), limits);
  const watches = new WatchTriggers(database, limits.changedKeysMax);
  const runner = new RequestRunner(database, new StatementCache(database), { limits, schema, watches });
  const transaction = new BrittleTransaction({
    database,
    meta,
    replies,
    ownKeys,
    schema,
    watches,
    told: new ToldChanges(seq(0)),
    progress: new ProgressFile(progressPath),
    now: () => 0,
  });
  const parts = {
    limits,
    queue,
    transaction,
    replies,
    ownKeys,
    runner,
    schema,
    obstacle: () => undefined,
    now: () => 0,
    report: () => {},
  };
  return { groups: new GroupCommit(parts), transaction, queue, runner, database };
}

function executeMessage(at: number, sql: string): WriteMessage {
  const raw = encodeRequest(at, "db.execute", { sql }, "json");
  return {
    kind: "write",
    seq: seq(at),
    mode: "run",
    session: alice,
    key: undefined,
    ackedBelow: 0,
    alone: false,
    method: "db.execute",
    encoding: "json",
    raw,
  };
}

const parents = "create table parent (id integer primary key)";
const deferredChildren = "create table child (p references parent (id) deferrable initially deferred)";

// rule 7: neighbours must neither break nor mend a constraint that is looked at only at COMMIT
test("a deferred constraint that one request breaks is not mended by its neighbour", (t) => {
  const w = bench(t);
  w.run(parents);
  w.run(deferredChildren);
  const settled = w.group(["insert into child values (7)", "insert into parent values (7)"]);
  assert.deepEqual(codes(settled), ["SQLITE_CONSTRAINT", "done"]);
  assert.deepEqual(w.rows("select count(*) from child"), [[0]]);
});

test("a deferred constraint that one request breaks is not held against its neighbours", (t) => {
  const w = bench(t);
  w.run(parents);
  w.run(deferredChildren);
  assert.deepEqual(
    codes(w.group(["insert into parent values (1)", "insert into child values (7)", "insert into parent values (2)"])),
    ["done", "SQLITE_CONSTRAINT", "done"],
  );
  assert.deepEqual(w.rows("select id from parent"), [[1], [2]]);
});

test("a column that is only called deferred_until puts nobody alone", (t) => {
  const w = withTable(t, "create table t (deferred_until int, a)");
  const given = [1, 2].map((a) => w.give({ sql: "insert into t (a) values (?)", args: [a] }));
  assert.deepEqual(w.turn(), given);
});

test("defer_foreign_keys of one batch reaches no neighbour", (t) => {
  const w = bench(t);
  w.run(parents);
  w.run("create table child (p references parent (id))");
  w.run("insert into parent values (1)");
  w.run("insert into child values (1)");
  const loose = batch(
    "pragma defer_foreign_keys = on",
    "insert into child values (2)",
    "insert into parent values (2)",
  );
  assert.deepEqual(codes(w.group([loose, "delete from parent where id = 1"])), ["done", "SQLITE_CONSTRAINT"]);
});

test("a COMMIT that fails costs only the request that it failed for", (t) => {
  const w = withTable(t);
  w.run(parents);
  w.run("create table child (p references parent (id))");
  const loose = batch("pragma defer_foreign_keys = on", "insert into child values (9)");
  const settled = w.group(["insert into t (a) values (1)", loose, "insert into t (a) values (2)"]);
  assert.deepEqual(codes(settled), ["done", "SQLITE_CONSTRAINT", "done"]);
  assert.deepEqual(w.rows("select a from t"), [[1], [2]]);
});

// rule 3, the net below rule 7: whatever COMMIT fails for, nobody was answered, and each gets a transaction of its own
test("when the COMMIT of a group fails, each of its members is run alone", (t) => {
  const w = withTable(t);
  const { groups, transaction, queue } = brittleGroups(w);
  for (const [at, a] of [1, 2, 1].entries()) queue.add(executeMessage(at + 1, `insert into t (a) values (${a})`));
  const answers = groups.next();
  assert.deepEqual(
    answers.map(({ id, kind }) => [id, kind]),
    [
      [1, "done"],
      [2, "done"],
      [3, "refused"],
    ],
  );
  assert.equal(transaction.commits, 3);
  assert.deepEqual(w.rows("select a from t"), [[1], [2]]);
});

// rule 3: the row of its neighbour never comes to be
test("what ends everybody's transaction is not refused for a row that is refused itself", (t) => {
  const w = withTable(t);
  const { groups, transaction, queue } = brittleGroups(w);
  transaction.failures = 2;
  queue.add(executeMessage(1, "insert into t (a, n) values (1, 1)"));
  queue.add(executeMessage(2, "insert or rollback into t (a, n) values (1, 2)"));
  queue.add(executeMessage(3, "insert into t (a, n) values (1, 3)"));
  const answers: Answer[] = [];
  while (queue.length > 0) answers.push(...groups.next());
  assert.deepEqual(
    answers.map(({ id, kind }) => [id, kind]),
    [
      [1, "refused"],
      [2, "done"],
      [3, "refused"],
    ],
  );
  assert.deepEqual(w.rows("select a, n from t"), [[1, 2]]);
});

test("a group ends when its limits are reached, and the rest goes into the next one", (t) => {
  const w = bench(t, { limits: { groupRequestsMax: 2 } });
  w.run("create table t (a)");
  const [one, two, three] = [1, 2, 3].map((a) => w.give({ sql: "insert into t values (?)", args: [a] }));
  assert.deepEqual([w.turn(), w.turn()], [[one, two], [three]]);
});

test("when very many wait, a group takes some of them, so that it is answered while the next one runs", (t) => {
  const w = bench(t);
  w.run("create table t (a)");
  for (let n = 0; n < 20; n++) w.run({ sql: "insert into t values (?)", args: [n] });
  const given = Array.from({ length: 3000 }, (_, a) => w.give({ sql: "insert into t values (?)", args: [a] }));
  const first = w.turn();
  assert.ok(first.length > 0 && first.length < given.length, `${first.length} of ${given.length}`);
  const all = [...first];
  while (all.length < given.length) all.push(...w.turn());
  assert.deepEqual(all, given);
});

test("a group that has run for long enough is committed, and the rest is not lost", (t) => {
  const w = bench(t, { limits: { groupMs: 1 } });
  w.run("create table t (a)");
  const slow =
    "insert into t with recursive n(x) as (select 1 union all select x + 1 from n where x < 100000) select count(*) from n";
  const given = [1, 2, 3].map(() => w.give({ sql: slow }));
  assert.deepEqual(
    [w.turn(), w.turn(), w.turn()],
    given.map((at) => [at]),
  );
});

test("every commit moves the sequence in the meta row", (t) => {
  const w = withTable(t);
  const at = w.give({ sql: "insert into t (a) values (1)" });
  w.turn();
  assert.equal(w.value("select seq from _holdfast_meta"), at);
});

test("what changes nothing waits for no disk and is answered all the same", (t) => {
  const w = withTable(t);
  w.run({ sql: "insert into t (a) values (1)", key: 1 });
  const before = w.value("select seq from _holdfast_meta");
  assert.deepEqual(
    codes(w.group([{ sql: "insert into t (a) values (1)", key: 1 }, "insert into t (a) values (1)", "nonsense"])),
    ["done", "SQLITE_CONSTRAINT", "STATEMENT_REFUSED"],
  );
  assert.equal(w.value("select seq from _holdfast_meta"), before);
});

// rule 2: an orphan whose epoch has passed commits nothing
test("a writer whose epoch has passed commits nothing and ends", (t) => {
  const w = withTable(t);
  w.run("update t set a = 1");
  w.asStranger("update _holdfast_meta set epoch = epoch + 1");
  w.give({ sql: "insert into t (a) values ('late')", key: 1 });
  assert.throws(() => w.turn(), /another writer has taken over/);
  assert.deepEqual(w.rows("select * from t"), []);
});

test("who writes past the broker is noticed", (t) => {
  const w = withTable(t);
  w.asStranger(`${parents}; ${deferredChildren}`);
  assert.deepEqual(codes(w.group(["insert into child values (7)", "insert into parent values (7)"])), [
    "SQLITE_CONSTRAINT",
    "done",
  ]);
  assert.match(w.reports.join(), /past the broker/);
});

test("the same key twice in one group is run once", (t) => {
  const w = withTable(t);
  const write = { sql: "insert into t (a) values (?) returning id", args: ["x"], key: 4 };
  const [first, again, other] = w.group([write, write, { ...write, session: bob, args: ["y"] }]);
  assert.deepEqual(first, again);
  assert.deepEqual(other?.result.rows, [[2]]);
  assert.equal(w.value("select count(*) from t"), 2);
});
