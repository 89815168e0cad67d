import assert from "node:assert/strict";
import { test } from "node:test";
import { TestBroker } from "../support/test-broker.js";
import type { TestClient } from "../support/test-client.js";
import { whatOf } from "../support/values.js";

type Options = ConstructorParameters<typeof TestBroker>[0];

function two(options: Options = {}): [TestBroker, TestClient, TestClient] {
  const broker = new TestBroker(options);
  return [broker, broker.client("anna"), broker.client("bert")];
}

/** What the writer has in its hands: `begin`, `run x`, `commit`, or what a plain write does. */
function inHand(broker: TestBroker): string[] {
  return broker.writer.waiting.map((job) => {
    const { what } = whatOf(job.parcel);
    return job.kind === "step" ? `${job.step} ${what}`.trim() : what;
  });
}

function applied(broker: TestBroker): string[] {
  return broker.writer.applied.map(({ what }) => what);
}

function codes(...asked: { readonly refusal: { code: string } }[]): string[] {
  return asked.map(({ refusal }) => refusal.code);
}

// ── the plain course ──────────────────────────────────────────────────────────────────────────────────────────────────

test("begin, steps and commit go to the writer in one breath, and each is answered", () => {
  const [broker, anna] = two();
  const asked = [anna.begin(), anna.step("a"), anna.step("b"), anna.commit()];
  assert.deepEqual(inHand(broker), ["begin", "run a", "run b", "commit transaction 1"]);
  broker.settle();
  assert.deepEqual(
    asked.map(({ answer }) => answer.kind),
    ["begun", "answer", "answer", "answer"],
  );
  assert.deepEqual(applied(broker), ["a", "b", "transaction 1"]);
  assert.equal(broker.core.counts.transactions, 0);
});

test("while a transaction is open nothing else goes to the writer, and everything goes when it is over", () => {
  const [broker, anna, bert] = two();
  anna.begin();
  broker.settle();
  bert.write("w1");
  anna.step("a");
  anna.write("w2");
  assert.deepEqual(inHand(broker), ["run a"]);
  broker.settle();
  anna.commit();
  assert.deepEqual(inHand(broker), ["commit transaction 1"]);
  broker.settle();
  assert.deepEqual(inHand(broker), ["w1", "w2"]);
});

test("a rollback is answered at once, and what waited goes to the writer right behind it", () => {
  const [broker, anna, bert] = two();
  anna.begin();
  anna.step("a");
  broker.settle();
  bert.write("w");
  const rollback = anna.rollback();
  assert.equal(rollback.answer.kind, "rolled-back");
  assert.deepEqual(inHand(broker), ["rollback", "w"]);
  broker.settle();
  assert.deepEqual(applied(broker), ["w"]);
});

test("a rollback of what is not there succeeds, however often it is asked", () => {
  const [, anna] = two();
  for (const transaction of [1, 1, 7]) assert.equal(anna.rollback({ transaction }).answer.kind, "rolled-back");
});

test("a statement that fails leaves the transaction as it was", () => {
  const [broker, anna] = two();
  anna.begin();
  const failed = anna.step("bad", { fails: true });
  anna.step("good");
  anna.commit();
  broker.settle();
  assert.equal(failed.refusal.code, "SQLITE_CONSTRAINT");
  assert.deepEqual(applied(broker), ["good", "transaction 1"]);
});

// rule 15: an unknown transaction is lost, and nothing is run without one
test("a step and a commit of a transaction that is not there are refused with TX_LOST, and nothing goes to the writer", () => {
  const [broker, anna] = two();
  const asked = [anna.step("a", { transaction: 3 }), anna.commit({ transaction: 3 })];
  assert.deepEqual(codes(...asked), ["TX_LOST", "TX_LOST"]);
  assert.deepEqual(inHand(broker), []);
});

test("the number of a transaction rises in its session; one that was used is refused", () => {
  const [broker, anna, bert] = two();
  anna.begin({ transaction: 5 });
  anna.commit();
  broker.settle();
  assert.equal(anna.begin({ transaction: 5 }).refusal.code, "PARAMS_INVALID");
  assert.equal(anna.begin({ transaction: 4 }).refusal.code, "PARAMS_INVALID");
  const own = bert.begin({ transaction: 4 });
  broker.settle();
  assert.equal(own.answer.kind, "begun");
});

test("a session has at most transactionsMax at once", () => {
  const [broker, anna] = two({ limits: { transactionsMax: 2 } });
  anna.begin();
  anna.begin();
  assert.equal(anna.begin().refusal.code, "TRANSACTIONS_FULL");
  anna.rollback({ transaction: 1 });
  broker.settle();
  const third = anna.begin({ transaction: 4 });
  assert.ok(third.open, "it waits for the second");
});

// ── turns ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

test("transactions have the writer in the order in which they came, also those of one session", () => {
  const [broker, anna, bert] = two();
  const begun = [anna.begin(), bert.begin(), anna.begin()];
  broker.settle();
  assert.deepEqual(
    begun.map(({ open }) => open),
    [false, true, true],
  );
  anna.commit({ transaction: 1 });
  broker.settle();
  broker.settle();
  assert.deepEqual(
    begun.map(({ open }) => open),
    [false, false, true],
  );
  bert.rollback();
  broker.settle();
  assert.deepEqual(
    begun.map(({ open }) => open),
    [false, false, false],
  );
});

test("of sessions whose transactions wait each has one turn in a round, however many one of them has begun", () => {
  const [broker, flood, bert] = two();
  const carl = broker.client("carl");
  const many = [1, 2, 3, 4].map(() => flood.begin());
  broker.settle();
  const [his, hers] = [bert.begin(), carl.begin()];
  const isOpen = () => [...many, his, hers].map(({ open }) => open);
  for (const [client, transaction, left] of [
    [flood, 1, [false, false, true, true, true, true]],
    [flood, 2, [false, false, true, true, false, true]],
    [bert, 1, [false, false, true, true, false, false]],
    [carl, 1, [false, false, false, true, false, false]],
    [flood, 3, [false, false, false, false, false, false]],
  ] as const) {
    client.rollback({ transaction });
    broker.settle();
    assert.deepEqual(isOpen(), left);
  }
});

test("between two transactions every session that waits has a turn, and a flood does not lengthen it", () => {
  const [broker, anna, bert] = two();
  const flood = broker.client("flood");
  anna.begin();
  broker.settle();
  bert.begin();
  for (let n = 0; n < 100; n++) flood.write(`f${n}`);
  const polite = broker.client("polite");
  polite.write("p");
  anna.commit();
  broker.settle();
  const begun = inHand(broker).indexOf("begin");
  assert.ok(begun > 1 && begun < 40, `the transaction comes after ${begun} writes`);
  assert.ok(inHand(broker).indexOf("p") < begun);
  broker.settle();
  bert.commit();
  broker.settle();
  assert.equal(broker.core.counts.queued, 0);
});

test("a begin waits for the writes that its session has sent before it", () => {
  const [broker, anna, bert] = two({ limits: { writesDispatchedMax: 1 } });
  bert.write("b1");
  anna.write("a1");
  bert.write("b2");
  anna.begin();
  assert.deepEqual(inHand(broker), ["b1"]);
  broker.settle();
  assert.deepEqual(inHand(broker), ["a1"]);
  broker.settle();
  broker.settle();
  assert.deepEqual(inHand(broker), ["begin"]);
});

test("what a session sends after a commit does not get to the writer before it, though others may", () => {
  const [broker, anna, bert] = two();
  bert.begin();
  broker.settle();
  anna.begin();
  anna.step("a");
  const committed = anna.commit();
  anna.write("after");
  const read = anna.read("r");
  const carl = broker.client("carl");
  carl.write("c");
  bert.rollback();
  assert.deepEqual(inHand(broker), ["rollback", "c", "begin", "run a", "commit transaction 1"]);
  broker.settle();
  assert.ok(!committed.open);
  assert.deepEqual(inHand(broker), ["after"]);
  assert.ok(read.open);
  broker.settle();
  broker.read("r");
  assert.equal(read.body, "saw r");
});

// rule 5: a release takes effect after the writes sent before it
test("a lock that is released behind a commit is given back when the commit is with the writer, and granted when it is settled", () => {
  const [broker, anna, bert] = two();
  const carl = broker.client("carl");
  carl.begin();
  broker.settle();
  const fence = anna.hold("x");
  anna.begin({ fences: [fence] });
  anna.step("a");
  anna.commit();
  const release = anna.release(fence);
  const next = bert.acquire("x");
  assert.ok(release.open);
  carl.rollback();
  assert.equal(release.answer.kind, "released");
  assert.ok(next.open, "the commit is with the writer");
  broker.settle();
  assert.equal(next.grant.name, "x");
  assert.deepEqual(applied(broker), ["a", "transaction 1"]);
});

test("a cancelled begin leaves the line; a cancelled step that waits is dropped, and the rest goes on", () => {
  const [broker, anna, bert] = two();
  anna.begin();
  broker.settle();
  const begin = bert.begin();
  const step = bert.step("s");
  bert.cancel(begin);
  assert.deepEqual(codes(begin, step), ["CANCELLED", "CANCELLED"]);
  const carl = broker.client("carl");
  const [kept, dropped] = [carl.begin(), carl.step("dropped")];
  carl.cancel(dropped);
  carl.step("stays");
  assert.equal(dropped.refusal.code, "CANCELLED");
  anna.rollback();
  assert.deepEqual(inHand(broker), ["rollback", "begin", "run stays"]);
  broker.settle();
  assert.equal(kept.answer.kind, "begun");
});

test("a rollback before the turn has come takes the transaction out of the line", () => {
  const [broker, anna, bert] = two();
  anna.begin();
  broker.settle();
  const [begin, step] = [bert.begin(), bert.step("s")];
  assert.equal(bert.rollback().answer.kind, "rolled-back");
  assert.deepEqual(codes(begin, step), ["TX_LOST", "TX_LOST"]);
  anna.rollback();
  assert.deepEqual(inHand(broker), ["rollback"]);
});

test("no transaction is begun while the log is to be folded, and none that is open keeps readers from reading", () => {
  const [broker, anna, bert] = two({ limits: { walBytesMax: 1024 * 1024 } });
  anna.begin();
  broker.settle();
  const begin = bert.begin();
  broker.writer.walBytes = 2 * 1024 * 1024;
  anna.step("large");
  broker.settle();
  assert.equal(broker.writer.taken("checkpoint").length, 0, "the writer is taken");
  const read = anna.read("meanwhile");
  broker.read("meanwhile");
  assert.equal(read.body, "saw meanwhile");
  anna.rollback();
  broker.settle();
  assert.ok(begin.open);
  assert.equal(broker.writer.taken("checkpoint").length, 1);
  broker.writer.walBytes = 0;
  broker.do({ kind: "checkpointed", walBytes: 0, complete: true });
  broker.settle();
  assert.equal(begin.answer.kind, "begun");
});

// ── commits ───────────────────────────────────────────────────────────────────────────────────────────────────────────

test("a commit that SQLite refuses leaves the transaction open, and can be said again", () => {
  const [broker, anna, bert] = two();
  anna.begin();
  anna.step("a");
  const refused = anna.commit({ fails: true });
  broker.settle();
  bert.write("w");
  assert.equal(refused.refusal.code, "SQLITE_CONSTRAINT");
  anna.step("b");
  const committed = anna.commit();
  assert.deepEqual(inHand(broker), ["run b", "commit transaction 1"]);
  broker.settle();
  assert.equal(committed.body, "committed transaction 1");
});

// rule 15: the key is looked up before the transaction
test("a commit that is sent again after its connection was lost is answered as the first time", () => {
  const [broker, anna] = two();
  anna.begin();
  anna.step("a");
  anna.commit({ key: 1 });
  broker.settle();
  anna.resume();
  const again = anna.commit({ transaction: 1, key: 1 });
  assert.deepEqual(
    broker.writer.waiting.map((job) => job.kind === "write" && job.mode),
    ["replay"],
  );
  broker.settle();
  assert.equal(again.body, "committed transaction 1");
  assert.deepEqual(applied(broker), ["a", "transaction 1"]);
});

test("a commit that was with the writer when its connection was lost is settled, and the same key waits for it", () => {
  const [broker, anna] = two();
  anna.begin();
  anna.commit({ key: 1 });
  anna.disconnect();
  anna.resume();
  const again = anna.commit({ transaction: 1, key: 1 });
  assert.deepEqual(inHand(broker), ["begin", "commit transaction 1"]);
  broker.settle();
  broker.settle();
  assert.equal(again.body, "committed transaction 1");
});

test("a commit that never got to the writer is refused as not done, without a question to the store", () => {
  const [broker, anna, bert] = two();
  bert.begin();
  broker.settle();
  anna.begin();
  anna.commit({ key: 1 });
  anna.disconnect();
  anna.resume();
  const again = anna.commit({ transaction: 1, key: 1 });
  assert.equal(again.refusal.code, "TX_LOST");
  assert.equal(again.refusal.outcome, undefined, "as the table has it: none");
});

test("after a restart of the broker a commit is looked up, and refused as not done when nothing is stored", () => {
  const [first, anna] = two();
  anna.begin();
  anna.commit({ key: 1 });
  first.settle();
  const second = new TestBroker({ writer: first.writer, ledger: first.ledger, memory: first.ledger.memory() });
  anna.broker = second;
  anna.resume();
  const [known, unknown] = [anna.commit({ transaction: 1, key: 1 }), anna.commit({ transaction: 2, key: 2 })];
  second.settle();
  assert.equal(known.body, "committed transaction 1");
  assert.equal(unknown.refusal.code, "TX_LOST");
});

test("two commits under one key in one breath have one outcome", () => {
  const [broker, anna] = two();
  anna.begin();
  const [first, second] = [anna.commit({ key: 1 }), anna.commit({ key: 1 })];
  broker.settle();
  broker.settle();
  assert.equal(first.body, second.body);
  assert.deepEqual(applied(broker), ["transaction 1"]);
});

// rule 15: a caller's own key is known to the store alone, so that it is asked whenever the transaction is not there
test("a commit under a caller's own key that is sent again while the first is with the writer is answered as that", () => {
  for (const phase of ["settled", "committed"] as const) {
    const [broker, anna] = two();
    anna.begin();
    anna.step("a");
    anna.commit({ ownKey: "order 17" });
    anna.disconnect();
    anna.resume();
    const again = anna.commit({ transaction: 1, ownKey: "order 17" });
    assert.deepEqual(inHand(broker), ["begin", "run a", "commit transaction 1"]);
    if (phase === "settled") broker.settle();
    else broker.killWriter({ jobs: 3, phase });
    if (phase !== "settled") broker.writerReady();
    broker.settle();
    broker.settle();
    assert.equal(again.body, "committed transaction 1", phase);
    assert.deepEqual(applied(broker), ["a", "transaction 1"]);
    assert.equal(broker.core.counts.transactions, 0);
  }
});

test("a commit under a caller's own key that waits behind the same one does not say that nothing was applied", () => {
  for (const how of ["cancelled", "no writer"] as const) {
    const [broker, anna] = two();
    anna.begin();
    anna.commit({ ownKey: "order 17" });
    anna.disconnect();
    anna.resume();
    const again = anna.commit({ transaction: 1, ownKey: "order 17" });
    if (how === "cancelled") anna.cancel(again);
    else broker.killWriter({ jobs: 2, phase: "committed" });
    if (how === "no writer") broker.do(broker.writer.refuse());
    if (how === "cancelled") broker.settle();
    if (how === "cancelled") broker.settle();
    if (how === "cancelled") assert.equal(again.body, "committed transaction 1");
    else assert.deepEqual([again.refusal.code, again.refusal.outcome], ["WRITER_UNAVAILABLE", "unknown"]);
  }
});

test("a commit under a caller's own key that was used before is answered as then, whatever its transaction came to", () => {
  const [broker, anna, bert] = two();
  anna.begin();
  anna.commit({ ownKey: "order 17" });
  broker.settle();
  bert.begin();
  bert.step("b", { ends: true });
  broker.settle();
  const poisoned = bert.commit({ ownKey: "order 17" });
  bert.begin();
  bert.step("c", { ends: true });
  const behind = bert.commit({ ownKey: "order 17" });
  broker.settle();
  broker.settle();
  broker.settle();
  assert.deepEqual([poisoned.body, behind.body], ["committed transaction 1", "committed transaction 1"]);
  bert.begin();
  bert.step("d", { ends: true });
  const other = bert.commit({ ownKey: "order 18" });
  broker.settle();
  broker.settle();
  assert.equal(other.refusal.code, "TX_ROLLED_BACK");
  assert.deepEqual(applied(broker), ["transaction 1"]);
  assert.equal(broker.core.counts.transactions, 0);
});

// rule 5: what is done in place of a commit has the commit's place
test("what a session asked after a commit that is looked up goes behind that, and is answered with what it gives back", () => {
  const [broker, anna, bert] = two();
  const fence = anna.hold("x");
  bert.begin();
  broker.settle();
  anna.begin();
  anna.step("a");
  const commit = anna.commit({ ownKey: "order 17" });
  anna.write("w", { fences: [fence], release: [fence] });
  broker.do({ kind: "drain" });
  bert.rollback();
  assert.deepEqual(inHand(broker), ["rollback", "transaction 1", "w"]);
  broker.settle();
  assert.deepEqual([commit.refusal.code, broker.core.counts.held], ["SHUTTING_DOWN", 0]);
  assert.deepEqual(applied(broker), ["w"]);
});

// ── lost connections and sessions ─────────────────────────────────────────────────────────────────────────────────────

test("a connection that is lost ends its transactions at once, and those of others have their turn", () => {
  const [broker, anna, bert] = two();
  anna.begin();
  anna.step("a");
  anna.begin();
  const next = bert.begin();
  broker.settle();
  anna.disconnect();
  assert.deepEqual(inHand(broker), ["rollback", "begin"]);
  broker.settle();
  assert.equal(next.answer.kind, "begun");
  assert.equal(broker.core.counts.transactions, 1);
});

test("a commit of a client that is gone is waited for, and rolled back when SQLite refuses it", () => {
  const [broker, anna, bert] = two();
  anna.begin();
  anna.step("a");
  anna.commit({ fails: true });
  anna.disconnect();
  bert.write("w");
  assert.deepEqual(inHand(broker), ["begin", "run a", "commit transaction 1"]);
  broker.settle();
  assert.deepEqual(inHand(broker), ["rollback", "w"]);
  broker.settle();
  assert.deepEqual(applied(broker), ["w"]);
  assert.equal(broker.core.counts.transactions, 0);
});

test("a session that ends with a transaction open gives its locks to others only when that is undone", () => {
  const [broker, anna, bert] = two();
  const fence = anna.hold("x");
  anna.begin({ fences: [fence] });
  anna.step("a");
  broker.settle();
  const next = bert.acquire("x");
  anna.goodbye();
  assert.deepEqual(inHand(broker), ["rollback"]);
  assert.ok(next.open);
  broker.settle();
  assert.equal(next.grant.name, "x");
});

// ── fences ────────────────────────────────────────────────────────────────────────────────────────────────────────────

test("a transaction begins only while its locks are held", () => {
  const [broker, anna, bert] = two();
  const fence = anna.hold("x");
  bert.begin();
  broker.settle();
  const [early, late] = [anna.begin({ fences: [fence] }), anna.step("a")];
  anna.release(fence);
  assert.deepEqual(codes(early, late), ["FENCED", "FENCED"]);
  assert.equal(anna.begin({ fences: [fence] }).open, true, "it waits for its turn, and is looked at then");
  bert.rollback();
  assert.deepEqual(inHand(broker), ["rollback"]);
});

test("a lock that is lost in the middle poisons the transaction, and is granted again when that is undone", () => {
  const [broker, anna, bert] = two();
  const fence = anna.hold("x");
  const carl = broker.client("carl");
  carl.begin({ fences: [fence] });
  carl.step("c1");
  broker.settle();
  const [next, waits] = [bert.acquire("x"), bert.write("w")];
  anna.release(fence);
  assert.deepEqual(inHand(broker), ["rollback", "w"]);
  assert.ok(next.open);
  assert.equal(carl.step("c2").refusal.code, "FENCED");
  broker.settle();
  assert.ok(!next.open && !waits.open);
  assert.equal(carl.commit().refusal.code, "FENCED");
  assert.equal(carl.commit().refusal.code, "TX_LOST", "it was closed by the first");
  assert.deepEqual(applied(broker), ["w"]);
});

test("of two transactions of a session that rely on a lock which a write gives back each is refused once", () => {
  const [broker, anna] = two({ limits: { writesDispatchedMax: 1 } });
  const fence = anna.hold("x");
  anna.write("last", { fences: [fence], release: [fence] });
  const first = [anna.begin({ fences: [fence] }), anna.step("a"), anna.commit()];
  // This one waits for a turn until the commit of the first has left.
  const second = [anna.begin({ fences: [fence] }), anna.step("b"), anna.commit()];
  broker.settle();
  assert.deepEqual(codes(...first, ...second), Array(6).fill("FENCED"));
  assert.deepEqual(applied(broker), ["last"]);
  assert.equal(broker.core.counts.transactions, 0);
});

test("a lock that is lost behind a commit changes nothing for it; the name drains until it is settled", () => {
  const [broker, anna, bert] = two();
  const fence = anna.hold("x");
  anna.begin({ fences: [fence] });
  const committed = anna.commit();
  const next = bert.acquire("x");
  anna.release(fence);
  assert.ok(next.open);
  broker.settle();
  assert.equal(committed.body, "committed transaction 1");
  assert.equal(next.grant.name, "x");
});

test("a commit that SQLite refuses after its lock was given back behind it does not leave the transaction open", () => {
  const [broker, anna, bert] = two();
  const fence = anna.hold("x");
  anna.begin({ fences: [fence] });
  const refused = anna.commit({ fails: true });
  anna.release(fence);
  const next = bert.acquire("x");
  broker.settle();
  assert.equal(refused.refusal.code, "SQLITE_CONSTRAINT");
  assert.deepEqual(inHand(broker), ["rollback"]);
  assert.equal(next.grant.name, "x");
  assert.equal(anna.commit().refusal.code, "FENCED");
});

test("a lock that is lost while its release waits behind a transaction ends once", () => {
  for (const how of ["broken", "stolen", "handed on", "over its lease"]) {
    const [broker, anna, bert] = two();
    const fence = anna.hold("x", how === "over its lease" ? { ttlMs: 3000 } : {});
    anna.begin({ fences: [fence] });
    broker.settle();
    const write = anna.write("w", { fences: [fence] });
    const release = anna.release(fence);
    const next = bert.acquire("x", { steal: how === "stolen" });
    if (how === "broken") bert.break("x");
    if (how === "handed on") bert.transfer("x", bert);
    if (how === "over its lease") broker.pass(3500);
    broker.settle();
    assert.deepEqual(codes(write, release), ["FENCED", "LOCK_NOT_HELD"], how);
    assert.equal(anna.lost.length, 1, how);
    assert.equal(next.grant.name, "x", how);
  }
});

test("of two locks whose leases are over, one whose release was let through by the end of the other ends once", () => {
  const [broker, anna, bert] = two();
  const [x, y] = [anna.hold("x", { ttlMs: 3000 }), anna.hold("y", { ttlMs: 3000 })];
  anna.begin({ fences: [x] });
  broker.settle();
  anna.write("w");
  const release = anna.release(y);
  const next = ["x", "y"].map((name) => bert.acquire(name));
  broker.pass(3500);
  broker.settle();
  assert.equal(release.answer.kind, "released");
  assert.deepEqual(
    next.map(({ grant }) => grant.name),
    ["x", "y"],
  );
  assert.equal(anna.lost.length, 1);
});

// rule 5: it was free twice, and had by two
test("a lock that is broken while its release waits behind a commit that waits for its turn goes to one, not to two", () => {
  const [broker, anna, bert] = two();
  const fence = anna.hold("x");
  bert.begin();
  broker.settle();
  anna.begin({ fences: [fence] });
  const commit = anna.commit();
  const release = anna.release(fence);
  const [next, last] = [broker.client("carl"), broker.client("dora")].map((client) => client.acquire("x"));
  bert.break("x");
  assert.deepEqual(codes(commit, release), ["FENCED", "LOCK_NOT_HELD"]);
  assert.equal(next?.grant.name, "x");
  assert.ok(last?.open);
});

test("a lock that is upgraded while its release waits behind a transaction is held under its new token", () => {
  const [broker, anna, bert] = two();
  const [own, other] = [anna, bert].map((client) => client.hold("x", { mode: "shared" }));
  if (own === undefined || other === undefined) throw new Error("nobody shares it");
  const upgrade = anna.upgrade(own);
  anna.begin({ fences: [own] });
  broker.settle();
  anna.write("w");
  const release = anna.release(own);
  bert.release(other);
  assert.equal(release.refusal.code, "LOCK_NOT_HELD");
  assert.equal(upgrade.answer.kind, "converted");
  const [held] = anna.list({ name: "x" });
  assert.deepEqual([held?.mode, held?.holders.length], ["exclusive", 1]);
  assert.notEqual(held?.holders[0]?.token, own.token);
});

// ── poisoned ──────────────────────────────────────────────────────────────────────────────────────────────────────────

// rule 3
test("a statement that ends the whole transaction is refused with its own words, and all after it with TX_ROLLED_BACK", () => {
  const [broker, anna, bert] = two();
  anna.begin();
  const [first, ends, behind, commit] = [anna.step("a"), anna.step("b", { ends: true }), anna.step("c"), anna.commit()];
  bert.write("w");
  broker.settle();
  assert.equal(first.body, "did a");
  assert.deepEqual(codes(ends, behind, commit), ["SQLITE_CONSTRAINT", "TX_ROLLED_BACK", "TX_ROLLED_BACK"]);
  assert.deepEqual(behind.refusal.details["cause"], { code: "SQLITE_CONSTRAINT" });
  assert.deepEqual(inHand(broker), ["w"]);
});

test("a transaction that is undone under a commit which the writer has already is closed by that", () => {
  const endings: { readonly [how: string]: (broker: TestBroker) => void } = {
    "ended by a statement": (broker) => broker.settle(),
    "ended by a statement, and the writer dies": (broker) => {
      broker.settle(1);
      broker.killWriter({ jobs: 0, phase: "idle" });
      broker.writerReady();
    },
    "no writer can be had": (broker) => {
      broker.settle(1);
      broker.killWriter({ jobs: 0, phase: "idle" });
      broker.do(broker.writer.refuse());
    },
    "the writer dies": (broker) => {
      broker.killWriter({ jobs: 0, phase: "idle" });
      broker.writerReady();
    },
  };
  for (const [how, end] of Object.entries(endings)) {
    const [broker, anna] = two();
    anna.begin();
    broker.settle();
    anna.step("a", { ends: true });
    const commit = anna.commit();
    end(broker);
    assert.equal(commit.answer.kind, "refused", how);
    assert.equal(broker.core.counts.transactions, 0, how);
  }
});

test("a poisoned transaction takes a rollback, and refuses all else with the same words until it is closed", () => {
  const [broker, anna] = two();
  anna.begin();
  anna.step("b", { ends: true });
  broker.settle();
  assert.deepEqual(codes(anna.step("c"), anna.step("d")), ["TX_ROLLED_BACK", "TX_ROLLED_BACK"]);
  assert.equal(anna.rollback().answer.kind, "rolled-back");
  assert.equal(anna.step("e").refusal.code, "TX_LOST");
  assert.equal(broker.core.counts.transactions, 0);
});

// ── time ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

test("nobody waits: a transaction may be idle for as long as it may be open at all", () => {
  const [broker, anna] = two();
  anna.begin();
  broker.settle();
  broker.pass(299_000);
  anna.step("still here");
  broker.settle();
  broker.pass(2000);
  assert.equal(anna.step("late").refusal.code, "TX_EXPIRED");
  assert.equal(anna.commit().refusal.details["limit"], "txMs");
});

test("others wait: it ends when nothing has happened in it for five seconds, and those who waited go on", () => {
  const [broker, anna, bert] = two();
  anna.begin();
  broker.settle();
  bert.write("w");
  broker.pass(4000);
  anna.step("a");
  broker.settle();
  broker.pass(4900);
  assert.deepEqual(inHand(broker), []);
  broker.pass(200);
  assert.deepEqual(inHand(broker), ["rollback", "w"]);
  assert.equal(anna.step("b").refusal.details["limit"], "txIdleMs");
});

test("others wait: however busy it is, it ends when they have waited for ten seconds", () => {
  const [broker, anna, bert] = two();
  anna.begin();
  broker.settle();
  bert.begin();
  for (let second = 1; second <= 9; second++) {
    broker.pass(1000);
    anna.step(`s${second}`);
    broker.settle();
  }
  broker.pass(1200);
  assert.equal(anna.step("late").refusal.details["limit"], "txContendedMs");
  assert.deepEqual(inHand(broker), ["rollback", "begin"]);
});

test("others wait: a commit that SQLite refuses, however often it is said again, does not make them wait for longer", () => {
  const [broker, anna, bert] = two();
  anna.begin();
  broker.settle();
  bert.write("w");
  for (let second = 1; second <= 9; second++) {
    broker.pass(1000);
    anna.commit({ fails: true });
    broker.settle();
  }
  broker.pass(1200);
  assert.equal(anna.commit().refusal.details["limit"], "txContendedMs");
  broker.settle();
  assert.deepEqual(applied(broker), ["w"]);
});

test("its time counts from when somebody waits, and begins anew when nobody does any more", () => {
  const [broker, anna, bert] = two();
  anna.begin();
  broker.settle();
  broker.pass(60_000);
  const gone = bert.write("w1");
  broker.pass(4900);
  bert.cancel(gone);
  broker.pass(1000);
  bert.write("w2");
  bert.write("w3");
  broker.pass(4900);
  assert.deepEqual(inHand(broker), []);
  broker.pass(200);
  assert.deepEqual(inHand(broker), ["rollback", "w2", "w3"]);
});

// rule 11: two steps
test("an end is confirmed only when the turns after it have brought nothing: what lay in the socket is heard first", () => {
  const [broker, anna, bert] = two();
  anna.begin();
  broker.settle();
  bert.write("w");
  broker.pass(5010);
  const step = anna.step("just in time");
  broker.settle();
  broker.pass(4900);
  assert.equal(step.body, "did just in time");
  assert.deepEqual(inHand(broker), []);
});

// rule 11: the pause rule
test("while the whole broker stands still no transaction grows old", () => {
  const [broker, anna, bert] = two();
  anna.begin();
  broker.settle();
  bert.write("w");
  broker.pass(4000);
  broker.pause(600_000);
  broker.pass(900);
  assert.equal(anna.step("a").open, true);
  broker.settle();
  broker.pass(4900);
  assert.equal(anna.step("b").open, true);
});

test("a transaction may ask for less time than others have", () => {
  const [broker, anna] = two();
  anna.begin({ timeoutMs: 1000 });
  broker.settle();
  broker.pass(1100);
  assert.equal(anna.step("late").refusal.code, "TX_EXPIRED");
});

test("the time runs from when it has the writer, not from when it began to wait", () => {
  const [broker, anna, bert] = two();
  anna.begin();
  broker.settle();
  const begin = bert.begin();
  for (let n = 0; n < 9; n++) {
    broker.pass(1000);
    anna.step(`s${n}`);
    broker.settle();
  }
  anna.write("mine");
  anna.commit();
  broker.settle();
  broker.settle();
  assert.equal(begin.answer.kind, "begun");
  broker.pass(4000);
  assert.equal(bert.step("b").open, true);
});

test("a statement that runs when its transaction is over is ended with the writer, and is told why", () => {
  const [broker, anna, bert] = two({ limits: { txContendedMs: 1000, writeContendedMs: 60_000 } });
  anna.begin();
  broker.settle();
  bert.write("w");
  const endless = anna.step("endless", { endless: true });
  broker.pass(1100);
  const [head] = broker.writer.waiting;
  const running = { seq: head?.seq ?? 0, phase: "running", since: broker.now - 600 } as never;
  broker.do({ kind: "writer-progress", progress: running });
  assert.equal(broker.writer.taken("kill").length, 1);
  broker.killWriter({ jobs: 1, phase: "running" });
  broker.writerReady();
  assert.equal(endless.refusal.code, "TX_EXPIRED");
  assert.deepEqual(inHand(broker), ["w"]);
});

// ── the writer dies ───────────────────────────────────────────────────────────────────────────────────────────────────

// rule 8
test("a writer that dies takes an open transaction along: poisoned with TX_LOST, and others go on", () => {
  const [broker, anna, bert] = two();
  anna.begin();
  broker.settle();
  const step = anna.step("a");
  bert.write("w");
  broker.killWriter({ jobs: 0, phase: "idle" });
  broker.writerReady();
  assert.deepEqual(codes(step, anna.step("b")), ["TX_LOST", "TX_LOST"]);
  assert.deepEqual(inHand(broker), ["w"]);
  assert.equal(anna.rollback().answer.kind, "rolled-back");
});

test("one that is idle when the writer dies is lost as well", () => {
  const [broker, anna] = two();
  anna.begin();
  broker.settle();
  broker.killWriter({ jobs: 0, phase: "idle" });
  broker.writerReady();
  assert.equal(anna.commit().refusal.code, "TX_LOST");
});

test("one of which nothing was answered begins anew with the next writer, as if nothing had been", () => {
  const [broker, anna, bert] = two();
  const asked = [anna.begin(), anna.step("a"), anna.commit()];
  bert.write("w");
  broker.killWriter({ jobs: 0, phase: "idle" });
  broker.writerReady();
  assert.deepEqual(inHand(broker), ["begin", "run a", "commit transaction 1"]);
  broker.settle();
  broker.settle();
  assert.deepEqual(
    asked.map(({ answer }) => answer.kind),
    ["begun", "answer", "answer"],
  );
  assert.deepEqual(applied(broker), ["a", "transaction 1", "w"]);
});

// rules 5 and 8: what goes again goes before anything of the next holder
test("a lock that was given back behind a transaction which goes again is granted only when that is settled", () => {
  const [broker, anna, bert] = two();
  const fence = anna.hold("x");
  anna.begin();
  anna.commit();
  anna.release(fence);
  const next = bert.acquire("x");
  broker.killWriter({ jobs: 0, phase: "idle" });
  broker.writerReady();
  assert.deepEqual([inHand(broker), next.open], [["begin", "commit transaction 1"], true]);
  broker.settle();
  assert.equal(next.grant.name, "x");
});

test("a lock that was taken away from a transaction which would go again refuses it", () => {
  const [broker, anna, bert] = two();
  const fence = anna.hold("x");
  const [begin, commit] = [bert.begin({ fences: [fence] }), bert.commit()];
  anna.disconnect();
  broker.pass(31_000);
  broker.killWriter({ jobs: 0, phase: "idle" });
  broker.writerReady();
  assert.deepEqual(codes(begin, commit), ["FENCED", "FENCED"]);
  assert.deepEqual(inHand(broker), []);
});

test("what was cancelled of a transaction does not go again with it", () => {
  const [broker, anna] = two();
  const begin = anna.begin();
  const [step, commit] = [anna.step("a"), anna.commit()];
  anna.cancel(step);
  anna.cancel(commit);
  broker.killWriter({ jobs: 0, phase: "idle" });
  broker.writerReady();
  assert.deepEqual(inHand(broker), ["begin"]);
  broker.settle();
  assert.deepEqual(codes(step, commit), ["CANCELLED", "CANCELLED"]);
  assert.equal(begin.answer.kind, "begun");
  anna.step("b");
  anna.commit();
  broker.settle();
  assert.deepEqual(applied(broker), ["b", "transaction 1"]);
});

test("a commit behind a statement that had ended its transaction is refused when its writer dies, whatever that had committed since", () => {
  const [broker, anna, bert] = two();
  anna.begin();
  anna.step("a", { ends: true });
  const commit = anna.commit();
  broker.settle(2);
  bert.write("w");
  broker.killWriter({ jobs: 2, phase: "committed" });
  broker.writerReady();
  assert.equal(commit.refusal.code, "TX_ROLLED_BACK");
  assert.equal(anna.rollback().answer.kind, "rolled-back");
});

test("the statement that the writer was killed for is told so, and its transaction is lost", () => {
  const [broker, anna] = two();
  anna.begin();
  broker.settle();
  const [culprit, behind] = [anna.step("endless", { endless: true }), anna.step("b")];
  broker.killWriter({ jobs: 1, phase: "running" });
  broker.writerReady();
  assert.deepEqual(codes(culprit, behind, anna.commit()), ["STATEMENT_CRASHED", "TX_LOST", "TX_LOST"]);
});

// rule 1
test("a writer that dies in a commit: it is said to be done when it is on disk, and not to be done when it is not", () => {
  for (const keyed of [true, false])
    for (const phase of ["committed", "committing"] as const) {
      const [broker, anna, bert] = two();
      anna.begin();
      anna.step("a");
      broker.settle();
      const commit = anna.commit(keyed ? {} : { key: undefined });
      bert.write("w");
      broker.killWriter({ jobs: 1, phase });
      broker.writerReady();
      broker.settle();
      broker.settle();
      if (phase === "committing") assert.equal(commit.refusal.code, "TX_LOST");
      else assert.equal(commit.answer.kind, keyed ? "answer" : "committed");
      assert.deepEqual(applied(broker), phase === "committed" ? ["a", "transaction 1", "w"] : ["w"]);
      assert.equal(anna.step("b").refusal.code, "TX_LOST");
    }
});

// rule 4: what is looked up stands where the commit stood, and no other in its place
test("a commit under a caller's own key whose writer dies behind it holds reads back until it is known, and no longer", () => {
  const [broker, anna] = two();
  anna.begin();
  anna.step("a");
  broker.settle();
  const commit = anna.commit({ ownKey: "order 17" });
  const before = anna.read("before");
  anna.write("w");
  const after = anna.read("after");
  broker.killWriter({ jobs: 1, phase: "committed" });
  broker.writerReady();
  assert.deepEqual(inHand(broker), ["transaction 1", "w"]);
  assert.deepEqual([commit.open, broker.core.counts.readsQueued], [true, 2]);
  broker.settle(1);
  assert.equal(commit.body, "committed transaction 1");
  broker.settle();
  for (const what of ["before", "after"]) broker.read(what);
  assert.deepEqual([before.open, after.open], [false, false]);
  assert.equal(anna.goodbye().answer.kind, "farewell");
});

test("when no writer can be had what waits is refused, and of a commit that was under way nobody knows", () => {
  const [broker, anna, bert] = two();
  anna.begin();
  broker.settle();
  const [step, commit] = [anna.step("a"), anna.commit()];
  const waits = bert.begin();
  broker.killWriter({ jobs: 0, phase: "idle" });
  broker.do(broker.writer.refuse());
  // It is there if the commit is.
  assert.equal(step.refusal.outcome, "unknown");
  assert.equal(commit.refusal.code, "WRITER_UNAVAILABLE");
  assert.equal(commit.refusal.outcome, "unknown");
  assert.equal(waits.refusal.code, "WRITER_UNAVAILABLE");
  assert.equal(bert.begin().refusal.code, "WRITER_UNAVAILABLE");
  assert.equal(broker.core.counts.transactions, 0, "nobody closes what was to be committed");
});

// ── the broker ends ───────────────────────────────────────────────────────────────────────────────────────────────────

test("while the broker ends what is open may still be committed, what waits does not begin, and the idle is not waited for", () => {
  const [broker, anna, bert] = two();
  anna.begin();
  broker.settle();
  const waits = bert.begin();
  broker.do({ kind: "drain" });
  assert.deepEqual(codes(waits, bert.begin()), ["SHUTTING_DOWN", "SHUTTING_DOWN"]);
  assert.ok(!broker.core.idle);
  anna.step("a");
  anna.commit();
  broker.settle();
  assert.ok(broker.core.idle);
  const [second, carl] = [new TestBroker(), "carl"];
  const idle = second.client(carl);
  idle.begin();
  second.settle();
  second.do({ kind: "drain" });
  second.pass(1100);
  second.settle();
  assert.ok(second.core.idle);
});

// rule 5: the write that was turned away comes to the next broker under the lock
test("behind a write that was turned away a transaction is committed, but not with a lock that it gives back", () => {
  for (const release of [false, true]) {
    const [broker, anna] = two();
    const fence = anna.hold("x");
    anna.begin({ fences: [fence] });
    broker.settle();
    anna.step("a");
    broker.do({ kind: "drain" });
    assert.deepEqual(codes(anna.write("w", { fences: [fence] })), ["SHUTTING_DOWN"]);
    const commit = anna.commit(release ? { release: [fence] } : {});
    broker.settle();
    if (release) assert.deepEqual(codes(commit), ["SHUTTING_DOWN"]);
    else assert.equal(commit.body, "committed transaction 1");
    assert.deepEqual(applied(broker), release ? [] : ["a", "transaction 1"]);
    assert.ok(broker.core.idle);
    assert.equal(broker.core.counts.held, 1);
    assert.equal(broker.core.counts.transactions, 0);
  }
});

test("a commit that came to an earlier broker may have been applied, so that it was turned away does not say that it was not", () => {
  const [broker, anna] = two();
  const fence = anna.hold("x");
  anna.begin();
  broker.settle();
  anna.commit({ key: 7, release: [fence] });
  anna.disconnect();
  broker.settle();
  anna.resume({ grants: [fence] });
  broker.do({ kind: "drain" });
  anna.write("w", { fences: [fence] });
  const again = anna.commit({ key: 7, release: [fence] });
  assert.deepEqual([again.refusal.code, again.refusal.outcome], ["SHUTTING_DOWN", "unknown"]);
});

// rule 15: another session may have applied it
test("that its transaction is undone does not say that a commit that is turned away was not applied under its caller's key", () => {
  const [broker, anna, bert] = two();
  const [fence, other] = [anna.hold("x"), anna.hold("y")];
  anna.begin({ fences: [fence] });
  broker.settle();
  bert.acquire("x", { steal: true });
  broker.do({ kind: "drain" });
  anna.write("w", { fences: [other] });
  const commit = anna.commit({ ownKey: "k", release: [other] });
  assert.deepEqual([commit.refusal.code, commit.refusal.outcome], ["FENCED", "unknown"]);
  assert.equal(broker.core.counts.transactions, 0);
});
