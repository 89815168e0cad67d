/**
 * What was told about locks is true after a crash: who holds, who waits and in which order, what was given back. And
 * what may be forgotten: a damaged ledger, a database that was put back, and never a token.
 */
import assert from "node:assert/strict";
import { copyFileSync, existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { isHoldfastError, type LockHandle } from "../../src/client/index.js";
import type { AcquireResult } from "../../src/protocol/index.js";
import { Home } from "../support/broker.js";
import { Canary } from "../support/canary.js";
import type { Wire } from "../support/wire.js";

/** Another connection for the same session, after its broker died. */
async function back(
  home: Home,
  before: Wire,
  more: { readonly grants?: { name: string; token: number }[]; readonly pending?: number[] },
) {
  const wire = await home.silent({ headers: { "holdfast-purpose": "resuming" } });
  const welcome = await wire.hello({ secret: before.secret, mode: "resume", ...more });
  return { wire, welcome };
}

// rule 10: the ledger before the messages
test("a grant, a release and a queue place that were told are known to the next broker, however soon the last one died", async (t) => {
  const home = new Home(t);
  let front = await home.start();
  const canary = await Canary.start(home);
  for (let n = 0; n < 8; n++) {
    const holder = await home.wire();
    const waiters = [await home.wire(), await home.wire(), await home.wire()];
    const name = `told/${n}`;
    const freed = await holder.call("lock.acquire", { name: `freed/${n}`, key: holder.key() });
    if (n % 2 === 1) {
      await holder.call("lock.acquire", { name: `busy/${n}`, key: holder.key() });
      for (const waiter of waiters) void waiter.post("lock.acquire", { name: `busy/${n}`, key: waiter.key() });
    }
    const releasing = holder.call("lock.release", { name: `freed/${n}`, token: freed.token, key: holder.key() });
    const granting = holder.call("lock.acquire", { name, key: holder.key() });
    await releasing;
    const { token } = await granting;
    await front.kill();
    front = await home.start();
    const stranger = await home.wire();
    assert.equal(
      (await stranger.refusal("lock.acquire", { name, key: stranger.key(), waitMs: 0 })).data.code,
      "LOCK_HELD",
    );
    const free = await stranger.call("lock.acquire", { name: `freed/${n}`, key: stranger.key(), waitMs: 0 });
    assert.ok(free.token > token);
    const { welcome } = await back(home, holder, { grants: [{ name, token }] });
    assert.ok(welcome.grants.some((grant) => grant.token === token));
  }
  await canary.goesOn();
});

// rule 10: queue places
test("waiters keep their places over a crash, whoever comes back first", async (t) => {
  const home = new Home(t);
  const front = await home.start();
  const holder = await home.wire();
  const { token } = await holder.call("lock.acquire", { name: "queue", key: holder.key() });
  const waiters: { wire: Wire; key: number }[] = [];
  for (let n = 0; n < 5; n++) {
    const wire = await home.wire();
    const key = wire.key();
    void wire.post("lock.acquire", { name: "queue", key });
    // In the order of their arrival: the next one comes when this one is seen to wait.
    await wire.call("session.ping", {});
    waiters.push({ wire, key });
  }
  await front.kill();
  await home.start();
  const again: { wire: Wire; granted: Promise<AcquireResult> }[] = [];
  for (const { wire, key } of [...waiters].reverse()) {
    const { wire: next } = await back(home, wire, { pending: [key] });
    again.unshift({ wire: next, granted: next.call("lock.acquire", { name: "queue", key }) });
  }
  const { wire: returned } = await back(home, holder, { grants: [{ name: "queue", token }] });
  const { locks } = await returned.call("lock.list", { name: "queue" });
  assert.deepEqual(
    locks[0]?.waiters.map(({ session }) => session),
    again.map(({ wire }) => wire.welcome?.session),
  );
  await returned.call("lock.release", { name: "queue", token, key: 1000 });
  let before = token;
  for (const { wire, granted } of again) {
    const grant = await granted;
    assert.ok(grant.token > before);
    before = grant.token;
    await wire.call("lock.release", { name: "queue", token: grant.token, key: 1000 });
  }
});

// rule 13: what a client does not believe in is released
test("a lock that its client did not hear of goes to the next when the client comes back", async (t) => {
  const home = new Home(t);
  const front = await home.start();
  const holder = await home.wire();
  await holder.call("lock.acquire", { name: "unheard", key: holder.key() });
  await front.kill();
  await home.start();
  const next = await home.wire();
  const granted = next.call("lock.acquire", { name: "unheard", key: next.key() });
  await back(home, holder, {});
  assert.ok((await granted).token > 0);
});

/** So long nothing is granted after a start that knows of no locks: somebody can ask meanwhile. */
const windowMs = 5000;

/** The holder of "void" is told that its session is over; the lock is another's when the time of grace is, under a higher token. */
async function allIsVoid(home: Home, holder: Wire, token: number): Promise<void> {
  const returned = await home.silent();
  const { data } = await returned.refusal("session.hello", {
    protocol: { min: 1, max: 1 },
    secret: holder.secret,
    mode: "resume",
    grants: [{ name: "void", token }],
  });
  assert.equal(data.code, "SESSION_EXPIRED");
  const next = await home.wire();
  const wish = () => ({ name: "void", key: next.key() });
  // The holder of before may still believe in its lock.
  assert.equal((await next.refusal("lock.acquire", { ...wish(), waitMs: 0 })).data.code, "LOCK_HELD");
  assert.ok((await next.call("lock.acquire", wish())).token > token);
}

// rule 13: a damaged ledger of this boot
test("a damaged ledger voids all locks: holders are told, tokens go on, and nothing is granted for one window", async (t) => {
  const home = new Home(t);
  await home.start({ limits: { resumeWindowMs: windowMs } });
  const holder = await home.wire();
  const { token } = await holder.call("lock.acquire", { name: "void", key: holder.key() });
  await home.killAll();
  const ledger = join(home.dir, "run", "ledger.db");
  for (const file of [`${ledger}-wal`, `${ledger}-shm`]) rmSync(file, { force: true });
  writeFileSync(ledger, "this is not a ledger, and was never one ".repeat(500));
  await home.start({ limits: { resumeWindowMs: windowMs } });
  await allIsVoid(home, holder, token);
});

/** What a logout does to /run/user/UID. */
function clearLedger(home: Home): void {
  const ledger = join(home.dir, "run", "ledger.db");
  for (const end of ["", "-wal", "-shm"]) rmSync(`${ledger}${end}`, { force: true });
  assert.ok(!existsSync(ledger));
}

// rule 13: a ledger of this boot that is gone
for (const end of ["kill", "stop"] as const)
  test(`a ledger that is gone after a ${end} in which a lock was held voids all locks as a damaged one does`, async (t) => {
    const home = new Home(t);
    const limits = { resumeWindowMs: windowMs };
    const front = await home.start({ limits });
    const holder = await home.wire();
    const { token } = await holder.call("lock.acquire", { name: "void", key: holder.key() });
    await front[end]();
    await home.killAll();
    clearLedger(home);
    // The next broker is ended before its time of grace is: the one after it must not have forgotten.
    const careful = await home.start({ limits });
    await careful[end]();
    await home.start({ limits });
    await allIsVoid(home, holder, token);
  });

test("a ledger that is gone after a stop in which nobody held a lock delays nobody, whoever was connected", async (t) => {
  const home = new Home(t);
  const front = await home.start();
  const early = await home.wire();
  const { token } = await early.call("lock.acquire", { name: "free", key: early.key() });
  await early.call("lock.release", { name: "free", token, key: early.key() });
  await front.stop();
  clearLedger(home);
  await home.start();
  const next = await home.wire();
  assert.ok((await next.call("lock.acquire", { name: "free", key: next.key(), waitMs: 0 })).token > token);
});

// rule 14: tokens never go back
test("a database that was put back to an older state gives no token again, and no session lives on", async (t) => {
  const home = new Home(t);
  let front = await home.start();
  const early = await home.wire();
  await early.call("db.execute", { sql: "create table item (n integer)", key: early.key() });
  await front.stop();
  const saved = `${home.database}.saved`;
  copyFileSync(home.database, saved);
  assert.ok(!existsSync(`${home.database}-wal`), "the log was folded into the database at the end");
  // Each start reserves a block of tokens. The database that is put back knows of none of these.
  front = await home.start();
  await front.stop();
  front = await home.start();
  const { incarnation } = await home.status();
  const holder = await home.wire();
  let token = 0;
  for (let n = 0; n < 20; n++)
    token = (await holder.call("lock.acquire", { name: `late/${n}`, key: holder.key() })).token;
  await holder.call("db.execute", { sql: "insert into item values (1)", key: holder.key() });
  await front.kill();
  await home.killAll();
  for (const end of ["-wal", "-shm"]) rmSync(`${home.database}${end}`, { force: true });
  copyFileSync(saved, home.database);
  await home.start();
  assert.notEqual((await home.status()).incarnation, incarnation);
  const returned = await home.silent();
  const { data } = await returned.refusal("session.hello", {
    protocol: { min: 1, max: 1 },
    secret: holder.secret,
    mode: "resume",
  });
  assert.equal(data.code, "SESSION_EXPIRED");
  const next = await home.wire();
  assert.ok((await next.call("lock.acquire", { name: "late/0", key: next.key() })).token > token);
});

test("a program that holds as many locks with the longest names as it can get finds all of them after a crash", async (t) => {
  const home = new Home(t);
  const start = { limits: { locksPerSessionMax: 50_000 } };
  const front = await home.start(start);
  const broker = await home.connect();
  const held: LockHandle[] = [];
  const refused = new Set<unknown>();
  while (refused.size === 0) {
    const from = held.length;
    const asked = Array.from({ length: 1000 }, (_, n) =>
      broker.acquire(`${from + n}/`.padEnd(512, "x"), { waitMs: 0 }),
    );
    for (const one of await Promise.allSettled(asked)) {
      if (one.status === "fulfilled") held.push(one.value);
      else refused.add(one.reason);
    }
  }
  for (const reason of refused) assert.ok(isHoldfastError(reason) && reason.code === "LOCKS_FULL");
  assert.ok(held.length * 512 > 12 * 1024 * 1024, `${held.length} locks`);
  await front.kill();
  await home.start(start);
  // Answered by the one that was started, which lets it in with its hello only.
  assert.equal((await broker.get("select 1 as one"))?.["one"], 1);
  assert.equal((await home.status()).locks.held, held.length);
  assert.ok(held.every((lock) => lock.held));
  await held[0]?.release();
  await broker.acquire("another", { waitMs: 0 });
});
