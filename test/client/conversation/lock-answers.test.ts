/** Stories of locks that change hands or mode while they are held: one outcome each, and no grant that nobody knows of. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Rig } from "../support/rig.js";

const key = (n: number) => 2 ** 48 + n;

function holding(): Rig {
  const rig = new Rig();
  rig.begin();
  rig.acquire("a");
  rig.granted("a", 7);
  return rig;
}

describe("a grant of several names", () => {
  it("is one grant: listed by each name at hello, lost once, released once", () => {
    const rig = new Rig();
    rig.begin();
    rig.acquire("a");
    rig.granted("a", 7, { also: ["b", "c"] });
    assert.deepEqual(rig.grant("a").names, ["a", "b", "c"]);
    rig.returns();
    assert.deepEqual(rig.params("session.hello")["grants"], [
      { name: "a", token: 7 },
      { name: "b", token: 7 },
      { name: "c", token: 7 },
    ]);
    rig.welcome({ resumed: true, grants: ["a", "b", "c"].map((name) => ({ name, token: 7, key: key(0) })) });
    assert.deepEqual(rig.notify("lock.lost", { name: "b", token: 7, reason: "broken" }), ["lost a 7"]);
    assert.deepEqual(rig.notify("lock.lost", { name: "a", token: 7, reason: "broken" }), []);
  });

  it("that nobody knows of is given back by one release", () => {
    const rig = new Rig();
    rig.begin();
    rig.returns();
    const grants = ["a", "b"].map((name) => ({ name, token: 5, key: key(9) }));
    assert.deepEqual(rig.welcome({ resumed: true, grants }), ["open again, resumed", "→ lock.release key L0"]);
  });

  it("that another program acquired is taken up as one", () => {
    const held = [
      { name: "a", token: 7 },
      { name: "b", token: 7 },
      { name: "c", token: 8 },
    ];
    const rig = new Rig({ takenUp: { held, keysUsed: 10 } });
    rig.begin({ resumed: true, grants: held.map((one) => ({ ...one, key: 1 })) });
    assert.deepEqual(
      [...rig.conversation.grants].map(({ names }) => names),
      [["a", "b"], ["c"]],
    );
  });
});

describe("an upgrade", () => {
  it("gives the same grant another token", () => {
    const rig = holding();
    assert.deepEqual(rig.upgrade("up", "a", 500), ["→ up key L1 wait 500"]);
    assert.deepEqual(rig.upgraded("up", 9), ['up = {"token":9,"waitedMs":1}']);
    assert.equal(rig.grant("a").token, 9);
    assert.deepEqual(rig.notify("lock.lost", { name: "a", token: 7, reason: "old" }), []);
    assert.deepEqual(rig.notify("lock.lost", { name: "a", token: 9, reason: "broken" }), ["lost a 9"]);
  });

  it("that is refused leaves the grant as it was", () => {
    const rig = holding();
    rig.upgrade("up", "a");
    assert.deepEqual(rig.refuse("up", "DEADLOCK"), ["up refused DEADLOCK"]);
    assert.equal(rig.grant("a").token, 7);
    assert.equal(rig.grant("a").state, "held");
  });

  it("whose answer was lost is heard of by being sent again: until then the old token is not taken for lost", () => {
    const rig = holding();
    rig.upgrade("up", "a");
    rig.returns();
    assert.deepEqual(rig.params("session.hello")["grants"], [{ name: "a", token: 7 }]);
    assert.deepEqual(rig.params("session.hello")["pending"], [key(1)]);
    // The broker tells the key of the acquire, as ever.
    const grants = [{ name: "a", token: 9, key: key(0) }];
    assert.deepEqual(rig.welcome({ resumed: true, grants }), ["open again, resumed", "→ up key L1"]);
    rig.upgraded("up", 9);
    assert.equal(rig.grant("a").token, 9);
    assert.equal(rig.grant("a").state, "held");
  });

  it("whose answer was lost is heard of also when it is not the first of its grant", () => {
    const rig = holding();
    rig.upgrade("up", "a");
    rig.upgraded("up", 9);
    rig.ask("down", "change", { name: "a" });
    rig.answer("down", { name: "a", token: 9 });
    rig.upgrade("again", "a");
    rig.returns();
    const grants = [{ name: "a", token: 11, key: key(0) }];
    assert.deepEqual(rig.welcome({ resumed: true, grants }), ["open again, resumed", "→ again key L3"]);
    rig.upgraded("again", 11);
    assert.equal(rig.grant("a").token, 11);
  });

  it("that is under way does not hide that the grant is gone", () => {
    const rig = holding();
    rig.upgrade("up", "a");
    rig.returns();
    assert.deepEqual(rig.welcome({ resumed: true }), ["lost a 7", "open again, resumed", "→ up key L1"]);
    assert.deepEqual(rig.refuse("up", "LOCK_NOT_HELD"), ["up refused LOCK_NOT_HELD"]);
  });

  it("that is cancelled has the outcome that the broker says", () => {
    const rig = holding();
    rig.upgrade("up", "a");
    assert.deepEqual(rig.cancel("up"), ["→ lock.cancel key L2"]);
    assert.equal(rig.params("lock.cancel")["of"], key(1));
    assert.deepEqual(rig.refuse("up", "CANCELLED"), ["up refused CANCELLED"]);
    assert.equal(rig.grant("a").token, 7);
  });

  it("that won the race against its cancel is taken back: the lock is shared before the program hears of the end", () => {
    const rig = holding();
    rig.upgrade("up", "a");
    rig.cancel("up");
    assert.deepEqual(rig.upgraded("up", 9), ["→ lock.downgrade key L3"]);
    assert.equal(rig.params("lock.downgrade")["token"], 9);
    assert.deepEqual(rig.answer("lock.downgrade", { name: "a", token: 9 }), ["up refused CANCELLED"]);
    assert.equal(rig.grant("a").token, 9);
    assert.equal(rig.grant("a").state, "held");
  });

  it("that is cancelled without a connection is sent again to hear its outcome, since the lock depends on it", () => {
    const rig = holding();
    rig.upgrade("up", "a");
    rig.breaks();
    assert.deepEqual(rig.cancel("up"), []);
    rig.passes(5);
    rig.connect();
    assert.deepEqual(rig.params("session.hello")["pending"], [key(1)]);
    const grants = [{ name: "a", token: 7, key: key(0) }];
    assert.deepEqual(rig.welcome({ resumed: true, grants }), [
      "open again, resumed",
      "→ up key L1",
      "→ lock.cancel key L2",
    ]);
  });

  it("that was quicker than a release makes the release speak of the new token", () => {
    const rig = holding();
    rig.upgrade("up", "a");
    assert.deepEqual(rig.release("r", "a"), ["→ r key L2"]);
    rig.upgraded("up", 9);
    assert.deepEqual(rig.refuse("r", "LOCK_NOT_HELD"), ["→ r key L3"]);
    assert.equal(rig.params("lock.release")["token"], 9);
    assert.deepEqual(rig.answer("r", { released: true }), ["r = {}"]);
    assert.equal(rig.grant("a").state, "released");
  });

  it("that comes when the program has lost the lock by its own clock is given back", () => {
    const rig = new Rig();
    rig.begin();
    rig.ask("a", "acquire", { name: "a", ttlMs: 3000 });
    rig.granted("a", 7);
    rig.upgrade("up", "a");
    rig.sleeps(10_000);
    assert.deepEqual(rig.upgraded("up", 9), [
      "lost a 7",
      "→ lock.release key L2",
      "→ lock.release key L3",
      "up refused LOCK_LOST",
    ]);
    assert.equal(rig.params("lock.release")["token"], 9);
  });

  it("ends with the session, and says that the lock is lost", () => {
    const rig = holding();
    rig.upgrade("up", "a");
    rig.returns();
    assert.deepEqual(rig.refuse("session.hello", "SESSION_EXPIRED"), [
      "lost a 7",
      "up refused LOCK_LOST",
      "session lost",
      "→ session.hello",
    ]);
  });

  it("of a lock that is not held any more is refused without a question", () => {
    const rig = holding();
    rig.notify("lock.lost", { name: "a", token: 7, reason: "gone" });
    assert.deepEqual(rig.upgrade("up", "a"), ["up refused LOCK_LOST"]);
  });
});

describe("a transfer", () => {
  it("ends the grant for its holder without a loss", () => {
    const rig = holding();
    assert.deepEqual(rig.transfer("t", "a"), ["→ t key L1"]);
    assert.equal(rig.grant("a").state, "handing");
    assert.deepEqual(rig.answer("t", { from: 7, to: "another" }), ["t = {}"]);
    assert.equal(rig.grant("a").state, "released");
  });

  it("that is refused leaves the lock held", () => {
    const rig = holding();
    rig.transfer("t", "a");
    assert.deepEqual(rig.refuse("t", "NOT_WAITING"), ["t refused NOT_WAITING"]);
    assert.equal(rig.grant("a").state, "held");
  });

  it("does not stop a release: what nobody takes is given back by that, and is not held meanwhile", () => {
    const rig = holding();
    rig.transfer("t", "a");
    assert.deepEqual(rig.release("r", "a"), ["→ r key L2"]);
    assert.deepEqual(rig.refuse("t", "NOT_WAITING"), ["t refused NOT_WAITING"]);
    assert.equal(rig.grant("a").state, "releasing");
    assert.deepEqual(rig.answer("r", { released: true }), ["r = {}"]);
    assert.equal(rig.grant("a").state, "released");
  });

  it("that is done leaves nothing for a release that was sent after it", () => {
    const rig = holding();
    rig.transfer("t", "a");
    rig.release("r", "a");
    assert.deepEqual(rig.answer("t", { from: 7, to: "another" }), ["t = {}"]);
    assert.deepEqual(rig.refuse("r", "LOCK_NOT_HELD"), ["r = {}"]);
    assert.equal(rig.grant("a").state, "released");
    assert.deepEqual([...rig.conversation.grants], []);
  });

  it("and the release after it end with their session", () => {
    const rig = holding();
    rig.transfer("t", "a");
    rig.release("r", "a");
    rig.returns();
    assert.deepEqual(rig.refuse("session.hello", "SESSION_EXPIRED").slice(0, 2), [
      "t refused OUTCOME_UNKNOWN, outcome unknown",
      "r = {}",
    ]);
    assert.deepEqual([...rig.conversation.grants], []);
  });

  it("may leave the lock with its holder, so an upgrade that won against its cancel is taken back all the same", () => {
    const rig = holding();
    rig.upgrade("up", "a");
    rig.cancel("up");
    rig.transfer("t", "a");
    assert.deepEqual(rig.upgraded("up", 9), ["→ lock.downgrade key L4"]);
  });

  it("that is refused for a lock that was lost meanwhile leaves it lost", () => {
    const rig = holding();
    rig.transfer("t", "a");
    rig.returns();
    // The word that nobody waits was lost with the connection, and then the lock was broken.
    assert.deepEqual(rig.welcome({ resumed: true, grants: [] }), ["open again, resumed", "→ t key L1"]);
    assert.deepEqual(rig.refuse("t", "NOT_WAITING"), ["lost a 7", "t refused NOT_WAITING"]);
    assert.deepEqual([...rig.conversation.grants], []);
  });

  it("of what the broker does not have any more is refused, other than a release", () => {
    const rig = holding();
    rig.transfer("t", "a");
    assert.deepEqual(rig.refuse("t", "LOCK_NOT_HELD"), ["t refused LOCK_NOT_HELD"]);
    assert.equal(rig.grant("a").state, "released");
  });

  it("whose answer was lost is asked for again, under its key", () => {
    const rig = holding();
    rig.transfer("t", "a");
    rig.returns();
    assert.deepEqual(rig.welcome({ resumed: true }), ["open again, resumed", "→ t key L1"]);
    assert.deepEqual(rig.answer("t", { from: 7, to: "another" }), ["t = {}"]);
  });

  it("whose session is over has an unknown outcome, since it may have happened", () => {
    const rig = holding();
    rig.transfer("t", "a");
    rig.returns();
    assert.deepEqual(rig.refuse("session.hello", "SESSION_EXPIRED").slice(0, 1), [
      "t refused OUTCOME_UNKNOWN, outcome unknown",
    ]);
  });

  it("that is too large to be sent has not happened", () => {
    const rig = holding();
    rig.transfer("t", "a");
    assert.deepEqual(rig.tooLarge("t"), ["t refused FRAME_TOO_LARGE"]);
    assert.equal(rig.grant("a").state, "held");
  });
});

describe("a change of somebody else's lock", () => {
  it("is sent again under its key after a reconnect", () => {
    const rig = new Rig();
    rig.begin();
    assert.deepEqual(rig.ask("break", "change", { name: "a" }), ["→ break key L0"]);
    rig.returns();
    assert.deepEqual(rig.params("session.hello")["pending"], []);
    assert.deepEqual(rig.welcome({ resumed: true }), ["open again, resumed", "→ break key L0"]);
    assert.deepEqual(rig.answer("break", { ended: [] }), ['break = {"ended":[]}']);
  });

  it("without a token is unknown once its broker is gone: another would take the lock from who has it by then", () => {
    const rig = new Rig();
    rig.begin({ life: "1" });
    rig.ask("break", "change", { name: "a" });
    rig.ask("one", "change", { name: "a", token: 7 });
    rig.breaks();
    rig.ask("kept", "change", { name: "a" });
    rig.passes(5);
    rig.connect();
    assert.deepEqual(rig.welcome({ resumed: true, life: "2" }), [
      ...["open again, resumed", "break refused OUTCOME_UNKNOWN"],
      ...["→ one key L1", "→ kept key L2"],
    ]);
  });

  it("without a token is unknown also when its broker has turned it away at the second time", () => {
    const rig = new Rig();
    rig.begin({ life: "1" });
    rig.ask("break", "change", { name: "a" });
    rig.returns();
    assert.deepEqual(rig.welcome({ resumed: true, life: "1" }), ["open again, resumed", "→ break key L0"]);
    assert.deepEqual(rig.refuse("break", "SHUTTING_DOWN"), []);
    rig.returns();
    assert.deepEqual(rig.welcome({ resumed: true, life: "2" }), [
      "open again, resumed",
      "break refused OUTCOME_UNKNOWN",
    ]);
  });

  it("that a broker has turned away at once goes to the next", () => {
    const rig = new Rig();
    rig.begin({ life: "1" });
    rig.ask("break", "change", { name: "a" });
    assert.deepEqual(rig.refuse("break", "SHUTTING_DOWN"), []);
    rig.returns();
    assert.deepEqual(rig.welcome({ resumed: true, life: "2" }), ["open again, resumed", "→ break key L0"]);
  });

  it("is unknown when its session is over, but for one that was never sent", () => {
    const rig = new Rig();
    rig.begin();
    rig.ask("sent", "change", { name: "a" });
    rig.breaks();
    rig.ask("kept", "change", { name: "a" });
    rig.passes(5);
    rig.connect();
    const lines = rig.refuse("session.hello", "SESSION_EXPIRED");
    assert.deepEqual(lines, ["sent refused OUTCOME_UNKNOWN, outcome unknown", "session lost", "→ session.hello"]);
    assert.deepEqual(rig.welcome(), ["open again", "→ kept key L0"]);
  });
});

describe("news of locks", () => {
  it("of a place in the line reach the request, as long as it is wanted", () => {
    const rig = new Rig();
    rig.begin();
    rig.acquire("a");
    const news = { id: rig.idOf("a"), key: key(0), name: "a", place: 2, waiting: 3, holders: [{ program: "make" }] };
    assert.deepEqual(rig.notify("lock.queued", news), ["a at place 2 of 3"]);
    rig.cancel("a");
    assert.deepEqual(rig.notify("lock.queued", news), []);
    assert.deepEqual(rig.notify("lock.queued", { ...news, id: 999 }), []);
  });

  it("of others that wait, and of a revocation, reach the holder", () => {
    const rig = holding();
    assert.deepEqual(rig.notify("lock.contended", { name: "a", token: 7, waiting: 2 }), ["a wanted by 2"]);
    const revoking = { name: "a", token: 7, graceMs: 500, reason: "maintenance", by: { program: "sh" } };
    assert.deepEqual(rig.notify("lock.revoking", revoking), ["a revoked in 500: maintenance"]);
  });

  it("of what is not held, or not understood, reach nobody", () => {
    const rig = holding();
    assert.deepEqual(rig.notify("lock.contended", { name: "a", token: 6, waiting: 2 }), []);
    assert.deepEqual(rig.notify("lock.surprise", { name: "a", token: 7 }), []);
    rig.release("r", "a");
    assert.deepEqual(rig.notify("lock.contended", { name: "a", token: 7, waiting: 2 }), []);
  });
});
