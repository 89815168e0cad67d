/**
 * The one order of everything: reads behind the writes before them, locks behind the writes under them, and nothing of
 * a dead front after its successor has spoken.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { type TestContext, test } from "node:test";
import { Home } from "../support/broker.js";
import { Canary } from "../support/canary.js";
import { until, within } from "../support/patience.js";
import { gone, isGone, kill, known, stateOf, stop } from "../support/processes.js";
import type { Wire } from "../support/wire.js";

/** A write that takes the writer a while (some 10 to 20 ms on an idle machine). */
const slowly = "(with recursive c(x) as (select 1 union all select x + 1 from c limit 60000) select max(x) from c)";
const endless = "(with recursive c(x) as (select 1 union all select x + 1 from c) select max(x) from c)";

async function table(wire: Wire): Promise<void> {
  await wire.call("db.execute", { sql: "create table item (n integer, how text)", key: wire.key() });
}

async function countOf(wire: Wire): Promise<unknown> {
  return (await wire.call("db.query", { sql: "select count(*) from item" })).rows[0]?.[0];
}

// rule 4: read your writes
test("a read that follows a write on its connection sees it, however slow the write is", async (t) => {
  const home = new Home(t);
  await home.start();
  const canary = await Canary.start(home);
  const wire = await home.wire();
  await table(wire);
  const reads: Promise<{ readonly rows: readonly (readonly unknown[])[] }>[] = [];
  for (let n = 1; n <= 60; n++) {
    // With and without a key, alone and in batches: each is sent before the one before it is answered.
    const values = n % 3 === 0 ? `(${n}, 'fast')` : `(${n}, ${slowly})`;
    const key = n % 2 === 0 ? { key: wire.key() } : {};
    void wire.post("db.execute", { sql: `insert into item values ${values}`, ...key });
    reads.push(
      n % 4 === 0
        ? wire
            .call("db.batch", { statements: [{ sql: "select count(*) from item" }] })
            .then(({ results: [first] }) => (first != null && "rows" in first ? first : assert.fail("it was refused")))
        : wire.call("db.query", { sql: "select count(*) from item" }),
    );
  }
  for (const [i, read] of reads.entries()) {
    const seen = Number((await read).rows[0]?.[0]);
    assert.ok(seen >= i + 1, `the read after write ${i + 1} saw ${seen} rows`);
  }
  await canary.goesOn();
});

// rule 3: a write is seen by whoever hears of its acknowledgement
test("a write that was acknowledged to one is seen by all others at once", async (t) => {
  const home = new Home(t);
  await home.start();
  const [writer, reader] = [await home.wire(), await home.wire()];
  await table(writer);
  for (let n = 1; n <= 100; n++) {
    await writer.call("db.execute", { sql: "insert into item values (?, 'seen')", args: [n] });
    assert.equal(await countOf(reader), n);
  }
});

// rule 5: draining
test("a lock that is released behind a slow fenced write is granted only when that write is settled", async (t) => {
  const home = new Home(t);
  await home.start();
  const canary = await Canary.start(home);
  const [first, next] = [await home.wire(), await home.wire()];
  await table(first);
  for (let n = 0; n < 5; n++) {
    const { token } = await first.call("lock.acquire", { name: "handed on", key: first.key() });
    const granted = next.call("lock.acquire", { name: "handed on", key: next.key() });
    const fence = [{ name: "handed on", token }];
    const write = first.post("db.execute", {
      sql: `insert into item values (${n}, ${slowly}), (${n}, ${slowly})`,
      fence,
      key: first.key(),
    });
    void first.post("lock.release", { name: "handed on", token, key: first.key() });
    const grant = await granted;
    const seen = await countOf(next);
    assert.equal((await write).error, undefined);
    // The next holder has seen all that the one before wrote, and nothing came after.
    assert.deepEqual([seen, await countOf(next)], [(n + 1) * 2, (n + 1) * 2]);
    assert.ok(grant.token > token);
    await next.call("lock.release", { name: "handed on", token: grant.token, key: next.key() });
  }
  await canary.goesOn();
});

// rule 5: draining
test("a write without a fence that was sent before the release is settled before the next holder as well", async (t) => {
  const home = new Home(t);
  await home.start();
  const [first, next] = [await home.wire(), await home.wire()];
  await table(first);
  const { token } = await first.call("lock.acquire", { name: "bare", key: first.key() });
  const granted = next.call("lock.acquire", { name: "bare", key: next.key() });
  void first.post("db.execute", { sql: `insert into item values (1, ${slowly}), (1, ${slowly})`, key: first.key() });
  void first.post("lock.release", { name: "bare", token, key: first.key() });
  await granted;
  assert.equal(await countOf(next), 2);
});

// rule 5: a release takes effect after the writes that were sent before it
test("a write that still waits for its turn when its lock is released is settled before the next holder as well", async (t) => {
  const home = new Home(t);
  await home.start({ limits: { writesDispatchedMax: 1 } });
  const [first, next] = [await home.wire(), await home.wire()];
  await table(first);
  const { token } = await first.call("lock.acquire", { name: "bare", key: first.key() });
  const granted = next.call("lock.acquire", { name: "bare", key: next.key() });
  // The writer gets one at a time; the others are in the broker's hands when the release comes, and take a while.
  const rows = Array.from({ length: 20 }, () => `(1, ${slowly})`).join(", ");
  for (let n = 0; n < 3; n++)
    void first.post("db.execute", { sql: `insert into item values ${rows}`, key: first.key() });
  void first.post("lock.release", { name: "bare", token, key: first.key() });
  await granted;
  assert.equal(await countOf(next), 60);
});

interface Estate {
  readonly limits: { readonly [name: string]: number };
  readonly fenced: boolean;
  /** How many writes it leaves; each takes some 10 ms. */
  readonly writes: number;
  /** Somebody else keeps its connection open: what it has sent is not dropped for the loss of that. */
  readonly keptOpen: boolean;
}

/** A holder dies with slow writes under way; what the next holder sees is all there will ever be. Gives how many that are. */
async function nothingLandsLater(t: TestContext, { limits, fenced, writes, keptOpen }: Estate): Promise<number> {
  const home = new Home(t);
  await home.start({ limits: { resumeWindowMs: 3_600_000, ...limits } });
  const canary = await Canary.start(home);
  const next = await home.wire();
  await table(next);
  // Its process is another one than ours, so that it can die.
  const doomed = spawn("sleep", ["1000"], { stdio: "ignore" });
  t.after(() => doomed.kill("SIGKILL"));
  const { pid, startTime } = known(doomed.pid ?? 0);
  const holder = await home.wire({ process: { pid, startTime } });
  const { token } = await holder.call("lock.acquire", { name: "left behind", key: holder.key() });
  const granted = next.call("lock.acquire", { name: "left behind", key: next.key() });
  const fence = fenced ? { fence: [{ name: "left behind", token }] } : {};
  for (let n = 0; n < writes; n++)
    void holder.post("db.execute", { sql: `insert into item values (${n}, ${slowly})`, key: holder.key(), ...fence });
  await until("the first of its writes", async () => Number(await countOf(next)) > 0);
  doomed.kill("SIGKILL");
  if (!keptOpen) await holder.drop();
  const grant = await granted;
  assert.ok(grant.token > token);
  const seen = Number(await countOf(next));
  // Every write that was still on its way would be through before this one.
  await next.call("db.execute", {
    sql: "insert into item values (1000, 'next')",
    fence: [{ name: "left behind", token: grant.token }],
    key: next.key(),
  });
  assert.equal(await countOf(next), seen + 1);
  await canary.goesOn();
  return seen;
}

// rule 5: draining
test("a holder that dies with slow fenced writes under way leaves nothing that lands under the next holder", async (t) => {
  await nothingLandsLater(t, { limits: {}, fenced: true, writes: 50, keptOpen: false });
});

// rule 5: the undispatched writes of a dead session are dropped
test("a holder that dies leaves no write that still waits for its turn", async (t) => {
  const writes = 300;
  const limits = { writesDispatchedMax: 1 };
  const seen = await nothingLandsLater(t, { limits, fenced: false, writes, keptOpen: true });
  assert.ok(seen < writes, "all of its writes were done, also those that had not begun");
});

// rule 12: a zombie is dead
test("a holder that was killed and is reaped by nobody loses its lock at once", async (t) => {
  const home = new Home(t);
  await home.start({ limits: { resumeWindowMs: 3_600_000 } });
  const canary = await Canary.start(home);
  // The shell becomes a program that never asks what became of its child.
  const parent = spawn("sh", ["-c", "sleep 1000 & echo $!; exec sleep 1000"], { stdio: ["ignore", "pipe", "ignore"] });
  t.after(() => parent.kill("SIGKILL"));
  const line = await within(
    "the child's pid",
    new Promise<string>((resolve) => parent.stdout.once("data", (text) => resolve(String(text)))),
  );
  const child = known(Number(line));
  t.after(() => kill(child, "SIGKILL"));
  const holder = await home.wire({ process: child });
  const next = await home.wire();
  const { token } = await holder.call("lock.acquire", { name: "of a zombie", key: holder.key() });
  const granted = next.call("lock.acquire", { name: "of a zombie", key: next.key() });
  kill(child, "SIGKILL");
  await until("a zombie", () => stateOf(child.pid) === "Z");
  await holder.drop();
  assert.ok((await granted).token > token);
  await canary.goesOn();
});

// rule 12: after a close it is looked at again and again
test("a holder that dies just after its connection was closed loses its lock though nobody waits for it", async (t) => {
  const home = new Home(t);
  await home.start({ limits: { resumeWindowMs: 3_600_000 } });
  const doomed = spawn("sleep", ["1000"], { stdio: "ignore" });
  t.after(() => doomed.kill("SIGKILL"));
  const holder = await home.wire({ process: known(doomed.pid ?? 0) });
  await holder.call("lock.acquire", { name: "closed first", key: holder.key() });
  await holder.drop();
  doomed.kill("SIGKILL");
  await until("the lock to be free", async () => (await home.status()).locks.held === 0);
});

// rule 12: holders that are waited for are looked at
test("a holder that dies while another process keeps its connection open loses its lock as soon as somebody waits", async (t) => {
  const home = new Home(t);
  await home.start({ limits: { resumeWindowMs: 3_600_000 } });
  const doomed = spawn("sleep", ["1000"], { stdio: "ignore" });
  t.after(() => doomed.kill("SIGKILL"));
  // The connection is ours and stays open, as that of a forked child would.
  const holder = await home.wire({ process: known(doomed.pid ?? 0) });
  const next = await home.wire();
  await holder.call("lock.acquire", { name: "kept open", key: holder.key() });
  doomed.kill("SIGKILL");
  const { token } = await next.call("lock.acquire", { name: "kept open", key: next.key() });
  assert.ok(token > 0);
  await holder.notice("session.expired");
});

// rule 2: orphans
test("what a killed front had sent to its writer is done before its successor speaks, or never", async (t) => {
  const home = new Home(t);
  const first = await home.start();
  const canary = await Canary.start(home);
  const wire = await home.wire();
  await table(wire);
  const { secret } = wire;
  const writer = await home.processOf("writer");
  const keys = Array.from({ length: 100 }, () => wire.key());
  // The kill comes in the middle, however late it comes: behind the first half the writer does not go on.
  const posts = keys.map((key, n) => {
    const how = n < keys.length / 2 ? slowly : endless;
    return wire.post("db.execute", { sql: `insert into item values (${key}, ${how})`, key });
  });
  const answered = await Promise.race(posts);
  assert.equal(answered.error, undefined);
  await first.kill();
  await home.start();
  assert.ok(isGone(writer), "the old writer is there, and clients may come");
  const judge = await home.wire();
  const { outcomes } = await judge.call("session.settle", { secret, keys });
  const applied = outcomes.filter(({ outcome }) => outcome === "applied").map(({ key }) => key);
  assert.deepEqual(
    [...new Set(outcomes.map(({ outcome }) => outcome))].sort(),
    ["applied", "never"],
    "the kill came in the middle",
  );
  const rowsNow = async () =>
    (await judge.call("db.query", { sql: "select n from item order by n" })).rows.map(([n]) => n);
  assert.deepEqual(await rowsNow(), applied);
  await canary.goesOn();
  await canary.goesOn();
  assert.deepEqual(await rowsNow(), applied, "what was said never to have been applied has come");
});

// rule 2: orphans
test("what a killed front had sent to a writer that stood still is never done, also when that writer wakes up", async (t) => {
  const home = new Home(t);
  const first = await home.start();
  const wire = await home.wire();
  await table(wire);
  const { secret } = wire;
  const writer = await home.processOf("writer");
  await stop(writer);
  const keys = Array.from({ length: 50 }, () => wire.key());
  for (const key of keys) void wire.post("db.execute", { sql: `insert into item values (${key}, 'late')`, key });
  await until("some to be with the writer, and the others behind them", async () => {
    const { dispatched, queued } = (await home.status()).writes;
    return dispatched > 0 && dispatched + queued === keys.length;
  });
  await first.kill();
  await home.start();
  const judge = await home.wire();
  assert.equal(await countOf(judge), 0);
  // Not settled before: what is settled is not run any more by whomever.
  kill(writer, "SIGCONT");
  await gone("the old writer", writer);
  assert.equal(await countOf(judge), 0, "what the successor did not show has come");
  const { outcomes } = await judge.call("session.settle", { secret, keys });
  assert.deepEqual([...new Set(outcomes.map(({ outcome }) => outcome))], ["never"]);
  const canary = await Canary.start(home);
  await canary.goesOn();
});
