/**
 * Interactive transactions of real clients through faults: of the client, of the writer, of the whole broker, and of
 * the connection between them. What was committed is there once, what was not is not there, and whoever asks is told.
 */
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Home } from "../support/broker.js";
import { Canary } from "../support/canary.js";
import { FaultyDisk } from "../support/faulty-disk.js";
import { standStillFor, within } from "../support/patience.js";
import { childrenOf, gone, kill, known, stop } from "../support/processes.js";
import type { Wire } from "../support/wire.js";

const endless = "with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c";

async function table(wire: Wire): Promise<void> {
  await wire.call("db.execute", { sql: "create table t (a integer primary key)", key: wire.key() });
}

async function begin(wire: Wire, tx: number, more: { readonly fence?: { name: string; token: number }[] } = {}) {
  await wire.call("tx.begin", { tx, mode: "write", ...more });
}

function insert(wire: Wire, tx: number, a: number) {
  return wire.call("tx.execute", { tx, sql: "insert into t values (?)", args: [a] });
}

function plain(wire: Wire, a: number) {
  return wire.call("db.execute", { sql: "insert into t values (?)", args: [a], key: wire.key() });
}

async function rows(wire: Wire): Promise<unknown[]> {
  return (await wire.call("db.query", { sql: "select a from t order by a" })).rows.flat();
}

async function refusal(wire: Wire, method: string, params: object): Promise<string> {
  const { data } = await wire.refusal(method, params);
  return `${data.code} ${data.outcome}`;
}

/** The same session on a new connection. */
async function back(home: Home, before: Wire): Promise<Wire> {
  const wire = await home.silent({ headers: { "holdfast-purpose": "resuming" } });
  await wire.hello({ secret: before.secret, mode: "resume" });
  return wire;
}

test("begin, statements and commit that are sent in one breath take effect together, and a read behind them sees it", async (t) => {
  const home = new Home(t);
  await home.start();
  const wire = await home.wire();
  await table(wire);
  const read = () => wire.call("db.query", { sql: "select a from t order by a" });
  const [begun, first, second, committed, after] = await Promise.all([
    wire.call("tx.begin", { tx: 1, mode: "write" }),
    insert(wire, 1, 1),
    wire.call("tx.execute", { tx: 1, sql: "insert into t select max(a) + 1 from t returning a" }),
    wire.call("tx.commit", { tx: 1, key: wire.key() }),
    read(),
  ]);
  assert.deepEqual(begun, { tx: 1 });
  assert.equal(first.lastInsertRowid, 1);
  assert.deepEqual(second.rows, [[2]]);
  assert.ok(committed.seq > 0);
  assert.deepEqual(after.rows, [[1], [2]]);
  assert.equal(await refusal(wire, "tx.execute", { tx: 1, sql: "select 1" }), "TX_LOST none");
});

test("a transaction sees what it has done, others do not, and after a rollback nobody does", async (t) => {
  const home = new Home(t);
  await home.start();
  const [wire, other] = [await home.wire(), await home.wire()];
  await table(wire);
  await begin(wire, 1);
  await insert(wire, 1, 1);
  await wire.call("tx.execute", { tx: 1, sql: "savepoint s" });
  await insert(wire, 1, 2);
  await wire.call("tx.execute", { tx: 1, sql: "rollback to s" });
  const refused = await wire.refusal("tx.execute", { tx: 1, sql: "insert into t values (1)" });
  assert.equal(refused.data.code, "SQLITE_CONSTRAINT");
  const seen = await wire.call("tx.execute", { tx: 1, sql: "select a from t" });
  assert.deepEqual(seen.rows, [[1]]);
  assert.deepEqual(await rows(other), []);
  await wire.call("tx.rollback", { tx: 1 });
  await wire.call("tx.rollback", { tx: 1 });
  assert.deepEqual(await rows(other), []);
});

// rule 7: deferred constraints
test("a commit that a deferred constraint refuses leaves the transaction open, and can be said again", async (t) => {
  const home = new Home(t);
  await home.start();
  const [wire, other] = [await home.wire(), await home.wire()];
  const sql =
    "create table p (id integer primary key); create table c (p references p (id) deferrable initially deferred)";
  await wire.call("db.script", { sql, key: wire.key() });
  await begin(wire, 1);
  await wire.call("tx.execute", { tx: 1, sql: "insert into c values (7)" });
  const meanwhile = other.call("db.execute", { sql: "insert into p values (1)", key: other.key() });
  const key = wire.key();
  assert.equal(await refusal(wire, "tx.commit", { tx: 1, key }), "SQLITE_CONSTRAINT none");
  await wire.call("tx.execute", { tx: 1, sql: "insert into p values (7)" });
  await wire.call("tx.commit", { tx: 1, key: wire.key() });
  await meanwhile;
  assert.deepEqual((await wire.call("db.query", { sql: "select id from p" })).rows.flat(), [1, 7]);
});

// rule 3
test("a statement that rolls the whole transaction back poisons it, and plain writes go on", async (t) => {
  const home = new Home(t);
  await home.start();
  const [wire, other] = [await home.wire(), await home.wire()];
  await table(wire);
  await begin(wire, 1);
  await insert(wire, 1, 1);
  const waiting = plain(other, 9);
  const failed = await wire.refusal("tx.execute", { tx: 1, sql: "insert or rollback into t values (1)" });
  assert.equal(failed.data.code, "SQLITE_CONSTRAINT");
  await waiting;
  assert.equal(await refusal(wire, "tx.execute", { tx: 1, sql: "insert into t values (2)" }), "TX_ROLLED_BACK none");
  assert.equal(await refusal(wire, "tx.commit", { tx: 1, key: wire.key() }), "TX_ROLLED_BACK none");
  assert.equal(await refusal(wire, "tx.commit", { tx: 1, key: wire.key() }), "TX_LOST none");
  assert.deepEqual(await rows(wire), [9]);
});

test("a transaction that does nothing while others wait is rolled back, and stays poisoned until it is closed", async (t) => {
  const home = new Home(t);
  await home.start({ limits: { txIdleMs: 300 } });
  const [wire, other] = [await home.wire(), await home.wire()];
  await table(wire);
  await begin(wire, 1);
  await insert(wire, 1, 1);
  await plain(other, 2);
  const expired = await wire.refusal("tx.execute", { tx: 1, sql: "insert into t values (3)" });
  assert.equal(expired.data.code, "TX_EXPIRED");
  assert.equal(expired.data.details["limit"], "txIdleMs");
  assert.equal(await refusal(wire, "tx.commit", { tx: 1, key: wire.key() }), "TX_EXPIRED none");
  await begin(wire, 2);
  await insert(wire, 2, 4);
  await wire.call("tx.commit", { tx: 2, key: wire.key() });
  assert.deepEqual(await rows(wire), [2, 4]);
});

// rule 11: pauses
test("a transaction that is idle while the whole broker stands still is not over because of it", async (t) => {
  const home = new Home(t);
  const front = await home.start({ limits: { txIdleMs: 5000, txContendedMs: 5500 } });
  const [wire, other] = [await home.wire(), await home.wire()];
  await table(wire);
  await begin(wire, 1);
  await insert(wire, 1, 1);
  const waiting = plain(other, 2);
  const all = [front.known, ...childrenOf(front.pid)];
  for (const one of all) await stop(one);
  await standStillFor(6000);
  for (const one of all.reverse()) kill(one, "SIGCONT");
  await insert(wire, 1, 3);
  await wire.call("tx.commit", { tx: 1, key: wire.key() });
  await waiting;
  assert.deepEqual(await rows(wire), [1, 2, 3]);
});

test("a client that dies in its transaction leaves nothing of it, and whoever waited goes on", async (t) => {
  const home = new Home(t);
  await home.start();
  const canary = await Canary.start(home);
  const [wire, next] = [await home.wire(), await home.wire()];
  await table(wire);
  await begin(wire, 1);
  await insert(wire, 1, 1);
  const waiting = begin(next, 1);
  await wire.drop();
  await waiting;
  await insert(next, 1, 2);
  await next.call("tx.commit", { tx: 1, key: next.key() });
  assert.deepEqual(await rows(next), [2]);
  const again = await back(home, wire);
  assert.equal(await refusal(again, "tx.execute", { tx: 1, sql: "insert into t values (3)" }), "TX_LOST none");
  assert.equal(await refusal(again, "tx.commit", { tx: 1, key: wire.key() }), "TX_LOST none");
  await canary.goesOn();
});

// rule 15: a fence is lost while its transaction idles
// rule 15
test("a program that is stopped in its transaction keeps others waiting for so long and no longer, and is told when it goes on", async (t) => {
  const home = new Home(t);
  await home.start({ limits: { txIdleMs: 1000 } });
  const other = await home.wire();
  await table(other);
  const program = fork(fileURLToPath(new URL("./transactor.main.js", import.meta.url)), [home.dir]);
  const stopped = known(program.pid ?? 0);
  t.after(() => kill(stopped, "SIGKILL"));
  const word = async (what: string) => (await within(what, once(program, "message")))[0] as unknown;
  assert.equal(await word("a transaction to begin"), "begun");
  await stop(stopped);
  await plain(other, 2);
  kill(stopped, "SIGCONT");
  program.send("go on");
  assert.equal(await word("the end of the transaction"), "TX_EXPIRED");
  assert.deepEqual(await rows(other), [2]);
});

test("a lock that is lost in the middle of a transaction undoes it at once, and the next holder finds nothing of it", async (t) => {
  const home = new Home(t);
  await home.start();
  const [owner, writer, next] = [await home.wire(), await home.wire(), await home.wire()];
  await table(owner);
  const { token } = await owner.call("lock.acquire", { name: "index", key: owner.key() });
  await begin(writer, 1, { fence: [{ name: "index", token }] });
  await insert(writer, 1, 1);
  const granted = next.call("lock.acquire", { name: "index", key: next.key() });
  await owner.call("session.goodbye", {});
  const { token: mine } = await granted;
  await plain(next, 2);
  assert.equal(await refusal(writer, "tx.execute", { tx: 1, sql: "insert into t values (3)" }), "FENCED none");
  assert.equal(await refusal(writer, "tx.commit", { tx: 1, key: writer.key() }), "FENCED none");
  const late = await writer.refusal("tx.begin", { tx: 2, mode: "write", fence: [{ name: "index", token }] });
  assert.equal(late.data.code, "FENCED");
  await begin(next, 1, { fence: [{ name: "index", token: mine }] });
  await insert(next, 1, 4);
  await next.call("tx.commit", { tx: 1, key: next.key() });
  assert.deepEqual(await rows(next), [2, 4]);
});

// rule 8: settlement
test("a writer that is killed in the middle of a transaction takes it along, and only it", async (t) => {
  const home = new Home(t);
  await home.start();
  const canary = await Canary.start(home);
  const [wire, other] = [await home.wire(), await home.wire()];
  await table(wire);
  await begin(wire, 1);
  await insert(wire, 1, 1);
  const waiting = plain(other, 2);
  const writer = await home.processOf("writer");
  kill(writer, "SIGKILL");
  await gone("the writer", writer);
  await waiting;
  assert.equal(await refusal(wire, "tx.execute", { tx: 1, sql: "insert into t values (3)" }), "TX_LOST none");
  assert.equal(await refusal(wire, "tx.commit", { tx: 1, key: wire.key() }), "TX_LOST none");
  assert.deepEqual(await rows(wire), [2]);
  await canary.goesOn();
});

test("a statement that never ends in a transaction is ended with it, and those who waited go on", async (t) => {
  const home = new Home(t);
  await home.start({ limits: { writeContendedMs: 400 } });
  const canary = await Canary.start(home);
  const [wire, next] = [await home.wire(), await home.wire()];
  await table(wire);
  await begin(wire, 1);
  await insert(wire, 1, 1);
  const waiting = begin(next, 1);
  assert.equal(await refusal(wire, "tx.execute", { tx: 1, sql: endless }), "STATEMENT_TIMEOUT none");
  await waiting;
  await insert(next, 1, 2);
  await next.call("tx.commit", { tx: 1, key: next.key() });
  assert.equal(await refusal(wire, "tx.commit", { tx: 1, key: wire.key() }), "TX_LOST none");
  assert.deepEqual(await rows(next), [2]);
  await canary.goesOn();
});

// rule 1: the start write decides
test("a writer that is killed at the sync of a commit: it was committed and is said so, or it was not and is said so", async (t) => {
  const home = new Home(t);
  const disk = FaultyDisk.make(home.dir);
  await home.start({ env: disk.env });
  const wire = await home.wire();
  await table(wire);
  const expected: number[] = [];
  for (let n = 1; n <= 4; n++) {
    await begin(wire, n);
    await insert(wire, n, n);
    const key = wire.key();
    let commit: ReturnType<Wire["post"]> | undefined;
    const writer = await disk.stopAtSync("data.db-wal", () => {
      commit = wire.post("tx.commit", n % 2 === 0 ? { tx: n } : { tx: n, key });
    });
    kill(writer, "SIGKILL");
    const answer = await commit;
    if (answer?.error === undefined) expected.push(n);
    else assert.equal(`${answer.error.data.code} ${answer.error.data.outcome}`, "TX_LOST none");
    assert.deepEqual(await rows(wire), expected);
  }
});

// rule 15: COMMIT's key is looked up before the transaction
test("a broker that is killed after a commit, before its answer has arrived: asked again it answers the same, and nothing is done twice", async (t) => {
  const home = new Home(t);
  const disk = FaultyDisk.make(home.dir);
  let front = await home.start({ env: disk.env });
  let wire = await home.wire();
  await table(wire);
  const expected: number[] = [];
  for (let n = 1; n <= 4; n++) {
    await begin(wire, n);
    await insert(wire, n, n);
    const key = 10 + n;
    // Killed as a whole, or the front alone: then the writer ends what it has begun.
    const writer = await disk.stopAtSync("data.db-wal", () => void wire.post("tx.commit", { tx: n, key }));
    if (n % 2 === 0) kill(writer, "SIGCONT");
    await front.kill();
    if (n % 2 === 1) kill(writer, "SIGCONT");
    front = await home.start({ env: disk.env });
    wire = await back(home, wire);
    const answers = [await wire.post("tx.commit", { tx: n, key }), await wire.post("tx.commit", { tx: n, key })];
    assert.deepEqual(answers[1]?.result, answers[0]?.result);
    if (answers[0]?.error === undefined) expected.push(n);
    else assert.equal(`${answers[0].error.data.code} ${answers[0].error.data.outcome}`, "TX_LOST none");
    assert.deepEqual(await rows(wire), expected);
    assert.equal(
      await refusal(wire, "tx.commit", { tx: n + 10, key }),
      answers[0]?.error === undefined ? "KEY_REUSED none" : "TX_LOST none",
    );
  }
});

test("transactions that wait have the writer in the order in which they came, and plain writes have their turns between them", async (t) => {
  const home = new Home(t);
  await home.start();
  const wires = await Promise.all([1, 2, 3, 4].map(() => home.wire()));
  const [owner, , , writer] = wires as [Wire, Wire, Wire, Wire];
  await table(owner);
  await begin(owner, 1);
  const order: string[] = [];
  const work: Promise<void>[] = [];
  for (const [place, wire] of wires.slice(1, 3).entries()) {
    work.push(
      begin(wire, 1).then(async () => {
        order.push(`transaction ${place + 1}`);
        await insert(wire, 1, place + 1);
        await wire.call("tx.commit", { tx: 1, key: wire.key() });
      }),
    );
    // In the order of their arrival: the next one comes when the broker has heard this one.
    await wire.call("session.ping", {});
  }
  for (const a of [7, 8])
    work.push(
      plain(writer, a).then(() => {
        order.push(`write ${a}`);
      }),
    );
  await writer.call("session.ping", {});
  await owner.call("tx.commit", { tx: 1, key: owner.key() });
  await Promise.all(work);
  assert.deepEqual(order, ["write 7", "write 8", "transaction 1", "transaction 2"]);
});

test("a lock goes to the next in the moment in which the write or the commit that gives it back is on disk", async (t) => {
  const home = new Home(t);
  await home.start();
  const [wire, other] = [await home.wire(), await home.wire()];
  await table(wire);
  const acquire = (of: Wire) => of.call("lock.acquire", { name: "a", key: of.key() });
  const first = await acquire(wire);
  const waiting = acquire(other);
  const held = [{ name: "a", token: first.token }];
  const insert7 = { sql: "insert into t values (7)", fence: held, release: held };
  const key = wire.key();
  await wire.call("db.execute", { ...insert7, key });
  const second = await waiting;
  assert.ok(second.token > first.token);
  // The same once more takes nothing from the next, and is the same.
  const again = await wire.call("db.execute", { ...insert7, key });
  assert.equal(again.rowsAffected, 1);
  assert.equal(await refusal(wire, "db.execute", { ...insert7, release: [], key }), "KEY_REUSED none");
  assert.equal(await refusal(wire, "db.execute", { sql: "select 1", release: held }), "PARAMS_INVALID none");
  const theirs = [{ name: "a", token: second.token }];
  await begin(other, 1, { fence: theirs });
  await insert(other, 1, 8);
  const third = acquire(wire);
  await other.call("tx.commit", { tx: 1, key: other.key(), release: theirs });
  assert.ok((await third).token > second.token);
  assert.deepEqual(await rows(wire), [7, 8]);
});
