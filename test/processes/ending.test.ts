/**
 * The end of a broker in good order: by SIGTERM, by Ctrl-C to the whole group, by a client's word; under load, and when
 * somebody does not want to wait for it.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Front, Home } from "../support/broker.js";
import { until, within } from "../support/patience.js";
import { childrenOf, gone, isGone, type KnownProcess, kill } from "../support/processes.js";
import type { Answer, Wire } from "../support/wire.js";
import { Crew } from "./crew.js";

const slowly = "(with recursive c(x) as (select 1 union all select x + 1 from c limit 60000) select max(x) from c)";
const endless = "(with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c)";

interface Scene {
  readonly home: Home;
  readonly front: Front;
  readonly children: readonly KnownProcess[];
  readonly wire: Wire;
}

async function scene(t: { after(clean: () => void | Promise<void>): void }): Promise<Scene> {
  const home = new Home(t);
  const front = await home.start();
  const wire = await home.wire();
  await wire.call("db.execute", { sql: "create table item (n integer)", key: wire.key() });
  return { home, front, children: childrenOf(front.pid), wire };
}

/** Of what was sent, what was answered with a result. */
async function acknowledged(posts: readonly Promise<Answer>[]): Promise<number[]> {
  const answers = await Promise.allSettled(posts);
  return answers.flatMap((answer, n) => (answer.status === "fulfilled" && answer.value.error === undefined ? [n] : []));
}

/** Ended when its time is over: until then the broker has something to wait for. */
function endlessWrite(wire: Wire): Promise<Answer> {
  const sql = `insert into item values (0 * ${endless})`;
  return wire.post("db.execute", { sql, timeoutMs: 1500, key: wire.key() });
}

/** Each way to read. */
function reading(wire: Wire): (readonly [string, object])[] {
  const sql = "select n from item";
  return [
    ["db.query", { sql }],
    ["db.execute", { sql, key: wire.key() }],
    ["db.batch", { statements: [{ sql }, { sql }], key: wire.key() }],
    ["db.script", { sql: `${sql}; ${sql};`, key: wire.key() }],
    ["db.describe", { sql }],
    ["db.stream", { sql, stream: 1, credit: 1000 }],
    ["tx.begin", { tx: 1, mode: "read" }],
  ];
}

async function rowsAfterwards(home: Home): Promise<unknown[]> {
  await home.start();
  const wire = await home.wire();
  return (await wire.call("db.query", { sql: "select n from item order by n" })).rows.map(([n]) => n);
}

test("SIGTERM under load: what was begun is answered, clients are told, and the broker ends with 0 and all its children", async (t) => {
  const { home, front, children, wire } = await scene(t);
  const posts = Array.from({ length: 50 }, (_, n) =>
    wire.post("db.execute", { sql: `insert into item values (${n} + 0 * ${slowly})`, key: wire.key() }),
  );
  await Promise.race(posts);
  const ending = await front.stop();
  assert.deepEqual(ending, { code: 0, signal: null }, front.output);
  for (const child of children) assert.ok(isGone(child), `child ${child.pid} is left over`);
  assert.equal((await wire.notice("session.closing")).method, "session.closing");
  assert.equal((await within("the end of the connection", wire.closed)).code, 1012);
  const done = await acknowledged(posts);
  // It was begun when the signal came: all of it was in the broker's hands.
  assert.deepEqual(await rowsAfterwards(home), done);
  assert.equal(done.length, 50);
});

test("what comes after SIGTERM is refused with SHUTTING_DOWN and surely not done", async (t) => {
  const { home, front, wire } = await scene(t);
  // Something to wait for, so that the end takes a while.
  const slow = endlessWrite(wire);
  kill(front.known, "SIGTERM");
  await wire.notice("session.closing");
  const { data } = await wire.refusal("db.execute", { sql: "insert into item values (1)", key: wire.key() });
  assert.deepEqual([data.code, data.retryable, data.outcome], ["SHUTTING_DOWN", true, "none"]);
  assert.equal((await wire.refusal("lock.acquire", { name: "late", key: wire.key() })).data.code, "SHUTTING_DOWN");
  // rule 4: what reads must show the write before it
  for (const [method, params] of reading(wire)) {
    const { data: late } = await wire.refusal(method, params);
    assert.deepEqual([late.code, late.outcome], ["SHUTTING_DOWN", "none"], method);
  }
  await assert.rejects(home.wire(), /503/);
  assert.equal((await slow).error?.data.code, "STATEMENT_TIMEOUT");
  assert.equal((await within("the end", front.exited)).code, 0);
  assert.deepEqual(await rowsAfterwards(home), []);
});

// rule 5: what is sent in order on one connection keeps its order, over two brokers too
test("a write under a lock and the release behind it that come too late for a broker are done by the next, in this order", async (t) => {
  const { home, front, wire } = await scene(t);
  const holder = await home.wire();
  const { token } = await holder.call("lock.acquire", { name: "x", key: holder.key() });
  const fence = { name: "x", token };
  const slow = endlessWrite(wire);
  kill(front.known, "SIGTERM");
  await holder.notice("session.closing");
  const write = { sql: "insert into item values (5)", fence: [fence], key: holder.key() };
  const release = { ...fence, key: holder.key() };
  const late = [holder.post("db.execute", write), holder.post("lock.release", release)];
  for (const { error } of await Promise.all(late))
    assert.deepEqual([error?.data.code, error?.data.outcome], ["SHUTTING_DOWN", "none"]);
  await slow;
  assert.equal((await within("the end", front.exited)).code, 0);
  await home.start();
  const again = await home.silent({ headers: { "holdfast-purpose": "resuming" } });
  await again.hello({ secret: holder.secret, mode: "resume", grants: [fence] });
  const done = [again.call("db.execute", write), again.call("lock.release", release)] as const;
  assert.equal((await done[0]).rowsAffected, 1);
  await done[1];
  const next = await home.wire();
  await next.call("lock.acquire", { name: "x", key: next.key(), waitMs: 0 });
});

// rule 17: Ctrl-C reaches the whole group
test("Ctrl-C to the whole group: the children finish what they have, and the broker ends with 0", async (t) => {
  const { home, front, wire } = await scene(t);
  const { epoch } = await home.status();
  const posts = Array.from({ length: 30 }, (_, n) =>
    wire.post("db.execute", { sql: `insert into item values (${n} + 0 * ${slowly})` }),
  );
  await Promise.race(posts);
  process.kill(-front.pid, "SIGINT");
  assert.deepEqual(await within("the end", front.exited), { code: 0, signal: null }, front.output);
  const done = await acknowledged(posts);
  assert.equal(done.length, 30);
  assert.deepEqual(await rowsAfterwards(home), done);
  // No writer had to take another's place.
  assert.equal((await home.status()).epoch, epoch + 1);
});

// rule 17: a supervisor signals all processes
test("TERM and HUP to every process of the broker end it as TERM to the front does", async (t) => {
  const { home, front, children, wire } = await scene(t);
  const { epoch } = await home.status();
  const posts = Array.from({ length: 30 }, (_, n) =>
    wire.post("db.execute", { sql: `insert into item values (${n} + 0 * ${slowly})` }),
  );
  await Promise.race(posts);
  for (const child of children) for (const signal of ["SIGHUP", "SIGTERM"] as const) kill(child, signal);
  assert.equal((await front.stop()).code, 0);
  assert.deepEqual(await rowsAfterwards(home), await acknowledged(posts));
  assert.equal((await home.status()).epoch, epoch + 1);
});

test("a second SIGTERM ends it at once with 143, and the next broker finds everything in order", async (t) => {
  const { home, front, children, wire } = await scene(t);
  await wire.call("db.execute", { sql: "insert into item values (7)", key: wire.key() });
  void wire.post("db.execute", { sql: `insert into item values (${endless})`, timeoutMs: 300_000 });
  await until("the write to be with the writer", async () => (await home.status()).writes.dispatched > 0);
  kill(front.known, "SIGTERM");
  await wire.notice("session.closing");
  // Right behind the first it would be the same wish.
  const again = setInterval(() => kill(front.known, "SIGTERM"), 200);
  t.after(() => clearInterval(again));
  assert.deepEqual(await within("the end", front.exited), { code: 143, signal: null });
  clearInterval(again);
  assert.deepEqual(await rowsAfterwards(home), [7]);
  for (const child of children) await gone("a child", child);
});

test("a client that asks for it ends the broker with 0, and all are told why", async (t) => {
  const { home, front, wire } = await scene(t);
  const other = await home.wire();
  await other.call("admin.stop", {});
  assert.match(String((await wire.notice("session.closing")).params["reason"]), /client/);
  assert.equal((await within("the end", front.exited)).code, 0);
});

test("programs at work while the broker is stopped and started five times lose nothing and see no error", async (t) => {
  const home = new Home(t);
  let front = await home.start();
  await Crew.prepare(await home.connect(), 4);
  const crew = await Crew.start(t, home, { members: 4, works: ["inserts", "counter", "fenced"], start: false });
  for (let n = 0; n < 5; n++) {
    await crew.eachGoesOn(5);
    assert.equal((await front.stop()).code, 0, front.output);
    front = await home.start();
  }
  await crew.eachGoesOn(5);
  await crew.finish();
  await crew.check(await home.connect());
});
