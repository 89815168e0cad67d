import assert from "node:assert/strict";
import { test } from "node:test";
import { Conversation } from "../../src/front/conversation.js";
import { UnansweredOfAll } from "../../src/front/unanswered-bytes.js";
import { connectionId, instant, limitsWith, refuse } from "../../src/terms/index.js";
import type { Link } from "../../src/transport/index.js";

const mebibyte = 1024 * 1024;

/** A link that notes when it is read and when not, and says of its bytes what it is told to say. */
function rig(requestsInFlightMax: number, all = new UnansweredOfAll(256 * mebibyte)) {
  const said: string[] = [];
  const clock = { now: 0 };
  const bytes = { bytesRead: 0, quietMs: 0 };
  const link = {
    id: connectionId(1),
    encoding: "json",
    get bytesRead() {
      return bytes.bytesRead;
    },
    get quietMs() {
      return bytes.quietMs;
    },
    send: () => undefined,
    pause: () => said.push("pause"),
    putBack: (frame: Buffer) => said.push(`put back ${frame.toString()}`),
    resume: () => said.push("resume"),
  };
  const limits = limitsWith({ requestsInFlightMax });
  const conversation = new Conversation(link as unknown as Link, { limits, now: () => instant(clock.now), all });
  const heardAt = (now: number) => conversation.heardAt(instant(now));
  return { said, conversation, clock, bytes, heardAt };
}

test("a connection with too many unanswered requests is not read until half of them are answered", () => {
  const { said, conversation } = rig(4);
  for (let request = 1; request <= 4; request++) conversation.begun(request, "db.execute", {}, 100);
  assert.deepEqual(said, ["pause"]);
  conversation.result(1, Buffer.from("{}"));
  assert.deepEqual(said, ["pause"]);
  conversation.refuse(2, refuse("SQL_EMPTY", "nothing"), true);
  assert.deepEqual(said, ["pause", "resume"]);
});

test("requests hold a connection back by how much they are, each until it is answered", () => {
  const { said, conversation } = rig(1000);
  for (let request = 1; request <= 4; request++) conversation.begun(request, "db.query", {}, 10 * mebibyte);
  assert.deepEqual(said, ["pause"]);
  // The same id once more changes nothing for what waits under it.
  conversation.begun(1, "session.ping", {}, 100);
  conversation.result(1, Buffer.from("{}"));
  for (const request of [2, 3]) conversation.result(request, Buffer.from("{}"));
  assert.deepEqual(said, ["pause"]);
  conversation.result(4, Buffer.from("{}"));
  assert.deepEqual(said, ["pause", "resume"]);
  conversation.result(1, Buffer.from("{}"));
  for (let request = 10; request <= 900; request++) conversation.begun(request, "db.query", {}, 30_000);
  assert.deepEqual(said, ["pause", "resume"]);
});

test("a connection is held back by what all have asked for, one that asks for little is not, and who goes takes his along", () => {
  const all = new UnansweredOfAll(8 * mebibyte);
  const floods = Array.from({ length: 20 }, () => rig(1000, all));
  const requests = new Map(floods.map((flood) => [flood, 0]));
  const isRead = ({ said }: (typeof floods)[number]) => said.at(-1) !== "pause";
  while (floods.some(isRead))
    for (const flood of floods.filter(isRead)) {
      const request = (requests.get(flood) ?? 0) + 1;
      requests.set(flood, request);
      flood.conversation.begun(request, "db.execute", {}, 100_000);
    }
  assert.ok(all.bytes <= 8 * mebibyte + 20 * 101_024, `${all.bytes} bytes`);
  const few = rig(1000, all);
  for (let request = 1; request <= 50; request++) few.conversation.begun(request, "db.execute", {}, 200);
  assert.deepEqual(few.said, []);
  const transacts = rig(1000, all);
  transacts.conversation.begun("begin", "tx.begin", { tx: 1 }, 100);
  for (let request = 1; request <= 5; request++) transacts.conversation.begun(request, "tx.execute", {}, 200_000);
  assert.deepEqual(transacts.said, []);
  few.conversation.gone();
  transacts.conversation.gone();
  for (const { conversation } of floods.slice(1)) conversation.gone();
  const [last] = floods;
  assert.ok(last !== undefined);
  const left = requests.get(last) ?? 0;
  assert.equal(all.bytes, left * 101_024);
  for (let request = 1; request <= left; request++) last.conversation.result(request, Buffer.from("{}"));
  assert.deepEqual([all.bytes, last.said], [0, ["pause", "resume"]]);
});

test("a connection that asks what became of many sessions is not read while some sixteen are not answered", () => {
  const { said, conversation } = rig(1000);
  for (let request = 1; request <= 15; request++) conversation.begun(request, "session.settle", {}, 100);
  assert.deepEqual(said, []);
  conversation.begun(16, "session.settle", {}, 100);
  assert.deepEqual(said, ["pause"]);
  for (let request = 1; request <= 9; request++) conversation.result(request, Buffer.from("{}"));
  assert.deepEqual(said, ["pause", "resume"]);
});

test("what may be answered with very much is taken once a turn, whatever stands behind it", () => {
  const { said, conversation } = rig(2);
  assert.equal(conversation.rests, false);
  conversation.begun(1, "lock.list", {}, 100);
  assert.deepEqual([said, conversation.rests], [["pause"], true]);
  conversation.result(1, Buffer.from("{}"));
  assert.deepEqual(said, ["pause"]);
  conversation.goOn();
  assert.deepEqual([said, conversation.rests], [["pause", "resume"], false]);
  for (const request of [2, 3]) conversation.begun(request, "lock.watch", {}, 100);
  conversation.goOn();
  assert.equal(said.at(-1), "pause", "there is too much in flight all the same");
  conversation.result(2, Buffer.from("{}"));
  assert.equal(said.at(-1), "resume");
});

test("a frame that is put off comes again before what is behind it, unless there is too much in flight by then", () => {
  const { said, conversation } = rig(2);
  conversation.putOff(Buffer.from("first"));
  assert.deepEqual(said, ["pause", "put back first"]);
  conversation.goOn();
  assert.equal(said.length, 2, "it waits for its own turn, whatever else is over");
  conversation.comeAgain();
  assert.equal(said.at(-1), "resume");
  for (const request of [1, 2]) conversation.begun(request, "db.query", {}, 100);
  conversation.putOff(Buffer.from("second"));
  conversation.comeAgain();
  assert.equal(said.at(-1), "put back second");
  conversation.result(1, Buffer.from("{}"));
  assert.equal(said.at(-1), "resume");
});

test("of what comes in one breath so much is taken in a turn that others need not wait long", () => {
  const { said, conversation } = rig(1000);
  const frames = (count: number) => {
    for (let n = 0; n < count; n++) conversation.came();
  };
  frames(63);
  conversation.turned();
  frames(63);
  assert.deepEqual([said, conversation.rests], [[], false]);
  frames(2);
  assert.deepEqual([said, conversation.rests], [["pause"], true]);
  conversation.turned();
  conversation.goOn();
  assert.deepEqual([said, conversation.rests], [["pause", "resume"], false]);
  frames(63);
  assert.equal(conversation.rests, false);
});

test("requests for locks never stop the reading, for the release that they wait for may stand behind them", () => {
  const { said, conversation } = rig(4);
  for (let request = 1; request <= 100; request++) conversation.begun(request, "lock.acquire", {}, 100);
  conversation.begun(101, "lock.release", {}, 100);
  assert.deepEqual(said, []);
  conversation.result(101, Buffer.from("{}"));
  conversation.refuse(1, refuse("LOCK_TIMEOUT", "too late"), true);
  assert.equal(conversation.inFlight, 0);
});

test("an upgrade does not stop the reading either", () => {
  const { said, conversation } = rig(1);
  conversation.begun(1, "lock.upgrade", {}, 100);
  assert.deepEqual(said, []);
});

// rule 11: any byte is a sign of life
test("a connection that has sent nothing but commands was heard when the core heard it", () => {
  const { conversation, bytes, heardAt } = rig(4);
  bytes.bytesRead = 100;
  conversation.commanded();
  bytes.quietMs = 7000;
  assert.equal(heardAt(20_000), 0);
});

test("bytes that are no whole command yet are a sign of life, as old as the last of them", () => {
  const { conversation, bytes, heardAt } = rig(4);
  bytes.bytesRead = 100;
  conversation.commanded();
  bytes.bytesRead = 60_000;
  bytes.quietMs = 0;
  assert.equal(heardAt(20_000), 20_000);
  bytes.quietMs = 3000;
  assert.equal(heardAt(20_000), 17_000);
});

test("nobody is silent who is not read, and the time begins when he is read again", () => {
  const { conversation, clock, heardAt } = rig(2);
  conversation.begun(1, "db.execute", {}, 100);
  conversation.begun(2, "db.execute", {}, 100);
  assert.equal(heardAt(20_000), 20_000);
  clock.now = 30_000;
  conversation.result(1, Buffer.from("{}"));
  assert.equal(heardAt(31_000), 30_000);
  conversation.stoodStill(5000);
  assert.equal(heardAt(36_000), 35_000, "the broker itself stood still");
  conversation.commanded();
  assert.equal(heardAt(36_000), 0, "the core knows better");
});

test("an answer to a frame that could not be read counts for nothing", () => {
  const { conversation } = rig(4);
  conversation.begun(1, "db.execute", {}, 100);
  conversation.refuse(null, refuse("PARSE_ERROR", "not JSON"), false);
  assert.equal(conversation.inFlight, 1);
});

test("ten frames that cannot be read in ten seconds are too many", () => {
  const { conversation } = rig(4);
  const verdicts = Array.from({ length: 10 }, (_, i) => conversation.badFrame(i * 100));
  assert.deepEqual(verdicts, [...Array(9).fill(false), true]);
  assert.equal(conversation.badFrame(60_000), false, "long after");
});

test("an id that is used twice, against the rules, does not spoil the count", () => {
  const { said, conversation } = rig(4);
  for (let n = 0; n < 3; n++) conversation.begun("same", "lock.acquire", {}, 100);
  for (let n = 0; n < 2; n++) conversation.begun("same", "db.query", {}, 100);
  for (let n = 0; n < 5; n++) conversation.answered("same");
  assert.equal(conversation.inFlight, 0);
  assert.deepEqual(said, []);
});

test("beside a transaction requests are held back by how much they are, so that its commit is read whatever waits for it", () => {
  const { said, conversation } = rig(4);
  conversation.begun(1, "tx.begin", { tx: 1 }, 100);
  for (let request = 2; request <= 1000; request++) conversation.begun(request, "db.execute", {}, 100);
  assert.deepEqual(said, []);
  for (let request = 1001; request <= 1004; request++) conversation.begun(request, "db.execute", {}, 6 * 1024 * 1024);
  assert.deepEqual(said, ["pause"]);
  for (const request of [1001, 1002]) conversation.result(request, Buffer.from("{}"));
  assert.deepEqual(said, ["pause"]);
  conversation.result(1003, Buffer.from("{}"));
  assert.deepEqual(said, ["pause", "resume"]);
});

test("requests for streams are held back by how much they are, so that the end of the one that they wait for is read", () => {
  const { said, conversation } = rig(2);
  for (let request = 1; request <= 100; request++) conversation.begun(request, "db.stream", {}, 100);
  assert.deepEqual(said, []);
  conversation.begun(101, "db.stream", {}, 16 * 1024 * 1024);
  assert.deepEqual(said, ["pause"]);
  for (let request = 1; request <= 101; request++) conversation.result(request, Buffer.from("{}"));
  assert.deepEqual(said, ["pause", "resume"]);
  for (const request of [102, 103]) conversation.begun(request, "db.query", {}, 100);
  assert.deepEqual(said, ["pause", "resume", "pause"]);
});

test("when the transaction is over they are held back by their number again", () => {
  const over: readonly [string, ReturnType<typeof refuse> | undefined][] = [
    ["tx.commit", undefined],
    ["tx.rollback", undefined],
    ["tx.commit", refuse("TX_EXPIRED", "too long")],
    ["tx.commit", refuse("WRITER_UNAVAILABLE", "none can be had")],
    ["tx.begin", refuse("FENCED", "not held")],
  ];
  for (const [method, refusal] of over) {
    const { said, conversation } = rig(4);
    conversation.begun("begin", "tx.begin", { tx: 7 }, 100);
    if (method !== "tx.begin") conversation.result("begin", Buffer.from("{}"));
    if (method !== "tx.begin") conversation.begun("end", method, { tx: 7 }, 100);
    const last = method === "tx.begin" ? "begin" : "end";
    if (refusal === undefined) conversation.result(last, Buffer.from("{}"));
    else conversation.refuse(last, refusal, true);
    for (let request = 1; request <= 4; request++) conversation.begun(request, "db.execute", {}, 100);
    assert.deepEqual(said, ["pause"], method);
  }
});

test("a commit that leaves its transaction open leaves it so here", () => {
  const { said, conversation } = rig(4);
  conversation.begun("begin", "tx.begin", { tx: 7 }, 100);
  conversation.begun("commit", "tx.commit", { tx: 7 }, 100);
  conversation.refuse("commit", refuse("SQLITE_CONSTRAINT", "not yet"), true);
  for (let request = 1; request <= 9; request++) conversation.begun(request, "db.execute", {}, 100);
  assert.deepEqual(said, []);
});

test("an id that is used twice beside a transaction does not hide what was asked for under it", () => {
  const { said, conversation } = rig(1000);
  conversation.begun("begin", "tx.begin", { tx: 1 }, 100);
  for (let n = 0; n < 3; n++) {
    conversation.begun(n, "db.execute", {}, 8 * 1024 * 1024);
    conversation.begun(n, "db.query", {}, 100);
    conversation.answered(n);
  }
  assert.deepEqual(said, ["pause"]);
  for (let n = 0; n < 3; n++) conversation.answered(n);
  assert.deepEqual(said, ["pause", "resume"]);
});
