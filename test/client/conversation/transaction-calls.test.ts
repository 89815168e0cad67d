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
    assert.deepEqual(rig.welcome(), ["opened", "→ begin", "→ step", "→ commit key 1"]);
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
    assert.deepEqual(rig.welcome({ resumed: true }), ["open again, resumed", "→ commit key 1"]);
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
    assert.deepEqual(resumes(rig).slice(-2), ["open again, resumed", "→ next"]);
  });

  it("a begin that it turns away is asked of the next one", () => {
    const rig = new Rig();
    rig.begin();
    rig.inTransaction(1, "begin", "begin");
    assert.deepEqual(rig.refuse("begin", "SHUTTING_DOWN"), []);
    assert.deepEqual(rig.inTransaction(1, "step", "step"), [], "it is kept with its begin");
    assert.deepEqual(resumes(rig).slice(-3), ["open again, resumed", "→ begin", "→ step"]);
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
    assert.deepEqual(resumes(rig).slice(-2), ["open again, resumed", "→ commit key 1"]);
    assert.deepEqual(rig.refuse("commit", "SHUTTING_DOWN", { outcome: "unknown" }), []);
    assert.deepEqual(resumes(rig).slice(-2), ["open again, resumed", "→ commit key 1"]);
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

describe("when the program closes", () => {
  const close = { kind: "close" } as const;

  it("a transaction that is open is undone before goodbye, and what is asked of it then is refused", () => {
    const rig = begun();
    assert.deepEqual(rig.handle(close), ["→ tx.rollback", "→ session.goodbye"]);
    assert.deepEqual(rig.params("tx.rollback"), { tx: 1 });
    assert.deepEqual(rig.inTransaction(1, "step", "step"), ["step refused CLOSED"]);
    assert.deepEqual(rig.inTransaction(1, "commit", "write"), ["commit refused CLOSED"]);
    assert.deepEqual(rig.inTransaction(1, "rollback", "rollback"), ["rollback = {}"]);
    rig.answer("tx.rollback", {});
    assert.deepEqual(rig.answer("session.goodbye", {}), ["disconnect", "parted"]);
  });

  it("a begin that has not had its turn is taken back, and does not hold up what waits behind it", () => {
    const rig = begun();
    rig.inTransaction(2, "waits", "begin");
    rig.ask("write", "write");
    assert.deepEqual(rig.handle(close), ["→ tx.rollback", "waits refused CLOSED", "→ tx.rollback"]);
    assert.deepEqual(rig.params("tx.rollback"), { tx: 1 });
    assert.deepEqual(rig.answer("waits", { tx: 2 }), [], "it had its turn in that moment, and is undone");
    assert.deepEqual(rig.answer("write", {}), ["write = {}", "→ session.ack", "→ session.goodbye"]);
  });

  it("a begin that was not sent, or that another broker is to be asked, needs nobody to take it back", () => {
    const rig = new Rig();
    rig.begin();
    rig.inTransaction(1, "turned away", "begin");
    rig.refuse("turned away", "SHUTTING_DOWN");
    rig.inTransaction(2, "kept", "begin");
    assert.deepEqual(rig.handle(close), ["turned away refused CLOSED", "kept refused CLOSED", "→ session.goodbye"]);
  });

  it("a statement that is under way is waited for, and undone then", () => {
    const rig = begun();
    rig.inTransaction(1, "step", "step");
    rig.ask("write", "write");
    assert.deepEqual(rig.handle(close), []);
    assert.deepEqual(rig.answer("step", {}), ["step = {}", "→ tx.rollback"]);
    assert.deepEqual(rig.answer("write", {}), ["write = {}", "→ session.ack", "→ session.goodbye"]);
  });

  it("a commit that is under way is waited for; when it is refused, all of it is undone", () => {
    for (const isCommitted of [true, false]) {
      const rig = begun();
      rig.inTransaction(1, "commit", "write");
      assert.deepEqual(rig.handle(close), []);
      const after = isCommitted ? rig.answer("commit", { seq: 7 }) : rig.refuse("commit", "SQLITE_CONSTRAINT");
      const told = isCommitted ? ['commit = {"seq":7}'] : ["commit refused SQLITE_CONSTRAINT", "→ tx.rollback"];
      assert.deepEqual(after, [...told, "→ session.ack", "→ session.goodbye"]);
    }
  });

  it("a rollback is sent while something is in flight, and needs no answer afterwards", () => {
    const rig = begun();
    rig.inTransaction(1, "step", "step");
    rig.handle(close);
    assert.deepEqual(rig.inTransaction(1, "rollback", "rollback"), ["→ rollback"]);
    rig.answer("step", {});
    assert.deepEqual(rig.answer("rollback", {}), ["rollback = {}", "→ session.goodbye"]);
    rig.answer("session.goodbye", {});
    assert.deepEqual(rig.inTransaction(1, "late", "rollback"), ["late = {}"]);
  });

  it("what was committed or rolled back before needs no word", () => {
    const rig = begun();
    rig.inTransaction(1, "commit", "write");
    rig.answer("commit", { seq: 7 });
    rig.inTransaction(2, "begin 2", "begin");
    rig.answer("begin 2", { tx: 2 });
    rig.inTransaction(2, "rollback", "rollback");
    rig.answer("rollback", {});
    assert.deepEqual(rig.handle(close), ["→ session.ack", "→ session.goodbye"]);
  });
});
