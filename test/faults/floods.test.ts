/**
 * Too much of everything: requests, answers that nobody reads, connections, waiters, locks. Each has a limit and a code
 * of its own, and who keeps within bounds is served meanwhile.
 */
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { Home } from "../support/broker.js";
import { Canary } from "../support/canary.js";
import { until, within } from "../support/patience.js";
import { kill, stop } from "../support/processes.js";
import { type Answer, Wire } from "../support/wire.js";

const home = new Home({ after });
let canary: Canary;

before(async () => {
  await home.start({
    limits: {
      // Of fifty that come at once on a busy machine the last says hello late.
      helloMs: 30_000,
      unauthenticatedMax: 64,
      outputBytesMax: 1_048_576,
      waitersMax: 10,
      locksPerSessionMax: 20,
      requestsInFlightMax: 256,
    },
  });
  canary = await Canary.start(home);
  const wire = await home.wire();
  await wire.call("db.execute", { sql: "create table flood (id integer primary key, n integer)", key: wire.key() });
});

afterEach(() => canary.goesOn());

test("10,000 requests in one breath are all answered, in order, and the rest of the world goes on", async () => {
  const wire = await home.wire();
  const total = 10_000;
  const writes: Promise<unknown>[] = [];
  const reads: Promise<unknown>[] = [];
  for (let n = 0; n < total; n += 2) {
    writes.push(wire.call("db.execute", { sql: "insert into flood (n) values (?)", args: [n], key: wire.key() }));
    reads.push(wire.call("session.ping", {}));
  }
  await canary.goesOn();
  await within("all answers", Promise.all([...writes, ...reads]));
  const { rows } = await wire.call("db.query", { sql: "select n from flood order by id" });
  assert.deepEqual(
    rows.map(([n]) => n),
    Array.from({ length: total / 2 }, (_, i) => i * 2),
  );
});

test("a client that never reads its answers is cut off, and only that one", async () => {
  const wire = await home.wire();
  const before = (await home.status()).connections;
  wire.stopReading();
  const sql = "select zeroblob(1000000)";
  for (let n = 0; n < 40; n++) void wire.post("db.query", { sql });
  await canary.goesOn();
  await until("the broker to give the connection up", async () => (await home.status()).connections < before);
  wire.readOn();
  const { code } = await within("the end of the connection", wire.closed);
  assert.ok(code === 1013 || code === 1006, `closed with ${code}`);
});

// promise 10: who reads slowly reads
test("a client that reads slowly gets all that it has asked for, however much that is at once", async () => {
  const wire = await home.wire();
  const sql = "select ?, zeroblob(3000000)";
  wire.socket.on("message", () => {
    wire.stopReading();
    setTimeout(() => wire.readOn(), 300);
  });
  const reads = Array.from({ length: 30 }, (_, n) => wire.call("db.query", { sql, args: [n] }));
  await canary.goesOn();
  for (const [n, read] of reads.entries()) assert.equal((await read).rows[0]?.[0], n);
});

test("200 connections that never say hello are closed with 4408; whoever comes meanwhile is let in or told to come again", async (t) => {
  const one = new Home(t);
  await one.start({ limits: { helloMs: 2000, unauthenticatedMax: 64 } });
  const innocent = await Canary.start(one);
  const silent = await Promise.allSettled(Array.from({ length: 200 }, () => Wire.open(one.socket)));
  const open = silent.flatMap((wire) => (wire.status === "fulfilled" ? [wire.value] : []));
  assert.ok(open.length > 0);
  for (const wire of silent) if (wire.status === "rejected") assert.match(String(wire.reason), /503/);
  // The places for those who come back, and for people who look, are others.
  const operator = await one.silent({ headers: { "holdfast-purpose": "operator" } });
  await operator.hello();
  const codes = await Promise.all(
    open.map(async (wire) => (await within("the end of a silent connection", wire.closed)).code),
  );
  assert.deepEqual([...new Set(codes)], [4408]);
  await one.wire();
  await innocent.goesOn();
});

test("of many large statements that come in one breath a few are looked at in one turn, and who asks for little waits for no more", async (t) => {
  const one = new Home(t);
  const front = await one.start();
  const large = await Promise.all(Array.from({ length: 8 }, () => one.wire()));
  const innocent = await one.wire();
  // What all come to is found in the kernel by a broker that goes on; the ping was sent last.
  await stop(front.known);
  const sql = `select 1${"+1".repeat(60_000)}; select 2`;
  let refused = 0;
  const refusals = large.map(async (wire) => {
    const { data } = await wire.refusal("db.query", { sql });
    refused += 1;
    return data.code;
  });
  await until("all to be on its way", () => large.every(({ socket }) => socket.bufferedAmount === 0));
  const ping = innocent.call("session.ping", {}).then(() => refused);
  await until("the ping to be on its way", () => innocent.socket.bufferedAmount === 0);
  kill(front.known, "SIGCONT");
  const before = await ping;
  assert.ok(before <= 4, `the ping was answered after ${before} large statements`);
  assert.deepEqual(await Promise.all(refusals), Array(8).fill("SQL_MANY"));
});

test("waiters beyond the limit are refused with QUEUE_FULL, and those before keep their order", async () => {
  const holder = await home.wire();
  const { token } = await holder.call("lock.acquire", { name: "popular", key: holder.key() });
  const waiters = await Promise.all(Array.from({ length: 11 }, () => home.wire()));
  const last = waiters.pop() ?? assert.fail("nobody is the last");
  const waits: Promise<Answer<{ readonly token: number }>>[] = [];
  for (const wire of waiters) {
    waits.push(wire.post("lock.acquire", { name: "popular", key: wire.key() }));
    // What comes on several connections at once may be read in any order.
    await until("it to wait", async () => (await home.status()).locks.waiting === waits.length);
  }
  assert.equal((await last.refusal("lock.acquire", { name: "popular", key: last.key() })).data.code, "QUEUE_FULL");
  await holder.call("lock.release", { name: "popular", token, key: holder.key() });
  let before = token;
  for (const [n, wire] of waiters.entries()) {
    const grant = (await waits[n])?.result;
    assert.ok(grant !== undefined && grant.token > before, `waiter ${n}`);
    before = grant.token;
    await wire.call("lock.release", { name: "popular", token: grant.token, key: wire.key() });
  }
});

test("locks beyond the limit of a session are refused with LOCKS_FULL, and go when the session goes", async () => {
  const wire = await home.wire();
  for (let n = 0; n < 20; n++) await wire.call("lock.acquire", { name: `many/${n}`, key: wire.key() });
  assert.equal((await wire.refusal("lock.acquire", { name: "many/20", key: wire.key() })).data.code, "LOCKS_FULL");
  await wire.call("session.goodbye", {});
  const other = await home.wire();
  assert.deepEqual((await other.call("lock.list", { prefix: "many/" })).locks, []);
});

test("a thousand connections that come and go leave none behind", async () => {
  const before = await home.status();
  for (let n = 0; n < 20; n++)
    await Promise.all(
      Array.from({ length: 50 }, async (_, i) => {
        const wire = await Wire.greeted(home.socket);
        await wire.call("lock.acquire", { name: `passing/${n}/${i}`, key: wire.key() });
        if (i % 2 === 0) await wire.call("session.goodbye", {});
        await wire.drop();
      }),
    );
  const wire = await home.wire();
  assert.ok(
    (await wire.call("lock.list", { prefix: "passing/" })).locks.every(({ holders }) => !holders[0]?.connected),
  );
  await wire.call("session.goodbye", {});
  await wire.drop();
  await until(
    "the connections to be as few as before",
    async () => (await home.status()).connections <= before.connections,
  );
});
