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

// rule 14: until then data.db is noted as the one that it was
test("a writer that dies before it has made a new incarnation leaves that to the next, wherever its tokens begin", () => {
  const broker = new TestBroker({ memory: { tokensAbove: 2 } });
  assert.equal(broker.core.ready, false);
  for (let writers = 2; writers < 4; writers++) {
    broker.killWriter({ jobs: 0, phase: "idle" });
    broker.writerReady();
    assert.equal(broker.core.ready, false);
    assert.equal(broker.ledger.mark, undefined);
  }
  const asked = broker.writer.taken("reserve");
  assert.deepEqual(
    asked.map(({ newIncarnation }) => newIncarnation),
    [true, true, true],
  );
  const { tokensTo, tokensPerBlock } = broker.writer;
  const above = asked.at(-1)?.above ?? 0;
  assert.ok(above > tokensTo - tokensPerBlock, "above what this writer has reserved");
  const reserved = { tokensFrom: tokensTo, tokensTo: tokensTo + tokensPerBlock, incarnation: "second" };
  broker.do({ kind: "tokens-reserved", ...reserved });
  assert.equal(broker.core.ready, true);
  assert.equal(broker.ledger.mark?.incarnation, "second");
  broker.writer.tokensTo = reserved.tokensTo;
  broker.killWriter({ jobs: 0, phase: "idle" });
  broker.writerReady();
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

/** Whether the writer is told at the end that nothing is held. */
function endsFree(broker: TestBroker): boolean {
  broker.do({ kind: "drain" });
  broker.do({ kind: "end" });
  return broker.writer.taken("nothing-held").length === 1;
}

// rule 13: what the next broker believes when it finds no ledger
test("when nobody holds anything at its end, the writer is told so", () => {
  const broker = new TestBroker();
  const client = broker.client();
  client.release(client.hold("x"));
  assert.equal(endsFree(broker), true);
});

test("in the last turn and after it nothing is granted any more", () => {
  const broker = new TestBroker();
  const [a, b] = [broker.client(), broker.client()];
  const held = a.hold("x");
  const waiting = b.acquire("x");
  endsFree(broker);
  a.release(held);
  assert.ok(waiting.open);
  assert.equal(broker.core.counts.held, 0);
});

const notFree: { readonly [what: string]: (broker: TestBroker) => void } = {
  "somebody holds a lock": (broker) => void broker.client().hold("x"),
  "somebody holds a lock and is away": (broker) => {
    const away = broker.client();
    away.hold("x");
    away.disconnect();
  },
  "processes of a lock that has ended live": (broker) => {
    const client = broker.client();
    client.release(client.hold("x", { guarded: true }), { lost: true });
    assert.equal(broker.ending.size, 1);
  },
  "writes that were sent under a lock are not settled": (broker) => {
    const client = broker.client();
    const held = client.hold("x");
    client.write("w", { fences: [held] });
    client.release(held);
  },
};

for (const [what, before] of Object.entries(notFree))
  test(`when ${what} at its end, the writer is told nothing`, () => {
    const broker = new TestBroker();
    before(broker);
    assert.equal(endsFree(broker), false);
  });

test("in a time of grace the writer is told nothing at the end: those who are not known may hold something", () => {
  const broker = new TestBroker({ memory: { graceMs: 1000 } });
  assert.equal(endsFree(broker), false);
  const later = new TestBroker({ memory: { graceMs: 1000 } });
  later.pass(1000);
  assert.equal(endsFree(later), true);
});
