/**
 * Leases over a real socket: they end when nothing is heard of their holder, and only then. What the broker itself does not
 * read is not silence, and a frame that is long on its way is a sign of life all the time (rule 11).
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { Home } from "../support/broker.js";
import { Canary } from "../support/canary.js";
import { standStillFor, within } from "../support/patience.js";
import { kill, known, stop } from "../support/processes.js";
import type { Wire } from "../support/wire.js";
import { frame, RawClient } from "../transport/raw-client.js";

/** A lease that a process which waits for its turn on a busy machine does not lose, and a time in which it would be over. */
const ttlMs = 3000;
const longMs = 4000;

function take(wire: Wire, params: { readonly ttlMs?: number; readonly waitMs?: number } = {}) {
  return wire.call("lock.acquire", { name: "leased", key: wire.key(), ...params });
}

test("a lease that nobody renews ends, its holder is told, and the next one gets the lock", async (t) => {
  const home = new Home(t);
  await home.start();
  const canary = await Canary.start(home);
  const holder = await home.wire();
  const next = await home.wire();
  const { token } = await take(holder, { ttlMs });
  const granted = await take(next);
  assert.ok(granted.token > token);
  assert.ok(granted.waitedMs >= ttlMs - 50);
  const { params } = await holder.notice("lock.lost");
  assert.deepEqual([params["name"], params["token"]], ["leased", token]);
  assert.match(String(params["reason"]), /lease/);
  await canary.goesOn();
});

test("a ping renews all leases of its session, and none of another", async (t) => {
  const home = new Home(t);
  await home.start();
  const [lively, silent, next] = [await home.wire(), await home.wire(), await home.wire()];
  await lively.call("lock.acquire", { name: "one", key: lively.key(), ttlMs });
  await lively.call("lock.acquire", { name: "two", key: lively.key(), ttlMs });
  // It ends when those of the other would be over long since.
  await take(silent, { ttlMs: longMs });
  const granted = take(next);
  for (let ended = false; !ended; ) {
    await lively.call("session.ping", {});
    ended = await Promise.race([granted.then(() => true), standStillFor(100).then(() => false)]);
  }
  const { locks } = await next.call("lock.list", { session: lively.welcome?.session ?? "" });
  assert.deepEqual(
    locks.map(({ name }) => name),
    ["one", "two"],
  );
  assert.deepEqual(lively.notices, []);
});

// rule 11: while the front itself does not read a connection its lease clock stands
test("a lease is kept while the broker holds back the reading of its connection", async (t) => {
  const home = new Home(t);
  const front = await home.start({ limits: { requestsInFlightMax: 2, readersMin: 1, readersMax: 1 } });
  const [holder, next] = [await home.wire(), await home.wire()];
  const reader = await home.processOf("reader");
  await stop(reader);
  const { token } = await take(holder, { ttlMs });
  const granted = take(next);
  let isGranted = false;
  void granted.then(() => {
    isGranted = true;
  });
  const answers = [1, 2].map((n) => holder.call("db.query", { sql: `select ${n}` }));
  // What the broker does not read: it would renew the lease.
  const ping = holder.call("session.ping", {});
  await standStillFor(longMs);
  assert.deepEqual([isGranted, holder.notices], [false, []]);
  kill(reader, "SIGCONT");
  await Promise.all([...answers, ping]);
  assert.deepEqual([isGranted, holder.notices], [false, []]);
  // Now it is silent of its own will.
  assert.ok((await within("the next grant", granted)).token > token);
  assert.ok(!front.isGone && known(front.pid).pid === front.pid);
});

// rule 11: any byte is a sign of life
test("a lease is kept while a large frame of its holder is on its way", async (t) => {
  const home = new Home(t);
  await home.start();
  const next = await home.wire();
  const holder = await RawClient.open(home.socket);
  home.beforeLeaving(async () => holder.destroy());
  let id = 0;
  const request = (method: string, params: object) =>
    frame(JSON.stringify({ jsonrpc: "2.0", id: ++id, method, params }));
  const secret = randomBytes(32).toString("base64url");
  holder.write(request("session.hello", { protocol: { min: 1, max: 1 }, secret }));
  await holder.text();
  holder.write(request("lock.acquire", { name: "leased", key: 1, ttlMs }));
  await holder.text();
  const granted = take(next);
  let isGranted = false;
  void granted.then(() => {
    isGranted = true;
  });
  const large = request("db.query", { sql: "select length(?)", args: ["x".repeat(4 * 1024 * 1024)] });
  const pieces = 16;
  for (let at = 0; at < pieces; at++) {
    holder.write(large.subarray((at * large.length) / pieces, ((at + 1) * large.length) / pieces));
    await standStillFor(longMs / pieces);
  }
  const answer = JSON.parse((await holder.text()) ?? "") as { result: { rows: number[][] } };
  assert.deepEqual(answer.result.rows, [[4 * 1024 * 1024]]);
  assert.equal(isGranted, false);
  await within("the next grant", granted);
});

// promise 7: a pause of the broker expires nobody
test("a lease is not used up while the broker stands still", async (t) => {
  const home = new Home(t);
  const front = await home.start();
  const [holder, next] = [await home.wire(), await home.wire()];
  await take(holder, { ttlMs });
  const granted = take(next);
  await stop(front.known);
  await standStillFor(longMs);
  kill(front.known, "SIGCONT");
  await holder.call("session.ping", {});
  assert.deepEqual(holder.notices, []);
  await within("the next grant", granted);
});
