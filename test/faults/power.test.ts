/**
 * Losses of power: everything is killed at once, and the database has what was synced and nothing else. What was
 * acknowledged is there all the same; what was told once stays true.
 *
 * The copies are made at each sync (support/faulty-disk.ts). It cannot show a disk that lies, nor sectors that are torn.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { openDatabase } from "../../src/sqlite/index.js";
import { Crew } from "../processes/crew.js";
import { Home } from "../support/broker.js";
import { FaultyDisk } from "../support/faulty-disk.js";
import { endHolder, lockHolder, notedAsWriter } from "../support/lock-holder.js";
import { standStillFor, until } from "../support/patience.js";
import { gone, kill, known, stop } from "../support/processes.js";
import type { Wire } from "../support/wire.js";

interface Scene {
  readonly home: Home;
  readonly disk: FaultyDisk;
  readonly start: () => Promise<void>;
  readonly losePower: () => Promise<void>;
}

async function scene(t: TestContext): Promise<Scene> {
  const home = new Home(t);
  const disk = FaultyDisk.make(home.dir);
  const start = async () => {
    await home.start({ env: disk.shadowingEnv });
  };
  await start();
  const losePower = async () => {
    await home.killAll();
    disk.losePower(home.database);
  };
  return { home, disk, start, losePower };
}

async function itemsOf(wire: Wire): Promise<unknown[]> {
  return (await wire.call("db.query", { sql: "select n from item order by n" })).rows.map(([n]) => n);
}

async function table(home: Home): Promise<Wire> {
  const wire = await home.wire();
  await wire.call("db.execute", { sql: "create table item (n integer)", key: wire.key() });
  return wire;
}

// rule 1: acknowledged is on disk
test("six losses of power under load take no acknowledged write, and none is there twice", async (t) => {
  const { home, start, losePower } = await scene(t);
  await Crew.prepare(await home.connect(), 3);
  // Locks end with the machine, so these programs have none; they live on, as programs of another machine would.
  const crew = await Crew.start(t, home, { members: 3, works: ["inserts", "counter"], start: false });
  for (let n = 0; n < 6; n++) {
    await crew.eachGoesOn(10 + n * 7);
    await losePower();
    await start();
  }
  await crew.eachGoesOn(10);
  await crew.finish();
  await crew.check(await home.connect());
});

// rule 1: nothing is told before it is on disk
test("a write that was in doubt and is then said to be applied survives a loss of power at that moment", async (t) => {
  const { home, disk, start, losePower } = await scene(t);
  const wire = await table(home);
  const { secret } = wire;
  const key = wire.key();
  await disk.stopAtSync("data.db-wal", () => {
    void wire.post("db.execute", { sql: "insert into item values (1)", key });
  });
  // It is written and not synced. Nobody survives: the next writer recovers it out of the system's memory.
  await home.killAll();
  await start();
  const judge = await home.wire();
  const told = (await judge.call("session.settle", { secret, keys: [key] })).outcomes[0]?.outcome;
  assert.equal(told, "applied", "the test is about this case");
  await losePower();
  await start();
  assert.deepEqual(await itemsOf(await home.wire()), [1], "it was said to be applied, and is gone");
});

// rules 1 and 2: reads without a writer
test("what a reader shows while no writer can be had survives a loss of power at that moment", async (t) => {
  const { home, disk, start, losePower } = await scene(t);
  const wire = await table(home);
  await disk.stopAtSync("data.db-wal", () => {
    void wire.post("db.execute", { sql: "insert into item values (1)", key: wire.key() });
  });
  // It is written and not synced, and nobody survives. Who comes first takes it out of the system's memory: a reader.
  await home.killAll();
  const stuck = await lockHolder(`${home.database}.writer.lock`);
  t.after(() => endHolder(stuck));
  writeFileSync(join(home.dir, "run", "children.json"), notedAsWriter(stuck, disk.bootId));
  disk.hang(known(stuck.pid ?? 0));
  await start();
  const reads = await home.wire();
  assert.deepEqual(await itemsOf(reads), [1], "the test is about this case");
  await losePower();
  await endHolder(stuck);
  await start();
  assert.deepEqual(await itemsOf(await home.wire()), [1], "it was shown, and is gone");
});

// rule 1: no reader is started, or handed reads, before the start write is on the disk
test("what a reader shows while the next writer begins survives a loss of power at that moment", async (t) => {
  const { home, disk, start, losePower } = await scene(t);
  const wire = await table(home);
  const reads = await home.wire();
  // One that is started later than it was asked for syncs for itself.
  await until("all readers to be there", async () => {
    const { processes, limits } = await home.status();
    return processes.filter(({ role }) => role === "reader").length >= (limits["readersMin"] ?? 0);
  });
  await disk.stopAtSync("data.db-wal", () => {
    void wire.post("db.execute", { sql: "insert into item values (1)", key: wire.key() });
  });
  // It is written and not synced, and of the children nobody survives.
  const front = await home.processOf("front");
  await stop(front);
  for (const child of home.notedChildren()) {
    kill(child, "SIGKILL");
    await gone("a child", child);
  }
  let shown: unknown[] | undefined;
  await disk.stopAtSync("data.db-wal", () => {
    kill(front, "SIGCONT");
    itemsOf(reads).then(
      (items) => {
        shown = items;
      },
      () => undefined,
    );
  });
  // The next writer stands still before its first write is on the disk. A reader would have come by now, and answered.
  await standStillFor(3000);
  await losePower();
  await start();
  const kept = await itemsOf(await home.wire());
  assert.deepEqual(shown ?? kept, kept, "it was shown, and is gone");
});

// rule 9: after a failed sync the log must not be gone on with
test("what is acknowledged after a sync that failed survives a loss of power", async (t) => {
  const { home, disk, start, losePower } = await scene(t);
  const wire = await table(home);
  for (let round = 0; round < 3; round++) {
    const writes: Promise<unknown>[] = [];
    await disk.failSync("data.db-wal", () => {
      for (let n = 0; n < 10; n++)
        writes.push(
          wire.call("db.execute", { sql: "insert into item values (?)", args: [round * 10 + n], key: wire.key() }),
        );
    });
    await Promise.all(writes);
  }
  await losePower();
  await start();
  assert.deepEqual(
    await itemsOf(await home.wire()),
    Array.from({ length: 30 }, (_, n) => n),
  );
});

// rule 9: that the disk failed is to be known to who comes next
test("what the next broker acknowledges after a sync that failed, and a log that could not be repaired, survives a loss of power", async (t) => {
  const { home, disk, start, losePower } = await scene(t);
  const wire = await table(home);
  // Somebody reads past the broker, so that the log cannot be written anew.
  const reading = () => {
    const other = openDatabase({ path: home.database, role: "reader", durability: "full", busyMs: 1000 });
    t.after(() => other.close());
    other.exec("begin");
    return { other, found: other.prepare("select n from item").pluck().all() };
  };
  const { other: first } = reading();
  await disk.failSync("data.db-wal", () => {
    void wire.post("db.execute", { sql: "insert into item values (1)", key: wire.key() });
  });
  await until("the log not to be repaired", async () => (await home.status()).writes.state !== "ok");
  await home.killAll();
  first.close();
  // Who comes now takes what the disk has not out of the system's memory.
  const { other, found } = reading();
  assert.deepEqual(found, [1], "the test is about this case");
  const acknowledged: unknown[] = [];
  const insert = async (n: number) => {
    const next = await home.wire();
    await next.call("db.execute", { sql: "insert into item values (?)", args: [n], key: next.key() });
    acknowledged.push(n);
  };
  const refused = (error: Error) => assert.match(error.message, /could not be folded into the database after the disk/);
  await start().then(() => insert(2), refused);
  other.exec("commit");
  await home.killAll();
  await start();
  await insert(3);
  await losePower();
  await start();
  const items = await itemsOf(await home.wire());
  for (const n of acknowledged) assert.ok(items.includes(n), `${n} was acknowledged and is gone`);
});

// rule 1: the first act of every writer
test("a write that was refused for good with its writer at the sync does not come back after a loss of power", async (t) => {
  const { home, disk, start, losePower } = await scene(t);
  const wire = await table(home);
  // A reader has looked: so the next writer takes the log as the readers know it, and does not recover it.
  assert.deepEqual(await itemsOf(wire), []);
  let fate: Promise<string | undefined> | undefined;
  const writer = await disk.stopAtSync("data.db-wal", () => {
    fate = wire
      .postAs("doomed", "db.execute", { sql: "insert into item values (1)", key: wire.key() })
      .then(({ error }) => error?.data.code);
  });
  wire.notify("session.cancel", { id: "doomed" });
  await wire.call("session.ping", {});
  kill(writer, "SIGKILL");
  await gone("the writer", writer);
  assert.equal(await fate, "CANCELLED");
  await wire.call("db.execute", { sql: "insert into item values (2)", key: wire.key() });
  await losePower();
  await start();
  assert.deepEqual(await itemsOf(await home.wire()), [2]);
});
