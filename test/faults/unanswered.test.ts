/**
 * Requests that cannot be answered for long, because the writer is at one long statement: however many send them, go and
 * come again, the broker keeps a bounded part of them. What it keeps is told by `holdfast status`.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Home } from "../support/broker.js";
import { until } from "../support/patience.js";
import type { Wire } from "../support/wire.js";

const home = new Home({ after });
const kibibyte = 1024;
const bytesMax = 4 * kibibyte * kibibyte;
const writeBytes = 128 * kibibyte;
const large = "x".repeat(writeBytes);
const insert = "insert into pile (data) values (?)";
const endless = `update counter set n = (with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c)`;

before(async () => {
  const limits = { requestBytesAllMax: bytesMax, writeMs: 300_000, writeContendedMs: 300_000, writesDispatchedMax: 4 };
  await home.start({ limits });
  const wire = await home.wire();
  await wire.call("db.script", {
    sql: "create table counter (n integer); insert into counter values (0); create table pile (data text)",
    key: wire.key(),
  });
});

/** Has the writer at one statement until what it returns is called. */
async function occupyWriter(): Promise<() => Promise<void>> {
  const wire = await home.wire();
  const id = "endless";
  const answer = wire.postAs(id, "db.execute", { sql: endless });
  await until("the writer to have it", async () => (await home.status()).writes.dispatched === 1);
  return async () => {
    wire.notify("session.cancel", { id });
    assert.equal((await answer).error?.data.code, "CANCELLED");
  };
}

/** Each sends more than the broker may keep of all, every other write under a key. */
async function flood(connections: number): Promise<Wire[]> {
  const wires: Wire[] = [];
  for (let n = 0; n < connections; n++) wires.push(await home.wire());
  for (const wire of wires)
    for (let n = 0; n < 40; n++) {
      const key = n % 2 === 0 ? { key: wire.key() } : {};
      void wire.post("db.execute", { sql: insert, args: [large], ...key }).catch(() => undefined);
    }
  return wires;
}

test("what connections have queued that are gone is gone too, and what is there is bounded; who asks for little is served", async () => {
  const [innocent, reader] = [await home.wire(), await home.wire()];
  const release = await occupyWriter();
  for (let round = 0; round < 3; round++) {
    const floods = await flood(4);
    await until("much to be queued", async () => (await home.status()).unansweredBytes > bytesMax / 2);
    await Promise.all(floods.map((wire) => wire.drop()));
    await until("nothing to be queued any more", async () => {
      const { writes, unansweredBytes } = await home.status();
      return writes.queued === 0 && unansweredBytes < 2 * writeBytes;
    });
  }
  const floods = await flood(12);
  const write = innocent.post("db.execute", {
    sql: "insert into pile (data) values ('innocent')",
    key: innocent.key(),
  });
  // One more is read of each than fits, and of each a little in any case.
  const most = bytesMax + floods.length * (writeBytes + 64 * kibibyte);
  for (let look = 0; look < 20; look++) {
    assert.deepEqual((await reader.call("db.query", { sql: "select n from counter" })).rows, [[0]]);
    assert.ok((await home.status()).unansweredBytes < most);
  }
  await release();
  assert.equal((await write).error, undefined);
  for (const wire of floods) await wire.drop();
});
