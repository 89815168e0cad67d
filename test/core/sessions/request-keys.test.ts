import assert from "node:assert/strict";
import { test } from "node:test";
import { judgeKey } from "../../../src/core/sessions/request-keys.js";
import type { Session } from "../../../src/core/sessions/session.js";
import { TestBroker } from "../support/test-broker.js";
import { key } from "../support/values.js";

function verdict(
  number: number | undefined,
  known: { keyHigh?: number; restored?: boolean; ackedBelow?: number },
): string {
  const { keyHigh = 0, restored = false, ackedBelow = 0 } = known;
  const session = { keyHigh, restored, finished: { ackedBelow } } as unknown as Session;
  return judgeKey(session, number === undefined ? undefined : key(number)).kind;
}

test("a key says whether the writer may have had it: never, perhaps, or long ago", () => {
  assert.equal(verdict(5, { keyHigh: 4 }), "fresh");
  assert.equal(verdict(5, { keyHigh: 5 }), "seen");
  assert.equal(verdict(3, { keyHigh: 5 }), "seen");
  assert.equal(verdict(5, { restored: true }), "seen");
  assert.equal(verdict(5, { keyHigh: 5, ackedBelow: 6 }), "refused");
  assert.equal(verdict(6, { keyHigh: 5, ackedBelow: 6 }), "fresh");
  assert.equal(verdict(undefined, { restored: true }), "fresh");
});

test("a write whose key was acknowledged is never executed", () => {
  const broker = new TestBroker();
  const client = broker.client();
  client.write("w", { key: 1 });
  broker.settle();
  client.ack(2);
  const { code, details } = client.write("w", { key: 1 }).refusal;
  assert.deepEqual([code, details], ["RETRY_TOO_OLD", { key: 1, ackedBelow: 2 }]);
  assert.equal(broker.writer.waiting.length, 0);
});

test("what a client acknowledges at hello counts as well", () => {
  const client = new TestBroker().client();
  client.disconnect();
  client.resume({ ack: 7 });
  assert.equal(client.write("w", { key: 6 }).refusal.code, "RETRY_TOO_OLD");
  assert.ok(client.write("w", { key: 7 }).open);
});

test("the writer may forget replies when many were acknowledged, not one by one", () => {
  const broker = new TestBroker();
  const client = broker.client();
  for (let key = 1; key < 200; key++) {
    client.write("w", { key });
    broker.settle();
    client.ack(key + 1);
  }
  assert.deepEqual(
    broker.writer.taken("forget").map(({ below }) => below),
    [64, 128, 192],
  );
});

test("with each write the writer is told below which key its client has all answers, and never more than is true", () => {
  const broker = new TestBroker();
  const client = broker.client();
  const told = () => broker.writer.waiting.map((job) => (job.kind === "write" ? [job.key, job.ackedBelow] : job.kind));
  client.write("w", { key: 1 });
  client.write("w", { key: 2 });
  assert.deepEqual(told(), [
    [1, 0],
    [2, 0],
  ]);
  broker.settle();
  client.ack(2);
  client.write("w", { key: 3 });
  assert.deepEqual(told(), [[3, 2]]);
  broker.settle();
  client.ack(100);
  client.write("w", { key: 101 });
  client.write("w", { key: 102 });
  assert.deepEqual(told(), [
    [101, 100],
    [102, 100],
  ]);
});

test("the writer is not told to forget what it was never given, whatever is acknowledged", () => {
  const broker = new TestBroker();
  const client = broker.client();
  for (let n = 1; n <= 100; n++) client.ack(1000 * n);
  assert.deepEqual(broker.writer.taken("forget"), []);
  client.write("w", { key: 200_000 });
  broker.settle();
  client.ack(300_000);
  client.ack(400_000);
  assert.deepEqual(
    broker.writer.taken("forget").map(({ below }) => below),
    [200_001],
  );
});
