/**
 * Statements that never end: each is ended at its own time, with its own code, and nobody else pays for it. What runs
 * in a child process is ended by ending the process; what was beside it in there runs again by itself.
 */
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { Home } from "../support/broker.js";
import { Canary } from "../support/canary.js";
import { until } from "../support/patience.js";
import { childrenOf, isGone } from "../support/processes.js";
import type { Answer } from "../support/wire.js";

const home = new Home({ after });
let canary: Canary;

const endless = "with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c";
/** Writes without making the log grow. */
const endlessWrite = `update counter set n = (${endless})`;

before(async () => {
  await home.start({ limits: { readMs: 500, writeMs: 2000, writeContendedMs: 500 } });
  canary = await Canary.start(home);
  const wire = await home.wire();
  await wire.call("db.script", {
    sql: "create table counter (n integer); insert into counter values (0); create table item (id integer primary key, who text)",
    key: wire.key(),
  });
});

// The innocent one has noticed nothing, and nothing of an ended statement was done.
afterEach(async () => {
  await canary.goesOn();
  const wire = await home.wire();
  assert.deepEqual((await wire.call("db.query", { sql: "select n from counter" })).rows, [[0]]);
});

function refusalOf(answer: Answer): { code: string | undefined; outcome: string | undefined } {
  return { code: answer.error?.data.code, outcome: answer.error?.data.outcome };
}

test("an endless read is ended with STATEMENT_TIMEOUT at the limit, in each way to ask for it", async () => {
  const wire = await home.wire();
  const answers = await Promise.all([
    wire.post("db.query", { sql: endless }),
    wire.post("db.execute", { sql: endless }),
    wire.post("db.batch", { statements: [{ sql: "select 1" }, { sql: endless }] }),
    wire.post("db.query", { sql: endless, timeoutMs: 100 }),
  ]);
  for (const answer of answers) assert.deepEqual(refusalOf(answer), { code: "STATEMENT_TIMEOUT", outcome: "none" });
});

test("a read that asks for more time than the limit gets it", async () => {
  const wire = await home.wire();
  const answer = await wire.post("db.query", { sql: endless, timeoutMs: 1000 });
  assert.match(String(answer.error?.message), /time/);
});

test("reads behind an endless one are answered while it runs", async () => {
  const greedy = await home.wire();
  const others = await Promise.all(Array.from({ length: 10 }, () => home.wire()));
  const hung = greedy.post("db.query", { sql: endless, timeoutMs: 60_000 });
  // More than there are readers, and from many: some of them were put behind the endless one.
  const behind = await Promise.all(
    others.flatMap((other) =>
      Array.from({ length: 20 }, (_, n) => other.call("db.query", { sql: "select ?", args: [n] })),
    ),
  );
  for (const [i, { rows }] of behind.entries()) assert.deepEqual(rows, [[i % 20]]);
  await greedy.drop();
  await assert.rejects(hung);
});

test("of reads that were always quick only the one that does not end is ended, whatever was answered with it", async () => {
  const wire = await home.wire();
  const sql = endless.replace("from c)", "from c where x < ?)");
  const quick = (n: number) => wire.post("db.query", { sql: "select ?", args: [n] });
  const counts = (n: number) => wire.post("db.query", { sql, args: [n] });
  // So that every reader has met them.
  for (let n = 0; n < 50; n++) await Promise.all([quick(n), counts(1)]);
  const answers = await Promise.all([...[1, 2, 3, 4, 5].map(quick), counts(1e15), ...[6, 7, 8, 9, 10].map(quick)]);
  const codes = answers.map(({ error }) => error?.data.code);
  assert.deepEqual(codes, [...Array(5).fill(undefined), "STATEMENT_TIMEOUT", ...Array(5).fill(undefined)]);
});

test("a client that fills every reader with endless reads does not keep others from reading", async () => {
  const [greedy, other] = [await home.wire(), await home.wire()];
  for (let n = 0; n < 20; n++) void greedy.post("db.query", { sql: endless, timeoutMs: 60_000 });
  for (let n = 0; n < 20; n++)
    assert.deepEqual((await other.call("db.query", { sql: "select ?", args: [n] })).rows, [[n]]);
  await canary.goesOn();
  await greedy.drop();
});

test("an endless write is ended with STATEMENT_TIMEOUT while others wait, with or without a key", async () => {
  const wire = await home.wire();
  for (const key of [wire.key(), undefined]) {
    const answer = await wire.post("db.execute", { sql: endlessWrite, ...(key === undefined ? {} : { key }) });
    assert.deepEqual(refusalOf(answer), { code: "STATEMENT_TIMEOUT", outcome: "none" });
  }
});

test("a write whose trigger never ends is ended with STATEMENT_TIMEOUT as any other", async () => {
  const wire = await home.wire();
  const trigger = `create trigger endless after insert on item begin update counter set n = (${endless}); end`;
  await wire.call("db.execute", { sql: trigger, key: wire.key() });
  const write = { sql: "insert into item (who) values ('the trigger')", key: wire.key() };
  assert.deepEqual(refusalOf(await wire.post("db.execute", write)), { code: "STATEMENT_TIMEOUT", outcome: "none" });
  await wire.call("db.execute", { sql: "drop trigger endless", key: wire.key() });
  const { rows } = await wire.call("db.query", { sql: "select count(*) from item where who = 'the trigger'" });
  assert.deepEqual(rows, [[0]]);
});

test("an endless script is ended with STATEMENT_TIMEOUT, and nothing of it is applied", async () => {
  const wire = await home.wire();
  const answer = await wire.post("db.script", {
    sql: `insert into item values (1000, 'script'); ${endlessWrite}`,
    key: wire.key(),
    timeoutMs: 300,
  });
  assert.deepEqual(refusalOf(answer), { code: "STATEMENT_TIMEOUT", outcome: "none" });
  assert.deepEqual((await wire.call("db.query", { sql: "select * from item where id = 1000" })).rows, []);
});

// rule 8: the culprit
test("of 50 writes without keys in one group, one of them endless, 49 are applied once and one is refused", async () => {
  const clients = await Promise.all(Array.from({ length: 5 }, () => home.wire()));
  const posts = Array.from({ length: 50 }, (_, n) => {
    const wire = clients[n % clients.length] as (typeof clients)[number];
    return n === 25
      ? wire.post("db.execute", { sql: endlessWrite, timeoutMs: 300 })
      : wire.post("db.execute", { sql: "insert into item (id, who) values (?, 'group')", args: [n] });
  });
  const answers = await Promise.all(posts);
  for (const [n, answer] of answers.entries())
    assert.deepEqual(
      refusalOf(answer),
      n === 25 ? { code: "STATEMENT_TIMEOUT", outcome: "none" } : { code: undefined, outcome: undefined },
      `write ${n}`,
    );
  const { rows } = await clients[0]!.call("db.query", { sql: "select id from item where who = 'group' order by id" });
  assert.deepEqual(
    rows.map(([id]) => id),
    Array.from({ length: 50 }, (_, n) => n).filter((n) => n !== 25),
  );
});

// rule 8: cancel
test("a running read and a running write that are cancelled end with CANCELLED, a queued one at once", async () => {
  const wire = await home.wire();
  for (const [method, params] of [
    ["db.query", { sql: endless, timeoutMs: 60_000 }],
    ["db.execute", { sql: endlessWrite, timeoutMs: 60_000 }],
  ] as const) {
    const answer = wire.postAs(method, method, method === "db.query" ? params : { ...params, key: wire.key() });
    const behind = wire.postAs("behind", "db.execute", {
      sql: "insert into item (who) values ('behind')",
      key: wire.key(),
    });
    wire.notify("session.cancel", { id: method });
    assert.deepEqual(refusalOf(await answer), { code: "CANCELLED", outcome: "none" }, method);
    assert.equal((await behind).error, undefined);
  }
});

// rule 8: cancel
test("a client that writes and cancels in a loop does not stop the others' writes", async () => {
  const wire = await home.wire();
  for (let n = 0; n < 6; n++) {
    const id = `loop ${n}`;
    const answer = wire.postAs(id, "db.execute", { sql: endlessWrite, key: wire.key() });
    wire.notify("session.cancel", { id });
    await canary.goesOn();
    const { code } = refusalOf(await answer);
    assert.ok(code === "CANCELLED" || code === "STATEMENT_TIMEOUT", String(code));
  }
});

test("a cancel that comes early ends no process", async (t) => {
  const patient = new Home(t);
  await patient.start({ limits: { cancelRunningMs: 60_000 } });
  const wire = await patient.wire();
  await wire.call("db.execute", { sql: "create table counter (n integer)", key: wire.key() });
  const writer = await patient.processOf("writer");
  for (let n = 0; n < 4; n++) {
    const id = `early ${n}`;
    const some = "with recursive c(x) as (select 1 union all select x + 1 from c limit 1000000) select count(*) from c";
    const answer = wire.postAs(id, "db.execute", { sql: `insert into counter values ((${some}))`, key: wire.key() });
    // It runs when the next one is answered by the reader.
    await patient.status();
    wire.notify("session.cancel", { id });
    await answer;
  }
  assert.deepEqual(await patient.processOf("writer"), writer);
});

test("who has had three statements ended by force gets a second for the next one", async (t) => {
  const own = new Home(t);
  await own.start({ limits: { writeMs: 300_000, cancelRunningMs: 0 } });
  const wire = await own.wire();
  await wire.call("db.execute", { sql: "create table counter (n integer)", key: wire.key() });
  const sql = `insert into counter values ((${endless}))`;
  for (let n = 0; n < 3; n++) {
    const id = `ended ${n}`;
    const writer = await own.processOf("writer");
    const answer = wire.postAs(id, "db.execute", { sql, key: wire.key() });
    await until("it to run", async () => (await own.status()).writes.dispatched === 1);
    wire.notify("session.cancel", { id });
    assert.equal(refusalOf(await answer).code, "CANCELLED");
    await until("the writer's end", () => isGone(writer));
  }
  assert.equal(refusalOf(await wire.post("db.execute", { sql, key: wire.key() })).code, "STATEMENT_TIMEOUT");
});

test("the cancel of a request that is answered, or never was, changes nothing", async () => {
  const wire = await home.wire();
  await wire.call("db.execute", { sql: "insert into item (who) values ('late cancel')", key: wire.key() });
  wire.notify("session.cancel", { id: 2 });
  wire.notify("session.cancel", { id: "nothing" });
  assert.deepEqual((await wire.call("db.query", { sql: "select count(*) from item where who = 'late cancel'" })).rows, [
    [1],
  ]);
});

test("the readers and the writer that were ended have successors, and no process is left over", async () => {
  await until("the broker to have the children that it knows, and no others", async () => {
    const { pid, processes } = await home.status();
    const children = processes.filter(({ role }) => role !== "front").map((one) => one.pid);
    const there = childrenOf(pid).filter((one) => !isGone(one));
    return (
      processes.some(({ role }) => role === "writer") &&
      there
        .map((one) => one.pid)
        .sort()
        .join() === children.sort().join()
    );
  });
});
