/**
 * Statements that eat memory: each fails by itself, in the process that runs it, before the system has to choose whom to
 * end; and who is beside it, or comes after it in the same process, notices nothing.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, afterEach, before, test } from "node:test";
import { reservedBytes } from "../../src/store/pipe/memory.js";
import { Home } from "../support/broker.js";
import { Canary } from "../support/canary.js";
import { until } from "../support/patience.js";
import type { Answer } from "../support/wire.js";

// The system counts the memory of a process, and says how it stands, on Linux only.
const onLinux = process.platform === "linux";

const home = new Home({ after });
let canary: Canary;
const MiB = 1024 * 1024;
const bytesMax = 256 * MiB;

before(async () => {
  // Whether there is enough time is another question.
  const limits = { readMs: 300_000, writeMs: 300_000, writeContendedMs: 300_000 };
  await home.start({ limits: { childBytesMax: bytesMax, ...limits } });
  canary = await Canary.start(home);
  const wire = await home.wire();
  await wire.call("db.script", {
    sql: "create table item (n integer primary key, who text); create table heap (a)",
    key: wire.key(),
  });
});

// The innocent one has noticed nothing, and nothing of a refused statement was done.
afterEach(async () => {
  await canary.goesOn();
  const wire = await home.wire();
  assert.deepEqual((await wire.call("db.query", { sql: "select count(*) from heap" })).rows, [[0]]);
});

/** What it is told: by SQLite, which got no memory; or by the broker, who has seen the process die when Node got none. */
function isOutOfMemory({ error }: Answer): boolean {
  return error?.data.code === "SQLITE_NOMEM" || error?.data.code === "STATEMENT_CRASHED";
}

function dataBytesOf(pid: number): number {
  return Number(/^VmData:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024 - reservedBytes;
}

const numbers = "with recursive n(x) as (select 1 union all select x + 1 from n limit 300000)";
const hungry = {
  "a value of bytes": "select randomblob(400000000)",
  "a value of text": "select hex(zeroblob(200000000))",
  "a value that Node must copy": "select randomblob(100000000)",
  "a sort": `${numbers} select count(*) from (select x from n order by randomblob(1000), x limit 290000 offset 1)`,
  "a table of its own":
    `${numbers}, big(a) as materialized (select randomblob(1000) from n) ` +
    "select count(*) from big b, big c where b.a = c.a",
  "what is distinct": `${numbers} select count(distinct randomblob(1000)) from n`,
};
const sort = hungry["a sort"];

for (const [name, sql] of Object.entries(hungry)) {
  test(`a read that needs too much memory is refused alone: ${name}`, { skip: !onLinux }, async () => {
    const wire = await home.wire();
    const answer = await wire.post("db.query", { sql });
    assert.ok(isOutOfMemory(answer), JSON.stringify(answer));
    assert.equal(answer.error?.data.outcome, "none");
    assert.deepEqual((await wire.call("db.query", { sql: "select 1" })).rows, [[1]]);
  });

  test(`a write that needs too much memory is refused alone, and undone: ${name}`, { skip: !onLinux }, async () => {
    const wire = await home.wire();
    const answer = await wire.post("db.execute", { sql: `insert into heap select * from (${sql})`, key: wire.key() });
    assert.ok(isOutOfMemory(answer), JSON.stringify(answer));
    assert.equal(answer.error?.data.outcome, "none");
    await wire.call("db.execute", { sql: "insert into item (who) values ('after')", key: wire.key() });
  });
}

test("a stream that needs too much memory is refused alone", { skip: !onLinux }, async () => {
  const wire = await home.wire();
  assert.ok(isOutOfMemory(await wire.post("db.stream", { stream: 1, sql: sort, credit: 1000 })));
  assert.deepEqual((await wire.call("db.stream", { stream: 2, sql: "select 1 as a", credit: 1000 })).columns, ["a"]);
});

test("a transaction goes on after a statement that needed too much memory", { skip: !onLinux }, async () => {
  const wire = await home.wire();
  await wire.call("tx.begin", { tx: 1, mode: "write" });
  await wire.call("tx.execute", { tx: 1, sql: "insert into item (who) values ('before')" });
  const answer = await wire.post("tx.execute", { tx: 1, sql: `insert into heap select * from (${sort})` });
  assert.equal(answer.error?.data.code, "SQLITE_NOMEM");
  await wire.call("tx.execute", { tx: 1, sql: "insert into item (who) values ('behind')" });
  await wire.call("tx.commit", { tx: 1, key: wire.key() });
  const { rows } = await wire.call("db.query", { sql: "select who from item where who in ('before', 'behind')" });
  assert.deepEqual(rows, [["before"], ["behind"]]);
});

// In this order malloc keeps what was given back.
test("a writer that is full of what was given back is replaced", { skip: !onLinux }, async () => {
  const wire = await home.wire();
  for (const sql of [...Object.values(hungry), sort])
    await wire.refusal("db.execute", { sql: `insert into heap select * from (${sql})`, key: wire.key() });
  await wire.call("db.execute", { sql: "insert into item (who) values ('next')", key: wire.key() });
  await until("a writer with memory to spare", async () => {
    const { pid } = await home.processOf("writer");
    return dataBytesOf(pid) < bytesMax / 2 || undefined;
  });
});

test("who writes and reads beside hungry statements that come one after the other is told of no error", {
  skip: !onLinux,
}, async () => {
  const wires = await Promise.all(Array.from({ length: 8 }, () => home.wire()));
  const greedy = await home.wire();
  const feast = Object.values(hungry).flatMap((sql) => [
    greedy.post("db.query", { sql }),
    greedy.post("db.execute", { sql: `insert into heap select * from (${sql})`, key: greedy.key() }),
  ]);
  let over = false;
  const done = Promise.all(feast).then((answers) => {
    over = true;
    return answers;
  });
  const count = async (wire: (typeof wires)[number], who: string): Promise<number> => {
    let n = 0;
    for (; !over; n++) {
      await wire.call("db.execute", { sql: "insert into item (who) values (?)", args: [who], key: wire.key() });
      const { rows } = await wire.call("db.query", { sql: "select count(*) from item where who = ?", args: [who] });
      assert.deepEqual(rows, [[n + 1]]);
    }
    return n;
  };
  const written = await Promise.all(wires.map((wire, place) => count(wire, `innocent ${place}`)));
  for (const answer of await done) assert.ok(isOutOfMemory(answer), JSON.stringify(answer));
  assert.ok(
    written.every((n) => n > 0),
    String(written),
  );
});
