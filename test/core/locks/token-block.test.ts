import assert from "node:assert/strict";
import { test } from "node:test";
import { TokenBlock } from "../../../src/core/locks/token-block.js";
import { FakeWriter } from "../support/fake-writer.js";
import { TestBroker } from "../support/test-broker.js";

test("nothing is asked for and nothing can be taken before the first block has come", () => {
  const tokens = new TokenBlock();
  assert.equal(tokens.ready, false);
  assert.equal(tokens.mustReserve(), false);
  assert.throws(() => tokens.take());
  assert.deepEqual(new TestBroker({ started: false }).writer.asked, []);
});

test("tokens rise from block to block, and the next is asked for once, when half is used", () => {
  const tokens = new TokenBlock();
  tokens.reserved(10, 14);
  assert.deepEqual([tokens.take(), tokens.mustReserve()], [10, false]);
  assert.deepEqual([tokens.take(), tokens.mustReserve(), tokens.mustReserve()], [11, true, false]);
  tokens.reserved(14, 18);
  assert.deepEqual([tokens.take(), tokens.take(), tokens.mustReserve()], [12, 13, false]);
  assert.deepEqual([tokens.take(), tokens.mustReserve()], [14, true]);
});

test("what lies between two blocks was not reserved and is not taken", () => {
  const tokens = new TokenBlock();
  tokens.reserved(10, 20);
  assert.equal(tokens.take(), 10);
  tokens.reserved(50, 60);
  assert.deepEqual([tokens.take(), tokens.take()], [50, 51]);
});

test("a block that begins below what is reserved already is not new", () => {
  const tokens = new TokenBlock();
  tokens.reserved(100, 104);
  tokens.take();
  tokens.reserved(1, 50);
  assert.deepEqual([tokens.take(), tokens.take(), tokens.take(), tokens.ready], [101, 102, 103, false]);
});

test("a reservation that was lost with the writer is asked for again", () => {
  const tokens = new TokenBlock();
  tokens.reserved(1, 3);
  tokens.take();
  assert.equal(tokens.mustReserve(), true);
  tokens.reservationLost();
  assert.equal(tokens.mustReserve(), true);
});

test("the broker reserves the next block exactly behind the present one, and grants go on meanwhile", () => {
  const broker = new TestBroker({ writer: new FakeWriter(0, 4) });
  const client = broker.client();
  const tokens: number[] = [];
  for (const lock of ["a", "b", "c"]) tokens.push(client.hold(lock).token);
  const [asked] = broker.writer.taken("reserve");
  assert.deepEqual(asked, { to: "writer", kind: "reserve", above: 4, newIncarnation: false });
  tokens.push(client.hold("d").token);
  assert.equal(client.acquire("e").refusal.code, "WRITER_UNAVAILABLE");
  assert.ok(asked !== undefined);
  broker.do(broker.writer.reserve(asked));
  tokens.push(client.hold("e").token);
  assert.deepEqual(tokens, [1, 2, 3, 4, 5]);
  assert.equal(broker.ledger.mark?.tokensTo, 9);
});

test("a name is granted as soon as tokens are at hand again, and not before", () => {
  const broker = new TestBroker({ writer: new FakeWriter(0, 2) });
  const [a, b] = [broker.client(), broker.client()];
  const held = a.hold("x");
  const waiting = b.acquire("x");
  a.hold("y");
  a.release(held);
  assert.ok(waiting.open);
  const [asked] = broker.writer.taken("reserve");
  assert.ok(asked !== undefined);
  broker.do(broker.writer.reserve(asked));
  assert.equal(waiting.grant.token, 3);
});

test("tokens that may have been given in an earlier life are never given again, though the database was put back", () => {
  const writer = new FakeWriter();
  writer.tokensTo = 5;
  const broker = new TestBroker({ writer, memory: { tokensAbove: 500 } });
  assert.equal(broker.core.ready, false);
  const asked = writer.taken("reserve");
  assert.deepEqual(asked, [{ to: "writer", kind: "reserve", above: 500, newIncarnation: true }]);
  const client = broker.client();
  assert.equal(client.acquire("x").refusal.code, "WRITER_UNAVAILABLE");
  for (const job of asked) broker.do(writer.reserve(job));
  assert.ok(broker.core.ready);
  assert.ok(client.hold("x").token > 500);
});

test("a block that begins just where the last life's ended is taken up", () => {
  const writer = new FakeWriter();
  writer.tokensTo = 500;
  const broker = new TestBroker({ writer, memory: { tokensAbove: 500 } });
  assert.ok(broker.core.ready);
  assert.equal(broker.client().hold("x").token, 500);
});
