/** Stories of locks in a conversation: each request has one outcome, each loss is told, nothing stays behind. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Rig } from "../support/rig.js";

function holding(): Rig {
  const rig = new Rig();
  rig.begin();
  rig.acquire("a");
  rig.granted("a", 7);
  return rig;
}

function leased(): Rig {
  const rig = new Rig();
  rig.begin();
  rig.ask("a", "acquire", { name: "a", ttlMs: 3000 });
  rig.granted("a", 7);
  return rig;
}

describe("an acquire", () => {
  it("that waits is sent again after a reconnect, under its key and with the time that is left", () => {
    const rig = new Rig();
    rig.begin();
    rig.acquire("timed", 1000);
    rig.acquire("patient");
    rig.acquire("hasty", 0);
    rig.passes(400);
    rig.returns();
    assert.deepEqual((rig.params("session.hello")["pending"] as number[]).length, 3);
    assert.deepEqual(rig.welcome({ resumed: true }), [
      "open again, resumed",
      "→ timed key L0 wait 595",
      "→ patient key L1",
      "→ hasty key L2 wait 0",
    ]);
  });

  it("whose time was over during the outage still asks for the verdict, since it may have been granted", () => {
    const rig = new Rig();
    rig.begin();
    rig.acquire("a", 100);
    rig.breaks();
    rig.passes(500);
    rig.connect();
    assert.deepEqual(rig.welcome({ resumed: true })[1], "→ a key L0 wait 1");
    assert.deepEqual(rig.granted("a", 7), ["a granted 7"]);
  });

  it("that is cancelled before it was sent is gone at once", () => {
    const rig = new Rig();
    rig.begin();
    rig.breaks();
    rig.acquire("a");
    assert.deepEqual(rig.cancel("a"), ["a refused CANCELLED"]);
  });

  it("that is cancelled while it waits has the outcome that the broker says", () => {
    const rig = new Rig();
    rig.begin();
    rig.acquire("a");
    assert.deepEqual(rig.cancel("a"), ["→ lock.cancel key L1"]);
    assert.equal(rig.params("lock.cancel")["of"], 2 ** 48);
    assert.deepEqual(rig.cancel("a"), []);
    assert.deepEqual(rig.refuse("a", "CANCELLED"), ["a refused CANCELLED"]);
    assert.deepEqual(rig.answer("lock.cancel", { outcome: "cancelled" }), []);
    assert.equal(rig.conversation.inFlight, 0);
  });

  it("whose grant won the race against the cancel is given back before the program hears of the end", () => {
    const rig = new Rig();
    rig.begin();
    rig.acquire("a");
    rig.cancel("a");
    assert.deepEqual(rig.granted("a", 7), ["→ lock.release key L2"]);
    assert.deepEqual(rig.answer("lock.cancel", { outcome: "granted" }), []);
    assert.deepEqual(rig.answer("lock.release", { released: true }), ["a refused CANCELLED"]);
  });

  it("that is cancelled, when the connection breaks, is not named at the next hello: so the broker takes it back", () => {
    const rig = new Rig();
    rig.begin();
    rig.acquire("a");
    rig.cancel("a");
    assert.deepEqual(rig.breaks(), ["a refused CANCELLED"]);
    rig.passes(5);
    rig.connect();
    assert.deepEqual(rig.params("session.hello")["pending"], []);
    assert.deepEqual(rig.welcome({ resumed: true }), ["open again, resumed"]);
  });

  it("that is cancelled while hello is under way, which has named it, is sent again and cancelled then", () => {
    const rig = new Rig();
    rig.begin();
    rig.acquire("a");
    rig.returns();
    assert.deepEqual(rig.cancel("a"), []);
    assert.deepEqual(rig.welcome({ resumed: true }), ["open again, resumed", "→ a key L0", "→ lock.cancel key L1"]);
  });

  it("that was granted while nobody was connected gets its grant by being sent again", () => {
    const rig = new Rig();
    rig.begin();
    rig.acquire("a");
    rig.returns();
    const grants = [{ name: "a", token: 9, key: 2 ** 48 }];
    assert.deepEqual(rig.welcome({ resumed: true, grants }), ["open again, resumed", "→ a key L0"]);
    assert.deepEqual(rig.granted("a", 9), ["a granted 9"]);
  });
});

describe("a held lock", () => {
  it("is listed at hello and goes on being held when the broker has it", () => {
    const rig = holding();
    rig.returns();
    assert.deepEqual(rig.params("session.hello")["grants"], [{ name: "a", token: 7 }]);
    assert.deepEqual(rig.welcome({ resumed: true, grants: [{ name: "a", token: 7, key: 2 ** 48 }] }), [
      "open again, resumed",
    ]);
    assert.equal(rig.grant("a").state, "held");
  });

  it("is lost when the broker does not have it any more", () => {
    const rig = holding();
    rig.returns();
    assert.deepEqual(rig.welcome({ resumed: true }), ["lost a 7", "open again, resumed"]);
  });

  it("is lost when the broker says so, once", () => {
    const rig = holding();
    assert.deepEqual(rig.notify("lock.lost", { name: "a", token: 7, reason: "broken by an operator" }), ["lost a 7"]);
    assert.deepEqual(rig.notify("lock.lost", { name: "a", token: 7, reason: "again" }), []);
    assert.equal(rig.grant("a").reason, "broken by an operator");
  });

  it("of an older grant is not touched by the loss of another token", () => {
    const rig = holding();
    assert.deepEqual(rig.notify("lock.lost", { name: "a", token: 6, reason: "old" }), []);
    assert.equal(rig.grant("a").state, "held");
  });

  it("is given up by the program itself when no broker was reached for longer than a session is kept", () => {
    const rig = holding();
    rig.passes(100_000);
    rig.breaks();
    assert.deepEqual(rig.passes(5), ["connect"]);
    assert.deepEqual(rig.passes(28_994), []);
    assert.deepEqual(rig.passes(1), ["lost a 7"]);
  });

  it("is kept as long as surely no broker runs: the window is counted from when one is ready again", () => {
    const rig = holding();
    rig.breaks();
    const refusal = { refused: "START_FAILED", message: "" } as const;
    for (let i = 0; i < 20; i++) {
      rig.passes(10_000);
      rig.handle({ kind: "nobody", left: false });
      rig.handle({ kind: "connect-failed", why: "failed", refusal, luck: 0 });
    }
    assert.equal(rig.grant("a").state, "held");
    assert.deepEqual(rig.passes(29_000).includes("lost a 7"), true);
  });

  it("is counted on where the broker's directory is gone, or another serves from elsewhere: whatever is seen there later", () => {
    const rig = holding();
    rig.breaks();
    rig.passes(1000);
    rig.handle({ kind: "nobody", left: false });
    rig.handle({ kind: "nobody", left: true });
    const refusal = { refused: "START_FAILED", message: "" } as const;
    rig.handle({ kind: "connect-failed", why: "failed", refusal, luck: 0 });
    rig.passes(10_000);
    rig.handle({ kind: "nobody", left: false });
    assert.equal(rig.passes(18_999).includes("lost a 7"), false);
    assert.equal(rig.passes(1).includes("lost a 7"), true);
  });

  it("is given up there after the standard window at the latest, whatever was agreed upon with the broker that is gone", () => {
    const rig = new Rig();
    rig.begin({ resumeWindowMs: 600_000 });
    rig.acquire("a");
    rig.granted("a", 7);
    rig.breaks();
    rig.handle({ kind: "nobody", left: true });
    assert.equal(rig.passes(28_999).includes("lost a 7"), false);
    assert.equal(rig.passes(1).includes("lost a 7"), true);
  });

  it("of a session bound to a process does not end with a window", () => {
    const rig = new Rig({ bound: true });
    rig.begin();
    rig.acquire("a");
    rig.granted("a", 7);
    rig.breaks();
    assert.equal(rig.passes(3_600_000).includes("lost a 7"), false);
  });

  it("that the broker has and the program never heard of is given back", () => {
    const rig = new Rig();
    rig.begin();
    rig.returns();
    const lines = rig.welcome({ resumed: true, grants: [{ name: "stranger", token: 5, key: 2 ** 48 + 9 }] });
    assert.deepEqual(lines, ["open again, resumed", "→ lock.release key L0"]);
    assert.deepEqual(rig.answer("lock.release", { released: true }), []);
  });
});

describe("a release", () => {
  it("ends the lock, and a second one has nothing to do", () => {
    const rig = holding();
    assert.deepEqual(rig.release("r", "a"), ["→ r key L1"]);
    assert.deepEqual(rig.release("again", "a"), ["again = {}"]);
    assert.deepEqual(rig.answer("r", { released: true }), ["r = {}"]);
    assert.equal(rig.grant("a").state, "released");
    assert.deepEqual(rig.release("late", "a"), ["late = {}"]);
  });

  it("of a lock that was lost has nothing to give back", () => {
    const rig = holding();
    rig.notify("lock.lost", { name: "a", token: 7, reason: "gone" });
    assert.deepEqual(rig.release("r", "a"), ["r = {}"]);
  });

  it("that crosses the news of the loss is a release", () => {
    const rig = holding();
    rig.release("r", "a");
    assert.deepEqual(rig.notify("lock.lost", { name: "a", token: 7, reason: "gone" }), []);
    assert.deepEqual(rig.refuse("r", "LOCK_NOT_HELD"), ["r = {}"]);
  });

  it("under way at a crash comes after the writes that were sent before it, with the lock still listed", () => {
    const rig = holding();
    rig.ask("w", "write");
    rig.release("r", "a");
    rig.returns();
    assert.deepEqual(rig.params("session.hello")["grants"], [{ name: "a", token: 7 }]);
    assert.deepEqual(rig.welcome({ resumed: true, grants: [{ name: "a", token: 7, key: 2 ** 48 }] }), [
      "open again, resumed",
      "→ w key 1",
      "→ r key L1",
    ]);
  });

  it("that the broker had done before it crashed is done", () => {
    const rig = holding();
    rig.release("r", "a");
    rig.returns();
    assert.deepEqual(rig.welcome({ resumed: true }), ["open again, resumed", "→ r key L1"]);
    assert.deepEqual(rig.refuse("r", "LOCK_NOT_HELD"), ["r = {}"]);
  });

  it("that no broker hears of is done when patience ends: what is not listed at hello is released", () => {
    const rig = new Rig({ patienceMs: 1000 });
    rig.begin();
    rig.acquire("a");
    rig.granted("a", 7);
    rig.breaks();
    rig.release("r", "a");
    assert.deepEqual(
      rig.passes(1000).filter((line) => line.startsWith("r ")),
      ["r = {}"],
    );
    rig.ask("later", "read");
    rig.connect();
    assert.deepEqual(rig.params("session.hello")["grants"], []);
  });

  it("that fails for another reason leaves the lock held, to be released again", () => {
    const rig = holding();
    rig.release("r", "a");
    assert.deepEqual(rig.refuse("r", "INTERNAL"), ["r refused INTERNAL"]);
    assert.deepEqual(rig.release("again", "a"), ["→ again key L2"]);
  });
});

describe("a cancelled write", () => {
  it("that was not sent is gone at once", () => {
    const rig = new Rig();
    rig.begin();
    rig.breaks();
    rig.ask("w", "write");
    assert.deepEqual(rig.cancel("w"), ["w refused CANCELLED"]);
    assert.equal(rig.conversation.inFlight, 0);
  });

  it("that was sent is told to the broker, and has the outcome that the broker says", () => {
    const rig = new Rig();
    rig.begin();
    rig.ask("w", "write");
    assert.deepEqual(rig.cancel("w"), ["→ session.cancel"]);
    assert.deepEqual(rig.answer("w", "applied after all"), ['w = "applied after all"']);
  });

  it("whose session is over is not sent again when it was never applied", () => {
    const rig = new Rig();
    rig.begin();
    rig.ask("w", "write");
    rig.returns();
    rig.cancel("w");
    rig.refuse("session.hello", "SESSION_EXPIRED");
    rig.welcome();
    const lines = rig.answer("session.settle", { outcomes: [{ key: 1, outcome: "never", resultKept: false }] });
    assert.deepEqual(lines, ["w refused CANCELLED", "open again"]);
  });
});

describe("a write that gives a lock back", () => {
  it("makes it the broker's again when it is on disk; who releases it then has nothing to do", () => {
    const rig = holding();
    rig.givingBack("w", "a");
    assert.equal(rig.grant("a").state, "held");
    assert.deepEqual(rig.answer("w", {}), ["gave back a 7", "w = {}"]);
    assert.equal(rig.grant("a").state, "released");
    assert.deepEqual(rig.release("r", "a"), ["r = {}"]);
  });

  it("leaves it held when it is refused", () => {
    const rig = holding();
    rig.givingBack("w", "a");
    assert.deepEqual(rig.refuse("w", "SQLITE_CONSTRAINT"), ["w refused SQLITE_CONSTRAINT"]);
    assert.equal(rig.grant("a").state, "held");
    assert.deepEqual(rig.release("r", "a"), ["→ r key L1"]);
  });

  it("whose answer was lost with the connection is sent again, and the lock that the broker does not have is not lost", () => {
    const rig = holding();
    rig.givingBack("w", "a");
    rig.returns();
    assert.deepEqual(rig.params("session.hello")["grants"], [{ name: "a", token: 7 }]);
    assert.deepEqual(rig.welcome({ resumed: true }), ["open again, resumed", "→ w key 1"]);
    assert.deepEqual(rig.answer("w", {}), ["gave back a 7", "w = {}"]);
  });

  it("of which the broker does not know whether it was applied may have done so: the lock is lost, and given back", () => {
    const rig = holding();
    rig.givingBack("w", "a");
    assert.deepEqual(rig.refuse("w", "OUTCOME_UNKNOWN"), [
      "lost a 7",
      "w refused OUTCOME_UNKNOWN",
      "→ lock.release key L1",
    ]);
    assert.equal(rig.grant("a").state, "lost");
  });

  it("that the next broker finds too large may be applied: the lock is lost, and given back at once", () => {
    const rig = holding();
    rig.givingBack("w", "a");
    rig.returns();
    rig.welcome({ resumed: true, grants: [{ name: "a", token: 7, key: 2 ** 48 }] });
    assert.deepEqual(rig.tooLarge("w"), [
      "lost a 7",
      "w refused FRAME_TOO_LARGE, outcome unknown",
      "→ lock.release key L1",
    ]);
  });

  it("that is refused after the lock was lost tells the loss then", () => {
    const rig = holding();
    rig.givingBack("w", "a");
    assert.deepEqual(rig.notify("lock.lost", { name: "a", token: 7, reason: "broken" }), []);
    assert.deepEqual(rig.refuse("w", "FENCED"), ["lost a 7", "w refused FENCED"]);
    assert.equal(rig.grant("a").reason, "broken");
  });

  it("whose result was too large to keep is on disk, and has given it back", () => {
    const rig = holding();
    rig.givingBack("w", "a");
    rig.returns();
    rig.welcome({ resumed: true, grants: [{ name: "a", token: 7, key: 2 ** 48 }] });
    assert.deepEqual(rig.refuse("w", "RESULT_NOT_KEPT"), ["gave back a 7", "w refused RESULT_NOT_KEPT"]);
    assert.equal(rig.grant("a").state, "released");
  });

  it("of a session that is over: applied, the lock was given back; never applied and refused, it was lost", () => {
    for (const applied of ["kept", "not kept", undefined]) {
      const rig = holding();
      rig.givingBack("w", "a");
      rig.returns();
      assert.deepEqual(rig.refuse("session.hello", "SESSION_EXPIRED").slice(0, 1), ["session lost"]);
      rig.welcome();
      const result = applied === "kept" ? { result: {} } : { resultKept: false };
      const verdict = applied === undefined ? { outcome: "never" } : { outcome: "applied", ...result };
      const lines = rig.answer("session.settle", { outcomes: [{ key: 1, ...verdict }] });
      if (applied !== undefined) assert.ok(lines.includes("gave back a 7"), lines.join());
      else assert.deepEqual(rig.refuse("w", "FENCED"), ["lost a 7", "w refused FENCED"]);
    }
  });

  it("goes on with a release behind it, whichever is done first", () => {
    for (const refused of [true, false]) {
      const rig = holding();
      rig.givingBack("w", "a");
      assert.deepEqual(rig.release("r", "a"), ["→ r key L1"]);
      if (refused) rig.refuse("w", "SQLITE_CONSTRAINT");
      else rig.answer("w", {});
      assert.deepEqual(rig.answer("r", { released: true }), ["r = {}"]);
      assert.equal(rig.grant("a").state, "released");
    }
  });

  it("does not end its lease: it is kept up until the write is known to be on disk", () => {
    const rig = leased();
    rig.givingBack("w", "a");
    assert.deepEqual(rig.passes(1100), ["→ session.ping"]);
    assert.deepEqual(rig.answer("w", {}), ["gave back a 7", "w = {}"]);
    assert.deepEqual(rig.passes(10_000), ["→ session.ack"]);
  });

  it("that is in flight for longer than the lease does not make it lost before it is refused", () => {
    const rig = leased();
    rig.givingBack("w", "a");
    rig.breaks();
    const lines = rig.passes(5000);
    assert.ok(!lines.some((line) => line.startsWith("lost")), lines.join());
    rig.connect();
    rig.welcome({ resumed: true });
    assert.deepEqual(rig.refuse("w", "FENCED"), ["lost a 7", "w refused FENCED"]);
  });

  it("that is in flight for longer than a session is kept: the lock is taken for lost when the write is refused, not before", () => {
    const rig = new Rig({ patienceMs: 100_000 });
    rig.begin();
    rig.acquire("a");
    rig.granted("a", 7);
    rig.givingBack("w", "a");
    rig.breaks();
    const lines = rig.passes(40_000);
    assert.ok(!lines.some((line) => line.startsWith("lost")), lines.join());
    assert.ok(rig.passes(100_000).includes("lost a 7"));
  });

  it("of a lock that was upgraded behind it has named an old token: what the broker has then is given back as well", () => {
    const rig = holding();
    rig.upgrade("up", "a");
    rig.givingBack("w", "a");
    rig.upgraded("up", 9);
    assert.deepEqual(rig.answer("w", {}), ["gave back a 9", "w = {}", "→ lock.release key L2"]);
    assert.equal(rig.params("lock.release")["token"], 9);
  });

  it("that is refused after the lock was lost by our own clock: the broker, which was told that it is held, is told", () => {
    const rig = leased();
    rig.givingBack("w", "a");
    rig.breaks();
    rig.passes(2900);
    rig.connect();
    rig.welcome({ resumed: true, grants: [{ name: "a", token: 7, key: 2 ** 48 }] });
    assert.deepEqual(rig.refuse("w", "SQLITE_CONSTRAINT"), [
      "lost a 7",
      "w refused SQLITE_CONSTRAINT",
      "→ lock.release key L1",
    ]);
  });

  it("that nobody hears of again has taken the lock along: the next hello does not list it", () => {
    const rig = new Rig({ patienceMs: 2000 });
    rig.begin();
    rig.acquire("a");
    rig.granted("a", 7);
    rig.acquire("b");
    rig.granted("b", 8);
    rig.givingBack("w", "a");
    rig.breaks();
    const lines = rig.passes(5000).filter((line) => !line.startsWith("connect"));
    assert.deepEqual(lines, ["lost a 7", "w refused CONNECTION_LOST, outcome unknown"]);
    rig.connect();
    assert.deepEqual(rig.params("session.hello")["grants"], [{ name: "b", token: 8 }]);
  });

  it("that broke the connection so often that it is not sent again: hello has listed the lock, which is given up", () => {
    const rig = holding();
    rig.givingBack("w", "a");
    let lines: string[] = [];
    for (let times = 0; times < 10; times++) {
      rig.breaks();
      rig.passes(20_000);
      rig.connect();
      lines = rig.welcome({ resumed: true, grants: [{ name: "a", token: 7, key: 2 ** 48 }] });
    }
    assert.deepEqual(lines.slice(1, 4), [
      "lost a 7",
      "w refused CONNECTION_LOST, outcome unknown",
      "→ lock.release key L1",
    ]);
  });

  it("ends with the conversation: nothing is left of it or of the lock", () => {
    const rig = holding();
    rig.givingBack("w", "a");
    rig.handle({ kind: "close" });
    rig.answer("w", {});
    rig.answer("session.goodbye", {});
    assert.equal(rig.conversation.at, "closed");
    const other = holding();
    other.givingBack("w", "a");
    assert.ok(other.handle({ kind: "detach" }).includes("w refused CLOSED, outcome unknown"));
  });
});
