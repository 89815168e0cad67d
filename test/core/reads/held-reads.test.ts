import assert from "node:assert/strict";
import { test } from "node:test";
import { HeldReads } from "../../../src/core/reads/held-reads.js";
import type { Read } from "../../../src/core/reads/read.js";
import type { Session } from "../../../src/core/sessions/session.js";

/** A session with unanswered writes of these orders. */
function sessionWith(...orders: number[]): Session {
  return { id: "s", writes: new Map(orders.map((order) => [order, { order }])) } as unknown as Session;
}

function read(session: Session, after: number): Read {
  return { session, after } as Read;
}

test("a read is free when no write up to its own last one is open, in the order in which the reads were sent", () => {
  const session = sessionWith(3, 5);
  const held = new HeldReads();
  const reads = [3, 4, 5].map((after) => read(session, after));
  for (const one of reads) held.add(one);
  held.check();
  assert.deepEqual(held.takeFree(session), []);
  session.writes.delete(3 as never);
  assert.deepEqual(held.takeFree(session), reads.slice(0, 2));
  held.check();
  session.writes.delete(5 as never);
  assert.deepEqual(held.takeFree(session), reads.slice(2));
  assert.equal(held.length, 0);
});

test("reads are taken out by choice or all at once", () => {
  const session = sessionWith(1);
  const held = new HeldReads();
  const [first, second] = [read(session, 1), read(session, 1)];
  for (const one of [first, second]) held.add(one);
  assert.equal(
    held.take(session, (one) => one === second),
    second,
  );
  assert.equal(
    held.take(session, (one) => one === second),
    undefined,
  );
  assert.deepEqual(held.drop(session), [first]);
  assert.deepEqual(held.drop(session), []);
  assert.deepEqual(held.takeFree(session), []);
  held.check();
});

test("a read that is held back for nothing does not pass the check", () => {
  const session = sessionWith(1);
  const held = new HeldReads();
  held.add(read(session, 1));
  session.writes.delete(1 as never);
  assert.throws(() => held.check(), /for nothing/);
});
