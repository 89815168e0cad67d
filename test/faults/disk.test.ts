/**
 * A disk that fails, fills up, or is killed on the way to: what was acknowledged stays, what was told never to have
 * happened never does, and the broker goes on when it can.
 *
 * The faults are made by a library in C between SQLite and the system (support/faulty-disk.ts). It cannot show a real
 * loss of power: what the kernel has, it keeps.
 */
import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { type Front, Home } from "../support/broker.js";
import { Canary } from "../support/canary.js";
import { FaultyDisk } from "../support/faulty-disk.js";
import { until } from "../support/patience.js";
import { gone, kill, stop } from "../support/processes.js";
import type { Wire } from "../support/wire.js";

interface Scene {
  readonly home: Home;
  readonly front: Front;
  readonly disk: FaultyDisk;
  readonly wire: Wire;
}

async function scene(t: TestContext, limits: { readonly [name: string]: number } = {}): Promise<Scene> {
  const home = new Home(t);
  const disk = FaultyDisk.make(home.dir);
  const front = await home.start({ env: disk.env, limits });
  const wire = await home.wire();
  await wire.call("db.execute", { sql: "create table item (n integer)", key: wire.key() });
  return { home, front, disk, wire };
}

/** Whatever is asked for after this is refused; what came before may wait for room. */
async function ledgerFull(front: Front): Promise<void> {
  await until("the broker to notice that its ledger is full", () =>
    front.output.includes("the disk under the ledger is full"),
  );
}

async function itemsOf(wire: Wire): Promise<unknown[]> {
  return (await wire.call("db.query", { sql: "select n from item order by n" })).rows.map(([n]) => n);
}

// rule 1: the first act of every writer
test("a write that its writer was killed with at the sync, and that was refused for good, never comes back", async (t) => {
  const { home, disk, wire } = await scene(t);
  const next = await home.wire();
  await wire.call("db.execute", { sql: "insert into item values (1)", key: wire.key() });
  // A reader lives, so the next writer attaches to the log as it is, and does not recover it.
  assert.deepEqual(await itemsOf(next), [1]);
  let fate: Promise<string | undefined> | undefined;
  const writer = await disk.stopAtSync("data.db-wal", () => {
    const write = wire.postAs("doomed", "db.execute", { sql: "insert into item values (2)", key: wire.key() });
    fate = write.then(({ error }) => error?.data.code);
  });
  // The commit stands in the log, on its way to the disk. Nobody wants it any more, so it is not to be run again.
  wire.notify("session.cancel", { id: "doomed" });
  await wire.call("session.ping", {});
  kill(writer, "SIGKILL");
  assert.equal(await fate, "CANCELLED");
  assert.deepEqual(await itemsOf(next), [1]);
  await home.killAll();
  await home.start({ env: disk.env });
  assert.deepEqual(await itemsOf(await home.wire()), [1], "what was refused for good is there after a restart");
});

// rule 1: the first act of every writer
test("a write that its writer was killed with at the sync is acknowledged once it is applied, and once only", async (t) => {
  const { home, disk, wire } = await scene(t);
  const canary = await Canary.start(home);
  let answers: Promise<unknown[]> | undefined;
  const writer = await disk.stopAtSync("data.db-wal", () => {
    answers = Promise.all([
      wire.call("db.execute", { sql: "insert into item values (1)", key: wire.key() }),
      wire.call("db.execute", { sql: "insert into item values (2)" }),
    ]);
  });
  kill(writer, "SIGKILL");
  await gone("the writer", writer);
  await answers;
  assert.deepEqual(await itemsOf(wire), [1, 2]);
  await canary.goesOn();
  await home.killAll();
  await home.start({ env: disk.env });
  assert.deepEqual(await itemsOf(await home.wire()), [1, 2]);
  await canary.goesOn();
});

// rule 8: what is committed is never run again
test("a write without a key that the next writer finds in the log is not run again, and nobody says that it was not applied", async (t) => {
  const { home, front, disk, wire } = await scene(t);
  let answer: Promise<string | undefined> | undefined;
  await disk.stopAtSync("data.db-wal", () => {
    answer = wire.post("db.execute", { sql: "insert into item values (1)" }).then(({ error }) => error?.data.code);
  });
  // It is in the log, and of the children nobody survives: the next writer takes it for committed.
  await stop(front.known);
  for (const child of home.notedChildren()) {
    kill(child, "SIGKILL");
    await gone("a child", child);
  }
  kill(front.known, "SIGCONT");
  assert.equal(await answer, "OUTCOME_UNKNOWN");
  assert.deepEqual(await itemsOf(wire), [1]);
  await (await Canary.start(home)).goesOn();
});

// rule 9: after a failed sync
test("a sync that fails ends all children, the log is folded anew, and nobody's write is lost or refused", async (t) => {
  const { home, disk, wire } = await scene(t);
  const canary = await Canary.start(home);
  for (let round = 0; round < 3; round++) {
    const before = await home.status();
    const children = before.processes
      .filter(({ role, state }) => role !== "front" && state !== "standby")
      .map(({ pid }) => pid);
    const writes: Promise<unknown>[] = [];
    await disk.failSync("data.db-wal", () => {
      for (let n = 0; n < 20; n++)
        writes.push(
          wire.call("db.execute", { sql: "insert into item values (?)", args: [round * 20 + n], key: wire.key() }),
        );
    });
    await Promise.all(writes);
    const after = await until("other children", async () => {
      const status = await home.status();
      return status.writes.state === "ok" && status.epoch > before.epoch && status;
    });
    for (const { role, pid } of after.processes)
      if (role !== "front") assert.ok(!children.includes(pid), `the ${role} ${pid} has outlived the disk's failure`);
    assert.deepEqual(
      await itemsOf(wire),
      Array.from({ length: (round + 1) * 20 }, (_, n) => n),
    );
    await canary.goesOn();
  }
});

// rule 13: the ledger on a full disk
test("a full disk under the ledger: no lock is granted, what is held is kept and can be given back, SQL goes on, and locks do when there is room", async (t) => {
  const { home, front, disk, wire } = await scene(t);
  const other = await home.wire();
  const { token } = await wire.call("lock.acquire", { name: "held before", key: wire.key() });
  const kept = await wire.call("lock.acquire", { name: "kept", key: wire.key() });
  disk.fill("ledger.db-wal");
  // The first one finds it full: the core has granted it, and it cannot be written down.
  const first = await other.refusal("lock.acquire", { name: "first", key: other.key() });
  assert.deepEqual([first.data.code, first.data.outcome], ["DISK_FULL", "none"]);
  await ledgerFull(front);
  const { locks } = await other.call("lock.list", {});
  assert.deepEqual(
    locks.map(({ name }) => name),
    ["held before", "kept"],
  );
  const { events } = await other.call("lock.history", { name: "first" });
  assert.deepEqual(
    events.map(({ kind }) => kind),
    ["granted", "lost"],
  );
  const { data } = await wire.refusal("lock.acquire", { name: "new", key: wire.key() });
  assert.deepEqual([data.code, data.outcome, data.retryable], ["DISK_FULL", "none", true]);
  const fence = [{ name: "held before", token }];
  await wire.call("db.execute", { sql: "insert into item values (1)", fence, key: wire.key() });
  await wire.call("lock.release", { name: "held before", token, key: wire.key() });
  assert.deepEqual(await itemsOf(wire), [1]);
  // Whoever comes now is let in: to look what is wrong, and to read and write what can be.
  const newcomer = await home.wire();
  assert.deepEqual(await itemsOf(newcomer), [1]);
  assert.equal((await newcomer.refusal("lock.acquire", { name: "new", key: newcomer.key() })).data.code, "DISK_FULL");
  const full = await home.status();
  assert.equal(full.locks.held, 1);
  assert.deepEqual([full.locks.state, full.writes.state], ["disk-full", "ok"]);
  disk.makeRoom();
  await until(
    "new locks to be granted again",
    async () => (await wire.post("lock.acquire", { name: "new", key: wire.key(), waitMs: 0 })).result,
  );
  assert.equal((await home.status()).locks.state, "ok");
  assert.ok((await other.call("lock.acquire", { name: "first", key: other.key() })).token > kept.token);
  const canary = await Canary.start(home);
  await canary.goesOn();
});

// rule 13: the ledger on a full disk
test("a front that is killed while the disk under its ledger is full has told nobody of what its successor does not know", async (t) => {
  const { home, front, disk, wire } = await scene(t);
  const kept = await wire.call("lock.acquire", { name: "kept", key: wire.key() });
  disk.fill("ledger.db-wal");
  const { error } = await wire.post("lock.acquire", { name: "unsaid", key: wire.key() });
  assert.equal(error?.data.code, "DISK_FULL", "the grant was told, and stands nowhere");
  await ledgerFull(front);
  // Whatever was told has been heard before this is answered.
  await wire.call("session.ping", {});
  const { secret } = wire;
  await home.killAll();
  disk.makeRoom();
  await home.start({ env: disk.env });
  const back = await home.silent();
  const welcome = await back.hello({ secret, mode: "resume", grants: [{ name: "kept", token: kept.token }] });
  assert.deepEqual(
    welcome.grants.map(({ name }) => name),
    ["kept"],
  );
  const other = await home.wire();
  assert.ok((await other.call("lock.acquire", { name: "unsaid", key: other.key(), waitMs: 0 })).token > kept.token);
});

test("a full disk under the database: writes are refused with DISK_FULL and surely not done, reads and locks go on, and writes when there is room", async (t) => {
  const { home, disk, wire } = await scene(t);
  await wire.call("db.execute", { sql: "insert into item values (1)", key: wire.key() });
  disk.fill("data.db-wal");
  const key = wire.key();
  const write = { sql: "insert into item values (2)", key };
  const { data } = await wire.refusal("db.execute", write);
  assert.deepEqual([data.code, data.outcome, data.retryable], ["DISK_FULL", "none", true]);
  assert.deepEqual(await itemsOf(wire), [1]);
  const { token } = await wire.call("lock.acquire", { name: "meanwhile", key: wire.key() });
  await wire.call("lock.release", { name: "meanwhile", token, key: wire.key() });
  const full = await home.status();
  assert.deepEqual([full.writes.state, full.locks.state], ["disk-full", "ok"]);
  disk.makeRoom();
  assert.equal((await wire.call("db.execute", write)).rowsAffected, 1);
  assert.equal((await home.status()).writes.state, "ok");
  assert.deepEqual(await itemsOf(wire), [1, 2]);
  const canary = await Canary.start(home);
  await canary.goesOn();
});

test("a disk that is full when the log's index must grow: the write is refused as on every full disk, reads go on, and writes when there is room", async (t) => {
  const { home, disk, wire } = await scene(t);
  await wire.call("db.execute", { sql: "insert into item values (1)", key: wire.key() });
  const children = async () =>
    (await home.status()).processes.filter(({ state }) => state !== "standby").map(({ pid }) => pid);
  const before = await children();
  disk.fill("data.db-shm");
  // More pages than one part of the index has places for.
  const rows = "with recursive n (i) as (select 1 union all select i + 1 from n where i < 6000)";
  const write = { sql: `${rows} insert into item select zeroblob(4000) from n`, key: wire.key() };
  const { data, message } = await wire.refusal("db.execute", write);
  assert.deepEqual([data.code, data.outcome, data.retryable], ["DISK_FULL", "none", true], message);
  assert.match(message, /the disk is full/);
  assert.deepEqual(await itemsOf(wire), [1]);
  const { token } = await wire.call("lock.acquire", { name: "meanwhile", key: wire.key() });
  await wire.call("lock.release", { name: "meanwhile", token, key: wire.key() });
  const after = await children();
  assert.ok(
    before.every((pid) => after.includes(pid)),
    "nobody had to begin anew",
  );
  disk.makeRoom();
  assert.equal((await wire.call("db.execute", write)).rowsAffected, 6000);
  assert.deepEqual((await wire.call("db.query", { sql: "select count(*) from item" })).rows, [[6001]]);
  await (await Canary.start(home)).goesOn();
});

test("a broker that is to start on a full disk names the disk, and starts when there is room", async (t) => {
  const { home, front, disk, wire } = await scene(t);
  await wire.call("db.execute", { sql: "insert into item values (1)", key: wire.key() });
  await front.stop();
  disk.fill("data.db-shm");
  await assert.rejects(home.start({ env: disk.env }), (error: Error) => {
    assert.match(error.message, /DISK_FULL/);
    assert.ok(error.message.includes(`no room on the disk of ${home.database}`), error.message);
    return true;
  });
  disk.makeRoom();
  await home.start({ env: disk.env });
  assert.deepEqual(await itemsOf(await home.wire()), [1]);
});

// rule 9: after a failed write
test("a file system that becomes read-only under the database: writes are refused, reads and locks go on, and writes when that is over", async (t) => {
  const { home, disk, wire } = await scene(t);
  await wire.call("db.execute", { sql: "insert into item values (1)", key: wire.key() });
  disk.freeze("data.db-wal");
  const write = { sql: "insert into item values (2)", key: wire.key() };
  assert.equal((await wire.refusal("db.execute", write)).data.code, "WRITER_UNAVAILABLE");
  const { data } = await wire.refusal("db.execute", { sql: "insert into item values (3)", key: wire.key() });
  assert.deepEqual([data.code, data.outcome, data.retryable], ["WRITER_UNAVAILABLE", "none", true]);
  assert.deepEqual(await itemsOf(wire), [1]);
  const { token } = await wire.call("lock.acquire", { name: "meanwhile", key: wire.key() });
  await wire.call("lock.release", { name: "meanwhile", token, key: wire.key() });
  disk.makeRoom();
  await until("a writer", async () => (await wire.post("db.execute", write)).result);
  assert.deepEqual(await itemsOf(wire), [1, 2]);
  await (await Canary.start(home)).goesOn();
});

test("while the writer stands at its sync locks and reads go on, and the write is acknowledged when it is over", async (t) => {
  const { home, disk, wire } = await scene(t);
  const other = await home.wire();
  let told = false;
  let write: Promise<unknown> | undefined;
  const writer = await disk.stopAtSync("data.db-wal", () => {
    write = wire.call("db.execute", { sql: "insert into item values (1)", key: wire.key() }).then(() => (told = true));
  });
  for (let n = 0; n < 20; n++) {
    const { token } = await other.call("lock.acquire", { name: "meanwhile", key: other.key() });
    assert.deepEqual(await itemsOf(other), []);
    await other.call("session.ping", {});
    await other.call("lock.release", { name: "meanwhile", token, key: other.key() });
  }
  assert.ok(!told, "it was acknowledged before it was on the disk");
  kill(writer, "SIGCONT");
  await write;
  assert.deepEqual(await itemsOf(other), [1]);
});

test("a log that cannot be folded for want of room takes writes on, and is folded when there is room", async (t) => {
  const { home, disk, wire } = await scene(t);
  const log = () => statSync(`${home.database}-wal`).size;
  disk.fill("/data.db");
  const mib = { $blob: Buffer.alloc(1024 * 1024).toString("base64") };
  // Four times as much as it is folded at.
  for (let n = 0; n < 16; n++)
    await wire.call("db.execute", { sql: "insert into item values (?)", args: [mib], key: wire.key() });
  assert.ok(log() > 16 * 1024 * 1024);
  assert.deepEqual((await wire.call("db.query", { sql: "select count(*) from item" })).rows, [[16]]);
  disk.makeRoom();
  // It is tried again when as much has come as it is folded at.
  await until("the log to be folded into the database", async () => {
    await wire.call("db.execute", { sql: "insert into item values (?)", args: [mib], key: wire.key() });
    return statSync(home.database).size > 16 * 1024 * 1024;
  });
  await (await Canary.start(home)).goesOn();
});
