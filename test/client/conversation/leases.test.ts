/** Stories of leases: when the broker is asked for a sign, and until when the program may rely on what it has. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Rig } from "../support/rig.js";

/** Holds "a" with token 7 and a lease of 30 s; its acquire was sent at 0 and answered at 10. */
function holding(ttlMs = 30_000): Rig {
  const rig = new Rig();
  rig.begin();
  rig.ask("a", "acquire", { name: "a", ttlMs });
  rig.passes(10);
  rig.granted("a", 7);
  return rig;
}

const leaseOf = (rig: Rig) => rig.grant("a").lease;

describe("a lease", () => {
  it("is kept by a ping for each third of it, counted from the last that was sent and answered", () => {
    const rig = holding();
    assert.deepEqual(rig.passes(9_989), []);
    assert.deepEqual(rig.passes(1), ["→ session.ping"]);
    rig.answer("session.ping", { now: 1 });
    assert.deepEqual(rig.passes(9_999), []);
    assert.deepEqual(rig.passes(1), ["→ session.ping"]);
  });

  it("needs no ping while anything else is answered, and none when nothing is held", () => {
    const rig = holding();
    for (let i = 0; i < 10; i++) {
      rig.passes(5000);
      rig.ask(`r${i}`, "read");
      assert.deepEqual(rig.answer(`r${i}`, 1), [`r${i} = 1`]);
    }
    rig.release("gone", "a");
    rig.answer("gone", { released: true });
    assert.deepEqual(rig.passes(100_000), []);
  });

  it("is not renewed by what was sent and never answered: it comes into jeopardy, then it is lost and given back", () => {
    const rig = holding();
    rig.ask("waits", "acquire", { name: "b" });
    const lines = rig.passes(14_990);
    assert.deepEqual(lines, ["→ session.ping", "a in jeopardy"]);
    assert.equal(leaseOf(rig), "jeopardy");
    // 30 s after the sending of the acquire, less a margin of 250 ms.
    assert.deepEqual(rig.passes(14_749), ["→ session.ping"]);
    assert.equal(rig.grant("a").state, "held");
    assert.deepEqual(rig.passes(1), ["lost a 7", "→ lock.release key L2"]);
    assert.equal(rig.params("lock.release")["lost"], true, "what runs under it has not ended");
    assert.equal(leaseOf(rig), "lost");
    assert.deepEqual(rig.refuse("lock.release", "LOCK_NOT_HELD"), []);
  });

  it("is safe again when an answer comes, and counts from the sending of what was answered", () => {
    const rig = holding();
    rig.passes(15_990);
    assert.equal(leaseOf(rig), "jeopardy");
    // Sent at 10,000: half of it is over at 25,000.
    rig.answer("session.ping", { now: 1 });
    assert.equal(leaseOf(rig), "safe");
    assert.deepEqual(rig.passes(8_999), ["→ session.ping"]);
    assert.deepEqual(rig.passes(1), ["a in jeopardy"]);
  });

  it("stays in jeopardy when the answer is to something that was sent too long ago", () => {
    const rig = holding();
    rig.passes(5000);
    rig.ask("r", "read");
    rig.passes(15_500);
    rig.answer("r", 1);
    assert.equal(leaseOf(rig), "jeopardy");
  });

  it("is renewed by a refusal as well: whoever refuses has heard", () => {
    const rig = holding();
    rig.passes(5000);
    rig.ask("r", "read");
    rig.refuse("r", "SQLITE_ERROR");
    assert.deepEqual(rig.passes(9_999), []);
    assert.deepEqual(rig.passes(1), ["→ session.ping"]);
  });

  it("that was granted after a long wait does not begin before the wait, and not at its end either", () => {
    const rig = new Rig();
    rig.begin();
    rig.ask("a", "acquire", { name: "a", ttlMs: 3000 });
    rig.passes(60_000);
    // The broker says that it waited 59 s: so the grant is a second old, and two are left.
    assert.deepEqual(rig.granted("a", 7, { waited: 59_000 }), ["a granted 7", "→ session.ping"]);
    assert.equal(rig.grant("a").state, "held");
    assert.deepEqual(rig.passes(1748), ["a in jeopardy", "→ session.ping"]);
    assert.deepEqual(rig.passes(1), ["lost a 7", "→ lock.release key L1"]);
  });

  it("of a program that was stopped beyond it is lost before anything else is done", () => {
    const rig = holding();
    rig.passes(9_990);
    rig.sleeps(60_000);
    assert.deepEqual(rig.ask("w", "write"), ["lost a 7", "→ lock.release key L1", "→ w key 1"]);
  });

  it("whose grant lay in the socket for longer is lost with the news of it", () => {
    const rig = new Rig();
    rig.begin();
    rig.ask("a", "acquire", { name: "a", ttlMs: 3000 });
    rig.sleeps(10_000);
    assert.deepEqual(rig.granted("a", 7), ["a granted 7", "lost a 7", "→ lock.release key L1"]);
  });

  it("is not resurrected by an answer that lay in the socket meanwhile", () => {
    const rig = holding();
    rig.passes(9_990);
    rig.sleeps(60_000);
    assert.deepEqual(rig.answer("session.ping", { now: 1 }), ["lost a 7", "→ lock.release key L1"]);
    assert.equal(rig.grant("a").state, "lost");
  });

  it("that ends while a hello is under way which lists the lock is given back as lost after it", () => {
    const rig = holding(5000);
    rig.breaks();
    rig.passes(5);
    rig.connect();
    assert.deepEqual(rig.params("session.hello")["grants"], [{ name: "a", token: 7 }]);
    rig.sleeps(10_000);
    const grants = [{ name: "a", token: 7, key: 2 ** 48 }];
    assert.deepEqual(rig.welcome({ resumed: true, grants }), [
      "lost a 7",
      "open again, resumed",
      "→ lock.release key L1",
    ]);
    assert.equal(rig.params("lock.release")["lost"], true, "what runs under it has not ended");
  });

  it("runs on without a connection, and what is lost then is not listed at the next hello", () => {
    const rig = holding(5000);
    rig.breaks();
    assert.deepEqual(rig.passes(4739), ["connect", "a in jeopardy"]);
    assert.deepEqual(rig.passes(1), ["lost a 7"]);
    rig.connect();
    assert.deepEqual(rig.params("session.hello")["grants"], []);
  });

  it("is renewed by a hello that is answered, from the sending of that hello", () => {
    const rig = holding(9000);
    rig.breaks();
    rig.passes(4000);
    rig.connect();
    rig.passes(500);
    rig.welcome({ resumed: true, grants: [{ name: "a", token: 7, key: 2 ** 48 }] });
    assert.deepEqual(rig.passes(2499), []);
    assert.deepEqual(rig.passes(1), ["→ session.ping"]);
  });

  it("is not pinged for while there is no connection", () => {
    const rig = holding();
    rig.breaks();
    assert.deepEqual(rig.passes(14_000), ["connect"]);
  });

  it("goes on when its release was refused", () => {
    const rig = holding();
    rig.release("r", "a");
    assert.deepEqual(rig.passes(9_000), []);
    rig.refuse("r", "INTERNAL");
    assert.deepEqual(rig.passes(1_100), ["→ session.ping"]);
    assert.deepEqual(rig.passes(20_000).slice(-2), ["lost a 7", "→ lock.release key L2"]);
  });

  it("is kept up while it is given back or handed over: that waits for writes which were sent before under it", () => {
    for (const how of ["release", "transfer"] as const) {
      const rig = new Rig();
      rig.begin();
      rig.ask("a", "acquire", { name: "a", ttlMs: 3000 });
      rig.granted("a", 7);
      rig[how]("r", "a");
      const lines = rig.passes(1100);
      assert.deepEqual(lines, ["→ session.ping"], how);
      assert.ok(!rig.passes(10_000).some((line) => line.startsWith("lost")), how);
    }
  });

  it("of the shortest sets the pace for all of the session", () => {
    const rig = holding();
    rig.ask("b", "acquire", { name: "b", ttlMs: 1500 });
    rig.granted("b", 8);
    assert.deepEqual(rig.passes(500), ["→ session.ping"]);
    rig.answer("session.ping", { now: 1 });
    rig.release("r", "b");
    rig.answer("r", { released: true });
    assert.equal(rig.passes(9_990).filter((line) => line === "→ session.ping").length, 0);
  });

  it("is none where none was asked for", () => {
    const rig = new Rig();
    rig.begin();
    rig.acquire("a");
    rig.granted("a", 7);
    assert.equal(leaseOf(rig), "none");
    assert.deepEqual(rig.passes(100_000), []);
  });

  it("answered late each time is kept all the same", () => {
    const rig = holding(1500);
    // Each answer comes after the next ping has left.
    let older = 0;
    for (let i = 0; i < 20; i++) {
      rig.passes(500);
      const newer = rig.lastId("session.ping");
      if (older !== 0 && newer !== older) rig.handle({ kind: "answered", id: older, result: {} });
      older = newer;
    }
    assert.equal(rig.grant("a").state, "held");
  });
});
