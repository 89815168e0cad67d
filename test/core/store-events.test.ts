import assert from "node:assert/strict";
import { test } from "node:test";
import { TestBroker } from "./support/test-broker.js";
import { seqOf } from "./support/values.js";

test("a write is answered in the same turn in which the names that it kept back are granted", () => {
  const broker = new TestBroker();
  const [a, b] = [broker.client(), broker.client()];
  const held = a.hold("x");
  a.write("w");
  a.release(held);
  b.acquire("x");
  const letters = broker.settle();
  assert.deepEqual(
    letters.map(({ kind }) => kind),
    ["answer", "granted"],
  );
});

test("answers to writes that nobody knows are not heard", () => {
  const broker = new TestBroker();
  const answers = [{ seq: 99 as never, answer: { kind: "done", body: "" } as const }];
  assert.deepEqual(broker.do({ kind: "writer-settled", answers, storedSeq: seqOf(0), walBytes: 0 }), []);
});

test("every writer's block of tokens is noted before a token of it is used", () => {
  const broker = new TestBroker();
  broker.killWriter({ jobs: 0, phase: "idle" });
  broker.writerReady();
  assert.equal(broker.ledger.mark?.tokensTo, broker.writer.tokensTo);
  assert.deepEqual(broker.writer.taken("reserve"), []);
});

test("while the writer is away locks go on: tokens were reserved before", () => {
  const broker = new TestBroker();
  const [a, b] = [broker.client(), broker.client()];
  broker.killWriter({ jobs: 0, phase: "idle" });
  const held = a.hold("x");
  const waiting = b.acquire("x");
  a.release(held);
  assert.ok(waiting.grant.token > held.token);
});
