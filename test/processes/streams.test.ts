/**
 * Streams through a real broker: of any size in bounded memory, from one moment, and nobody else's business, whatever
 * becomes of the client, the process that reads, or the log.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Broker } from "../../src/client/index.js";
import { isHoldfastError } from "../../src/terms/index.js";
import { Home } from "../support/broker.js";
import { Canary } from "../support/canary.js";
import { standStillFor, until, within } from "../support/patience.js";
import { childrenOf, isGone, kill, known, stop } from "../support/processes.js";
import type { Wire } from "../support/wire.js";

const MiB = 1024 * 1024;

/** So many numbers from 1. */
function numbers(count: number, column = "x"): string {
  return `with recursive c(x) as (select 1 union all select x + 1 from c where x < ${count}) select ${column} from c`;
}

const endless = "with recursive c(x) as (select 1 union all select x + 1 from c) select x from c";
/** Runs for ever before it has a row. */
const mute = "with recursive c(x) as (select 1 union all select x from c) select x from c where x = 2";

function code(error: unknown): string {
  return isHoldfastError(error) ? error.code : String(error);
}

/** Why the stream ended, after how many rows. */
async function read(stream: AsyncIterable<unknown>): Promise<{ rows: number; end: string }> {
  let rows = 0;
  try {
    for await (const _ of stream) rows++;
    return { rows, end: "complete" };
  } catch (error) {
    return { rows, end: code(error) };
  }
}

/** The first row, by which the stream is open. */
async function begun<R>(stream: AsyncIterableIterator<R>): Promise<R> {
  const first = await within("the first row of a stream", stream.next());
  assert.notEqual(first.done, true);
  return first.value as R;
}

async function residentBytes(home: Home): Promise<Map<string, number>> {
  const { processes } = await home.status();
  const bytes = new Map<string, number>();
  for (const { role, rssBytes = 0 } of processes) bytes.set(role, Math.max(bytes.get(role) ?? 0, rssBytes));
  return bytes;
}

async function snapshotsAre(home: Home, count: number): Promise<void> {
  await until(`${count} open snapshots`, async () => {
    const { reads } = await home.status();
    return reads.snapshots === count && reads.snapshotsWaiting === 0;
  });
}

/** The processes for snapshots that are there. */
async function snapshotPids(home: Home): Promise<number[]> {
  const { processes } = await home.status();
  return processes.filter(({ role }) => role === "snapshot").map(({ pid }) => pid);
}

test("a million rows come complete and in order, and no process grows with them", async (t) => {
  const home = new Home(t);
  await home.start();
  const broker = await home.connect();
  // 200 MB on the way; what a process may grow by is what it keeps and what its collector has not looked at yet.
  const grownMax = 120 * MiB;
  const sql = numbers(1_000_000, "x, hex(zeroblob(100)) as filler");
  await begun(broker.stream(numbers(100)));
  const before = await residentBytes(home);
  before.set("snapshot", before.get("reader") ?? 0);
  const own = process.memoryUsage.rss();
  let [rows, ownMost] = [0, own];
  const most = new Map<string, number>();
  for await (const [x] of broker.stream(sql, [], { rows: "arrays" })) {
    rows++;
    assert.equal(x, rows);
    if (rows % 100_000 !== 0) continue;
    ownMost = Math.max(ownMost, process.memoryUsage.rss());
    for (const [role, bytes] of await residentBytes(home)) most.set(role, Math.max(most.get(role) ?? 0, bytes));
  }
  assert.equal(rows, 1_000_000);
  assert.ok(ownMost - own < grownMax, `the client has grown by ${(ownMost - own) / MiB} MiB`);
  for (const [role, bytes] of most) {
    const grown = bytes - (before.get(role) ?? 0);
    assert.ok(grown < grownMax, `the ${role} has grown by ${grown / MiB} MiB`);
  }
});

test("a client that stops reading slows its own stream and nobody else, and costs the broker a bounded amount of memory", async (t) => {
  const home = new Home(t);
  await home.start();
  const canary = await Canary.start(home);
  const slow = await home.wire();
  const before = (await residentBytes(home)).get("front") ?? 0;
  slow.notify("db.credit", { stream: 1, bytes: 1 });
  for (let stream = 1; stream <= 3; stream++)
    await slow.call("db.stream", { stream, sql: endless, credit: 1024 * MiB });
  await slow.notice("db.rows");
  slow.stopReading();
  const other = await home.connect();
  assert.deepEqual(await read(other.stream(numbers(200_000))), { rows: 200_000, end: "complete" });
  await canary.goesOn();
  const grown = ((await residentBytes(home)).get("front") ?? 0) - before;
  assert.ok(grown < 100 * MiB, `the front has grown by ${grown / MiB} MiB`);
  // It was not cut off: when it reads again its rows go on where they were.
  const seen = slow.notices.length;
  slow.readOn();
  await until("rows again", () => slow.notices.length > seen + 100);
  const all = slow.notices.filter(({ method, params }) => method === "db.rows" && params["stream"] === 2);
  const rows = all.flatMap(({ params }) => params["rows"] as number[][]);
  for (const [at, [x]] of rows.entries()) assert.equal(x, at + 1);
});

test("a stream that is closed in the middle leaves its process to the next one; one that does not stop loses it", async (t) => {
  const home = new Home(t);
  // So long one that was closed may take to stop.
  await home.start({ limits: { snapshotProcessesMax: 1, cancelRunningMs: 3000 } });
  const canary = await Canary.start(home);
  const broker = await home.connect();
  const first = broker.stream(endless);
  await begun(first);
  const [pid] = await snapshotPids(home);
  await first.return();
  assert.deepEqual(await begun(broker.stream(numbers(3))), { x: 1 });
  assert.deepEqual(await snapshotPids(home), [pid]);
  await snapshotsAre(home, 0);
  const stuck = broker.stream(mute);
  const row = stuck.next();
  await until("the mute statement to run", async () => (await home.status()).reads.snapshots === 1);
  await stuck.return();
  assert.deepEqual(await row, { value: undefined, done: true });
  assert.deepEqual(await begun(broker.stream(numbers(3))), { x: 1 });
  assert.notDeepEqual(await snapshotPids(home), [pid]);
  await canary.goesOn();
});

test("a stream beside transfers shows one moment, from its first row to its last", async (t) => {
  const home = new Home(t);
  await home.start();
  const [teller, auditor] = [await home.connect(), await home.connect()];
  await teller.script("create table account (id integer primary key, sum integer not null)");
  await teller.execute(`insert into account ${numbers(5000, "x, 100")}`);
  const over = { yes: false };
  const transfers = (async () => {
    for (let n = 1; !over.yes; n++) {
      const [from, to] = [1 + ((n * 7) % 5000), 1 + ((n * 13) % 5000)];
      await teller.batch([
        ["update account set sum = sum - 1 where id = ?", [from]],
        ["update account set sum = sum + 1 where id = ?", [to]],
      ]);
    }
  })();
  for (let round = 0; round < 10; round++) {
    let [sum, rows] = [0, 0];
    // A window of a few rows, so that hundreds of transfers come between the first and the last.
    for await (const row of auditor.stream<{ sum: number }>("select sum from account", [], { credit: 2000 })) {
      sum += row.sum;
      rows++;
    }
    assert.deepEqual([rows, sum], [5000, 500_000]);
  }
  over.yes = true;
  await transfers;
});

// rule 4
test("a stream shows the writes that were sent before it and not answered", async (t) => {
  const home = new Home(t);
  await home.start();
  const wire = await home.wire();
  await wire.call("db.execute", { sql: "create table t (n integer)", key: wire.key() });
  for (let round = 1; round <= 20; round++) {
    const writes = [1, 2, 3].map((n) =>
      wire.post("db.execute", { sql: `insert into t values (${n})`, key: wire.key() }),
    );
    const answer = wire.post("db.stream", { stream: round, sql: "select count(*) from t", credit: 10_000 });
    const after = wire.post("db.execute", { sql: "insert into t values (4)", key: wire.key() });
    await Promise.all([...writes, answer, after]);
    const rows = await until("its row", () =>
      wire.notices.find(({ method, params }) => method === "db.rows" && params["stream"] === round),
    );
    const [[count] = []] = rows.params["rows"] as number[][];
    assert.ok(Number(count) >= round * 4 - 1, `${count} of ${round * 4 - 1}`);
  }
});

// rule 16
test("a log that must be folded ends old snapshots, and refuses no write", async (t) => {
  const home = new Home(t);
  await home.start({ limits: { walBytesMax: MiB } });
  const canary = await Canary.start(home);
  const [writer, reader] = [await home.connect(), await home.connect()];
  await writer.script("create table blob (id integer primary key, body blob)");
  const old = reader.stream(endless, [], { credit: 2000 });
  await begun(old);
  await standStillFor(1100);
  const filler = Buffer.alloc(100_000, 1);
  await until("the end of the stream", async () => {
    await writer.execute("insert into blob (body) values (?)", [filler]);
    await writer.execute("delete from blob");
    return (await home.status()).reads.snapshots === 0;
  });
  assert.equal((await read(old)).end, "SNAPSHOT_ENDED");
  const { database } = await until("the log to be folded", async () => {
    await writer.execute("delete from blob");
    const status = await home.status();
    return status.database.walBytes < MiB && status;
  });
  assert.ok(database.walBytes < MiB);
  await canary.goesOn();
});

test("a snapshot's process that is killed ends its stream, and nobody else notices", async (t) => {
  const home = new Home(t);
  await home.start();
  const canary = await Canary.start(home);
  const broker = await home.connect();
  const stream = broker.stream(endless, [], { credit: 5000 });
  await begun(stream);
  // The one that was started first; the next is kept warm.
  const [first] = await snapshotPids(home);
  const other = broker.stream(numbers(100_000));
  await begun(other);
  kill(known(first ?? 0), "SIGKILL");
  assert.equal((await read(stream)).end, "STATEMENT_CRASHED");
  assert.deepEqual(await read(other), { rows: 99_999, end: "complete" });
  assert.deepEqual(await read(broker.stream(numbers(1000))), { rows: 1000, end: "complete" });
  await canary.goesOn();
});

test("a client that is gone in the middle leaves nothing behind", async (t) => {
  const home = new Home(t);
  await home.start();
  const canary = await Canary.start(home);
  const wires: Wire[] = [];
  for (let i = 0; i < 3; i++) {
    const wire = await home.wire();
    await wire.call("db.stream", {
      stream: 1,
      sql: i === 2 ? endless : numbers(1_000_000),
      credit: i === 0 ? 1000 : 100 * MiB,
    });
    wires.push(wire);
  }
  wires[1]?.stopReading();
  for (const wire of wires) void wire.drop();
  await snapshotsAre(home, 0);
  await canary.goesOn();
});

test("thirty-two snapshots are open at once, and the next one waits for its turn", async (t) => {
  const home = new Home(t);
  // To start so many processes takes a while.
  await home.start({ limits: { snapshotContendedMs: 300_000 } });
  const canary = await Canary.start(home);
  const [anna, bert] = [await home.connect(), await home.connect()];
  const streams = (broker: Broker) => Array.from({ length: 16 }, () => broker.stream(endless, [], { credit: 1000 }));
  const open = [...streams(anna), ...streams(bert)];
  await Promise.all(open.map(begun));
  await snapshotsAre(home, 32);
  const late = bert.stream(numbers(10));
  const row = late.next();
  await until("the next one to wait", async () => (await home.status()).reads.snapshotsWaiting === 1);
  assert.equal((await home.status()).reads.snapshots, 32);
  await open[0]?.return();
  assert.deepEqual(await within("its turn", row), { value: { x: 1 }, done: false });
  for (const stream of open) await stream.return();
  await late.return();
  await snapshotsAre(home, 0);
  await canary.goesOn();
});

// rule 11
test("a stream goes on after the whole broker stood still for longer than a snapshot may live", async (t) => {
  const home = new Home(t);
  const limitMs = 7000;
  const front = await home.start({ limits: { snapshotMs: limitMs, readMs: limitMs } });
  const broker = await home.connect();
  const stream = broker.stream(numbers(5000), [], { credit: 5000 });
  await begun(stream);
  const all = [front.known, ...childrenOf(front.pid)];
  for (const one of all) await stop(one);
  await standStillFor(limitMs + 500);
  for (const one of all.reverse()) kill(one, "SIGCONT");
  assert.deepEqual(await read(stream), { rows: 4999, end: "complete" });
});

test("a stream in the middle ends with its broker; the program hears so and streams anew from the next one", async (t) => {
  const home = new Home(t);
  const front = await home.start();
  const broker = await home.connect();
  const stream = broker.stream(endless, [], { credit: 5000 });
  await begun(stream);
  const [snapshot] = await snapshotPids(home);
  kill(front.known, "SIGKILL");
  assert.equal((await read(stream)).end, "CONNECTION_LOST");
  await home.start();
  assert.deepEqual(await read(broker.stream(numbers(1000))), { rows: 1000, end: "complete" });
  assert.ok(isGone(known(snapshot ?? 0)), "the old front's process reads no more");
});

test("a broker that is told to end ends its streams with a code of its own", async (t) => {
  const home = new Home(t);
  const front = await home.start();
  const broker = await home.connect();
  const stream = broker.stream(endless, [], { credit: 5000 });
  await begun(stream);
  kill(front.known, "SIGTERM");
  assert.equal((await read(stream)).end, "SHUTTING_DOWN");
  assert.equal((await within("the end of the broker", front.exited)).code, 0);
});

test("values of every type come as with a query, in both encodings and both shapes", async (t) => {
  const home = new Home(t);
  await home.start();
  for (const encoding of ["json", "msgpack"] as const) {
    const broker = await home.connect({ encoding });
    await broker.script("create table if not exists t (a, b)");
    await broker.execute("delete from t");
    const values = [1, 2n ** 60n, 2.5, "ü\u0000x", new Uint8Array([0, 255]), null, -0.0];
    for (const value of values) await broker.execute("insert into t values (?, ?)", [value, "b"]);
    const sql = "select a, b, a as a from t where b = :b order by rowid";
    const objects: unknown[] = [];
    for await (const row of broker.stream(sql, { b: "b" })) objects.push(row);
    assert.deepEqual(objects, await broker.query(sql, { b: "b" }));
    const arrays: unknown[] = [];
    const stream = broker.stream(sql, { b: "b" }, { rows: "arrays" });
    assert.deepEqual(await stream.columns(), ["a", "b", "a"]);
    for await (const row of stream) arrays.push(row);
    assert.deepEqual(arrays, (await broker.execute(sql, { b: "b" }, { rows: "arrays" })).rows);
  }
});
