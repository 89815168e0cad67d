/**
 * Lines that break, clients that come back late, and all at once: what a session had it still has, what was sent is
 * applied once, and what became of it is known for good.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { Home } from "../support/broker.js";
import { Canary } from "../support/canary.js";
import { GoBetween } from "../support/go-between.js";
import { standStillFor, until, within } from "../support/patience.js";
import { kill, stop } from "../support/processes.js";
import { Wire } from "../support/wire.js";

const slowly = "(with recursive c(x) as (select 1 union all select x + 1 from c limit 300000) select max(x) from c)";

async function countOf(wire: Wire, how: string): Promise<unknown> {
  return (await wire.call("db.query", { sql: "select count(*) from item where how = ?", args: [how] })).rows[0]?.[0];
}

async function homeWithTable(
  t: { after(clean: () => void | Promise<void>): void },
  limits: { [name: string]: number },
): Promise<{ home: Home; admin: Wire; canary: Canary }> {
  const home = new Home(t);
  await home.start({ limits });
  const canary = await Canary.start(home);
  const admin = await home.wire();
  await admin.call("db.execute", { sql: "create table item (how text, n integer)", key: admin.key() });
  return { home, admin, canary };
}

// rule 6: the old connection is not read any more
test("a write that is sent again on a new connection while the old one is unread is applied once", async (t) => {
  const { home, admin, canary } = await homeWithTable(t, { requestsInFlightMax: 4 });
  for (let n = 0; n < 3; n++) {
    const how = `resent ${n}`;
    const old = await home.wire();
    // So many are in flight that the broker reads no further: the last ones lie in the socket.
    for (let i = 0; i < 8; i++) void old.post("db.execute", { sql: `insert into item values ('before', ${slowly})` });
    const write = { sql: "insert into item values (?, 1) returning how", args: [how], key: 7 };
    void old.post("db.execute", write);
    const again = await home.silent();
    const welcome = await again.hello({ secret: old.secret, mode: "resume" });
    assert.equal(welcome.resumed, true);
    const answer = await again.call("db.execute", write);
    assert.deepEqual(answer.rows, [[how]]);
    again.notify("session.ack", { below: 8 });
    await within("the end of the old connection", old.closed);
    assert.equal((await again.refusal("db.execute", write)).data.code, "RETRY_TOO_OLD");
    assert.equal(await countOf(again, how), 1);
  }
  assert.equal(await countOf(admin, "resent 0"), 1);
  await canary.goesOn();
});

// rule 6: the same key in flight attaches
test("a write that is sent again while the first is under way is answered by it", async (t) => {
  const { home, canary } = await homeWithTable(t, {});
  const old = await home.wire();
  const write = { sql: `insert into item values ('attached', ${slowly}) returning how`, key: 1 };
  const first = old.post("db.execute", write);
  const twice = old.post("db.execute", write);
  const again = await home.silent();
  await again.hello({ secret: old.secret, mode: "resume" });
  const answers = [await again.call("db.execute", write), await again.call("db.execute", write)];
  for (const { rows } of answers) assert.deepEqual(rows, [["attached"]]);
  assert.equal(await countOf(again, "attached"), 1);
  await Promise.allSettled([first, twice]);
  await canary.goesOn();
});

// rule 6: one key, one outcome
test("a write that is sent again while the first is under way is refused as the first is, though by then it could be done", async (t) => {
  const { home, admin } = await homeWithTable(t, {});
  await admin.call("db.script", {
    sql: "create unique index once on item (n); insert into item values ('in the way', 1)",
  });
  const wire = await home.wire();
  const write = { sql: "insert into item values ('refused', 1)", key: 2 };
  // The writer has something to do, so all of them are under way together.
  void wire.post("db.execute", { sql: `insert into item values ('slow', ${slowly})`, key: 1 });
  const first = wire.post("db.execute", write);
  void wire.post("db.execute", { sql: "delete from item where n = 1", key: 3 });
  const again = wire.post("db.execute", write);
  for (const answer of [first, again]) assert.equal((await answer).error?.data.code, "SQLITE_CONSTRAINT");
  assert.equal(await countOf(admin, "refused"), 0);
});

// rule 6: settling
test("a write whose answer was lost with its session is answered from what was stored, and not applied again", async (t) => {
  const { home, admin, canary } = await homeWithTable(t, {});
  const line = await GoBetween.open(home);
  const program = await home.connect({ socket: line.path, resumeWindowMs: 100 });
  await program.execute("insert into item values ('warm', 1)");
  const lock = await program.acquire("of the session");
  line.holdReplies();
  const answer = program.execute("insert into item values ('settled', 1) returning how");
  await until("the write to be applied", async () => (await countOf(admin, "settled")) === 1);
  await line.cut();
  // The lock goes to the next one when the session is over.
  const { token } = await admin.call("lock.acquire", { name: "of the session", key: admin.key() });
  await line.repair();
  const { rows, rowsAffected } = await within("the stored answer", answer);
  assert.deepEqual([rows.map((row) => ({ ...row })), rowsAffected], [[{ how: "settled" }], 1]);
  assert.equal(await countOf(admin, "settled"), 1);
  assert.ok(lock.lost && token > lock.token);
  await assert.rejects(lock.execute("insert into item values ('late', 1)"), { code: "FENCED" });
  await canary.goesOn();
});

// rule 6: settling
test("a write that never reached the broker before its session was over is applied once under the next", async (t) => {
  const { home, admin, canary } = await homeWithTable(t, {});
  const line = await GoBetween.open(home);
  const program = await home.connect({ socket: line.path, resumeWindowMs: 100 });
  await program.acquire("of the session");
  line.holdRequests();
  const answers = [1, 2, 3].map((n) => program.execute("insert into item values ('never', ?)", [n]));
  await line.held("requests");
  await line.cut();
  await admin.call("lock.acquire", { name: "of the session", key: admin.key() });
  await line.repair();
  for (const answer of answers) assert.equal((await within("the write's answer", answer)).rowsAffected, 1);
  const { rows } = await admin.call("db.query", { sql: "select n from item where how = 'never' order by rowid" });
  // In the order in which they were asked for.
  assert.deepEqual(rows, [[1], [2], [3]]);
  await canary.goesOn();
});

// rule 6: settling
test("what became of the keys of an ended session is told for good, and the session stays ended", async (t) => {
  const { home, canary } = await homeWithTable(t, {});
  const old = await home.wire();
  await old.call("db.execute", { sql: "insert into item values ('kept', 1)", key: 1 });
  await old.refusal("db.execute", { sql: "insert into nothing values (1)", key: 2 });
  const judge = await home.wire();
  const ask = () => judge.call("session.settle", { secret: old.secret, keys: [1, 2, 3] });
  const told = (await ask()).outcomes.map(({ key, outcome }) => [key, outcome]);
  assert.deepEqual(told, [
    [1, "applied"],
    [2, "never"],
    [3, "never"],
  ]);
  await old.notice("session.expired");
  const { data } = await old.refusal("db.execute", { sql: "insert into item values ('kept', 2)", key: 3 });
  assert.ok(data.code === "SESSION_EXPIRED" || data.code === "NOT_READY", data.code);
  assert.deepEqual(
    (await ask()).outcomes.map(({ key, outcome }) => [key, outcome]),
    told,
  );
  assert.equal(await countOf(judge, "kept"), 1);
  await canary.goesOn();
});

test("a line that breaks again and again costs a program nothing but time", async (t) => {
  const { home, admin, canary } = await homeWithTable(t, {});
  const line = await GoBetween.open(home);
  const program = await home.connect({ socket: line.path });
  const lock = await program.acquire("through it all");
  const answers: Promise<unknown>[] = [];
  for (let n = 0; n < 10; n++) {
    if (n % 2 === 0) line.holdReplies();
    else line.holdRequests();
    for (let i = 0; i < 20; i++) answers.push(lock.execute("insert into item values ('broken line', ?)", [n * 20 + i]));
    await line.held(n % 2 === 0 ? "replies" : "requests");
    await line.cut();
    await line.repair();
  }
  await within("all answers", Promise.all(answers));
  const { rows } = await admin.call("db.query", { sql: "select n from item where how = 'broken line' order by rowid" });
  assert.deepEqual(
    rows.map(([n]) => n),
    Array.from({ length: 200 }, (_, n) => n),
  );
  assert.ok(lock.held);
  await lock.release();
  await canary.goesOn();
});

/** Until so much time is over; somebody innocent goes on meanwhile. */
async function goOnFor(ms: number, canary: Canary): Promise<void> {
  for (const began = performance.now(); performance.now() - began < ms; ) await canary.goesOn();
}

// rule 11: a pause shifts deadlines
test("a window that the broker stood still through is as long as before when it goes on", async (t) => {
  const home = new Home(t);
  const front = await home.start({ limits: { resumeWindowMs: 6000 } });
  const canary = await Canary.start(home);
  const wire = await home.wire();
  const { token } = await wire.call("lock.acquire", { name: "over a pause", key: wire.key() });
  await wire.drop();
  // The canary's connection and that of who asks are left; the window runs from here on.
  await until("the broker to see that it is gone", async () => (await home.status()).connections <= 2);
  await stop(front.known);
  // Longer than the window; nobody is on the way in when it goes on, and it has time to look at what is over.
  await standStillFor(6500);
  kill(front.known, "SIGCONT");
  await goOnFor(300, canary);
  const again = await home.silent();
  const welcome = await again.hello({ secret: wire.secret, mode: "resume", grants: [{ name: "over a pause", token }] });
  assert.deepEqual([welcome.resumed, welcome.lost], [true, []]);
});

// rule 11: what seems over is confirmed
test("a session is not over while somebody is at the door who has not said who he is", async (t) => {
  const home = new Home(t);
  await home.start({ limits: { resumeWindowMs: 1000, helloMs: 30_000 } });
  const canary = await Canary.start(home);
  const wire = await home.wire();
  const { token } = await wire.call("lock.acquire", { name: "at the door", key: wire.key() });
  const again = await home.silent();
  await wire.drop();
  await goOnFor(1500, canary);
  const welcome = await again.hello({ secret: wire.secret, mode: "resume", grants: [{ name: "at the door", token }] });
  assert.deepEqual([welcome.resumed, welcome.lost], [true, []]);
});

// rule 18: those that come back have places of their own
test("clients that come back get in while the places of newcomers are taken, also several at once", async (t) => {
  const home = new Home(t);
  await home.start({ limits: { unauthenticatedMax: 1, helloMs: 60_000 } });
  const before = [await home.wire(), await home.wire(), await home.wire()];
  for (const wire of before) await wire.drop();
  await home.silent();
  await assert.rejects(home.silent());
  const headers = { "holdfast-purpose": "resuming" };
  const again = [await home.silent({ headers }), await home.silent({ headers }), await home.silent({ headers })];
  for (const [n, wire] of again.entries()) {
    const welcome = await wire.hello({ secret: before[n]?.secret ?? "", mode: "resume" });
    assert.equal(welcome.resumed, true);
  }
});

// rule 11: a pause expires nobody, and who knocks is let in first
test("500 clients that come back after the broker stood still for longer than their window find all that they had", async (t) => {
  const total = 500;
  const home = new Home(t);
  const front = await home.start({ limits: { resumeWindowMs: 6000, unauthenticatedMax: 600, helloMs: 60_000 } });
  const canary = await Canary.start(home);
  const secrets = Array.from({ length: total }, () => randomBytes(32).toString("base64url"));
  const first = await Promise.all(secrets.map((secret) => home.wire({ secret })));
  const grants = await Promise.all(
    first.map(async (wire, n) => wire.call("lock.acquire", { name: `storm/${n}`, key: wire.key() })),
  );
  for (const wire of first) wire.socket.terminate();
  // Their windows run from here on.
  await until("the broker to see that they are gone", async () => (await home.status()).connections <= 3);
  await stop(front.known);
  const back = secrets.map((secret, n) => comeBack(home, secret, { name: `storm/${n}`, token: grants[n]?.token ?? 0 }));
  // Longer than the window; the broker's clock must not count it.
  await standStillFor(7500);
  kill(front.known, "SIGCONT");
  for (const [n, welcome] of (await within("all to be back", Promise.all(back))).entries())
    assert.deepEqual(
      [welcome.resumed, welcome.lost, welcome.grants.map(({ token }) => token)],
      [true, [], [grants[n]?.token]],
    );
  await canary.goesOn();

  async function comeBack(where: Home, secret: string, held: { name: string; token: number }) {
    for (;;) {
      try {
        const wire = await Wire.open(where.socket, { headers: { "holdfast-purpose": "resuming" } });
        t.after(() => wire.socket.terminate());
        return await wire.hello({ secret, mode: "resume", grants: [held] });
      } catch (error) {
        // The queue of the socket is full: busy, not dead (rule 18). Or this process was so slow that its place was given up.
        if (!/EAGAIN|EPIPE|ECONNRESET|no hello within/.test(String(error))) throw error;
      }
    }
  }
});
