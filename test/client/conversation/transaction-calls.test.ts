/** Stories of transactions in a conversation: what is sent where, and what becomes of them when the connection goes. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Rig } from "../support/rig.js";

function begun(): Rig {
  const rig = new Rig();
  rig.begin();
  rig.inTransaction(1, "begin", "begin");
  rig.answer("begin", { tx: 1 });
  return rig;
}

/** The connection is back, and the session with it. */
function resumes(rig: Rig): string[] {
  return [...rig.returns(), ...rig.welcome({ resumed: true })];
}

describe("a transaction", () => {
  it("is begun, used and committed on one connection; its commit alone has a key", () => {
    const rig = begun();
    assert.deepEqual(rig.inTransaction(1, "step", "step"), ["→ step"]);
    assert.deepEqual(rig.inTransaction(1, "commit", "write"), ["→ commit key 1"]);
    assert.deepEqual(rig.answer("step", {}), ["step = {}"]);
    assert.deepEqual(rig.answer("commit", { seq: 7 }), ['commit = {"seq":7}']);
  });

  it("that is begun before there is a connection is sent with all that was asked of it", () => {
    const rig = new Rig();
    rig.handle({ kind: "open" });
    assert.deepEqual(rig.inTransaction(1, "begin", "begin"), []);
    assert.deepEqual(rig.inTransaction(1, "step", "step"), []);
    assert.deepEqual(rig.inTransaction(1, "commit", "write"), []);
    rig.connect();
    assert.deepEqual(rig.welcome(), ["→ begin", "→ step", "→ commit key 1", "opened"]);
  });

  it("goes with its connection: what is under way is lost, what comes later is refused at once", () => {
    const rig = begun();
    rig.inTransaction(1, "step", "step");
    assert.deepEqual(rig.breaks(), ["step refused TX_LOST"]);
    assert.deepEqual(rig.inTransaction(1, "while down", "step"), ["while down refused TX_LOST"]);
    assert.deepEqual(rig.inTransaction(1, "commit", "write"), ["commit refused TX_LOST"]);
    rig.passes(5);
    rig.connect();
    assert.deepEqual(rig.welcome({ resumed: true }), ["open again, resumed"]);
    assert.deepEqual(rig.inTransaction(1, "after", "step"), ["after refused TX_LOST"]);
    assert.deepEqual(rig.ask("next", "write"), ["→ next key 1"], "no key was used up");
  });

  it("whose begin was under way when the connection broke is lost as well", () => {
    const rig = new Rig();
    rig.begin();
    rig.inTransaction(1, "begin", "begin");
    rig.inTransaction(1, "step", "step");
    assert.deepEqual(rig.breaks(), ["begin refused TX_LOST", "step refused TX_LOST"]);
    assert.deepEqual(rig.inTransaction(1, "commit", "write"), ["commit refused TX_LOST"]);
  });

  it("is rolled back when it went with its connection, without a word to anybody", () => {
    const rig = begun();
    rig.inTransaction(1, "rollback", "rollback");
    assert.deepEqual(rig.breaks(), ["rollback = {}"]);
    assert.deepEqual(rig.inTransaction(1, "again", "rollback"), ["again = {}"]);
  });

  it("has a commit that is asked for again under its key; nobody knows what became of the statements before it", () => {
    const rig = begun();
    rig.inTransaction(1, "step", "step");
    rig.inTransaction(1, "commit", "write");
    assert.deepEqual(rig.breaks(), ["step refused TX_LOST, outcome unknown"]);
    rig.passes(5);
    rig.connect();
    assert.deepEqual(rig.welcome({ resumed: true }), ["→ commit key 1", "open again, resumed"]);
    assert.deepEqual(rig.answer("commit", { seq: 7 }), ['commit = {"seq":7}']);
  });

  it("has a commit that is settled when the session is over, and is not sent again when it was never applied", () => {
    for (const [outcome, told] of [
      [{ outcome: "applied", resultKept: true, result: { seq: 7 } }, 'commit = {"seq":7}'],
      [{ outcome: "never", resultKept: false }, "commit refused TX_LOST"],
    ] as const) {
      const rig = begun();
      rig.inTransaction(1, "commit", "write");
      rig.returns();
      assert.deepEqual(rig.refuse("session.hello", "SESSION_EXPIRED"), ["session lost", "→ session.hello"]);
      assert.deepEqual(rig.welcome(), ["→ session.settle"]);
      assert.deepEqual(rig.answer("session.settle", { outcomes: [{ key: 1, ...outcome }] }), [told, "open again"]);
    }
  });

  it("whose begin is refused is over, with all that was asked of it", () => {
    const rig = new Rig();
    rig.begin();
    rig.inTransaction(1, "begin", "begin");
    assert.deepEqual(rig.refuse("begin", "FENCED"), ["begin refused FENCED"]);
    assert.deepEqual(rig.inTransaction(1, "step", "step"), ["step refused TX_LOST"]);
  });

  it("that was cancelled or given up before it was sent is over, with all that was asked of it", () => {
    for (const ends of [(rig: Rig) => rig.cancel("begin"), (rig: Rig) => rig.passes(30_000)]) {
      const rig = new Rig();
      rig.begin();
      rig.breaks();
      rig.inTransaction(1, "begin", "begin");
      ends(rig);
      assert.deepEqual(rig.inTransaction(1, "step", "step"), ["step refused TX_LOST"]);
    }
  });
});

describe("when the broker is about to end", () => {
  it("a transaction that is open comes to its end on the same connection; the next waits for the next broker", () => {
    const rig = begun();
    rig.notify("session.closing", { reason: "bye", retryAfterMs: 0 });
    assert.deepEqual(rig.inTransaction(1, "step", "step"), ["→ step"]);
    assert.deepEqual(rig.inTransaction(1, "commit", "write"), ["→ commit key 1"]);
    assert.deepEqual(rig.inTransaction(2, "next", "begin"), []);
    rig.answer("step", {});
    rig.answer("commit", { seq: 7 });
    assert.deepEqual(resumes(rig).slice(-2), ["→ next", "open again, resumed"]);
  });

  it("a begin that it turns away is asked of the next one", () => {
    const rig = new Rig();
    rig.begin();
    rig.inTransaction(1, "begin", "begin");
    assert.deepEqual(rig.refuse("begin", "SHUTTING_DOWN"), []);
    assert.deepEqual(rig.inTransaction(1, "step", "step"), [], "it is kept with its begin");
    assert.deepEqual(resumes(rig).slice(-3), ["→ begin", "→ step", "open again, resumed"]);
  });

  it("a commit that it turns away is refused: what it was to commit is undone", () => {
    const rig = begun();
    rig.inTransaction(1, "commit", "write");
    assert.deepEqual(rig.refuse("commit", "SHUTTING_DOWN"), ["commit refused SHUTTING_DOWN"]);
    assert.deepEqual(rig.inTransaction(1, "rollback", "rollback"), ["→ rollback"]);
  });

  // rule 15: by its key the broker knows what became of it
  it("a commit that one before it had got is asked of the next one", () => {
    const rig = begun();
    rig.inTransaction(1, "commit", "write");
    assert.deepEqual(resumes(rig).slice(-2), ["→ commit key 1", "open again, resumed"]);
    assert.deepEqual(rig.refuse("commit", "SHUTTING_DOWN", { outcome: "unknown" }), []);
    assert.deepEqual(resumes(rig).slice(-2), ["→ commit key 1", "open again, resumed"]);
    assert.deepEqual(rig.answer("commit", { seq: 7 }), ['commit = {"seq":7}']);
  });

  it("a begin with statements behind it is refused: some of them may be lost on the way", () => {
    const rig = new Rig();
    rig.begin();
    rig.inTransaction(1, "begin", "begin");
    rig.inTransaction(1, "step", "step");
    assert.deepEqual(rig.refuse("begin", "SHUTTING_DOWN"), ["begin refused SHUTTING_DOWN"]);
    assert.deepEqual(rig.refuse("step", "SHUTTING_DOWN"), ["step refused SHUTTING_DOWN"]);
  });

  it("does not give a lock back before a write that was asked for earlier and waits for the next broker: it is undone", () => {
    const rig = new Rig();
    rig.begin();
    rig.acquire("lock");
    rig.granted("lock", 7);
    rig.inTransaction(1, "begin", "begin");
    rig.answer("begin", { tx: 1 });
    rig.notify("session.closing", { reason: "stop", retryAfterMs: 0 });
    assert.deepEqual(rig.ask("write", "write"), []);
    assert.deepEqual(rig.inTransaction(1, "commit", "write", "lock"), [
      "→ tx.rollback",
      "commit refused SHUTTING_DOWN",
    ]);
    assert.deepEqual(rig.inTransaction(1, "step", "step"), ["step refused TX_LOST"]);
    rig.returns();
    assert.deepEqual(rig.params("session.hello")["grants"], [{ name: "lock", token: 7 }]);
  });

  it("that gives nothing back is committed though an earlier write waits for the next broker", () => {
    const rig = begun();
    rig.notify("session.closing", { reason: "stop", retryAfterMs: 0 });
    rig.ask("write", "write");
    assert.deepEqual(rig.inTransaction(1, "commit", "write"), ["→ commit key 1"]);
  });
});
