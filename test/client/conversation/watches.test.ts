/** Stories of watches: nothing is told twice, nothing is missed without a word, whatever becomes of connections. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Rig } from "../support/rig.js";

const events = (watch: number, ...numbers: number[]) => ({
  watch,
  events: numbers.map((n) => ({ n, kind: "granted" })),
});

function watching(): Rig {
  const rig = new Rig();
  rig.begin();
  rig.watch("w", { prefix: "deploy/" });
  rig.answer("lock.watch", { upTo: 10, gap: false, locks: [{ name: "deploy/a" }] });
  return rig;
}

describe("a watch", () => {
  it("begins with how things are, and goes on with what happens", () => {
    const rig = new Rig();
    rig.begin();
    assert.deepEqual(rig.watch("w", { name: "a" }), ["→ lock.watch"]);
    assert.deepEqual(rig.params("lock.watch"), { watch: 1, name: "a" });
    assert.deepEqual(rig.answer("lock.watch", { upTo: 10, gap: false, locks: [{}, {}] }), ["w begins with 2 at 10"]);
    assert.deepEqual(rig.notify("lock.events", events(1, 11, 12)), ["w: 11 12"]);
  });

  it("that begins without a connection is asked for when there is one", () => {
    const rig = new Rig();
    rig.handle({ kind: "open" });
    assert.deepEqual(rig.watch("w"), []);
    rig.connect();
    assert.deepEqual(rig.welcome(), ["opened", "→ lock.watch"]);
  });

  it("is asked for again after a reconnect, from behind the last event, and tells none of them twice", () => {
    const rig = watching();
    rig.notify("lock.events", events(1, 11, 12));
    rig.returns();
    assert.deepEqual(rig.welcome({ resumed: true }), ["open again, resumed", "→ lock.watch"]);
    assert.deepEqual(rig.params("lock.watch"), { watch: 1, prefix: "deploy/", after: 12 });
    assert.deepEqual(rig.answer("lock.watch", { upTo: 12, gap: false }), []);
    assert.deepEqual(rig.notify("lock.events", events(1, 11, 12, 13)), ["w: 13"]);
  });

  it("says that something was missed when the broker cannot tell it any more", () => {
    const rig = watching();
    rig.returns();
    rig.welcome({ resumed: true });
    assert.deepEqual(rig.answer("lock.watch", { upTo: 90, gap: true, locks: [] }), ["w begins with 0 at 90, gap"]);
  });

  it("hears nothing before it is answered, nor after it has ended", () => {
    const rig = watching();
    assert.deepEqual(rig.watch("w"), ["→ lock.watch"]);
    assert.deepEqual(rig.params("lock.watch"), { watch: 1, prefix: "deploy/" });
    assert.deepEqual(rig.notify("lock.events", events(1, 11)), []);
    rig.answer("lock.watch", { upTo: 11, gap: false, locks: [] });
    assert.deepEqual(rig.unwatch("w"), ["→ lock.unwatch"]);
    assert.deepEqual(rig.notify("lock.events", events(1, 12)), []);
    assert.deepEqual(rig.answer("lock.unwatch", {}), []);
    assert.deepEqual(rig.unwatch("w"), []);
  });

  it("that is refused ends with the refusal", () => {
    const rig = new Rig();
    rig.begin();
    rig.watch("w");
    assert.deepEqual(rig.refuse("lock.watch", "WATCHES_FULL"), ["w ended WATCHES_FULL"]);
  });

  it("outlives its session", () => {
    const rig = watching();
    rig.returns();
    assert.deepEqual(rig.refuse("session.hello", "SESSION_EXPIRED"), ["session lost", "→ session.hello"]);
    assert.deepEqual(rig.welcome(), ["open again", "→ lock.watch"]);
  });

  it("keeps looking for a broker for as long as requests would wait, and starts none that was stopped", () => {
    const rig = watching();
    rig.notify("session.closing", { reason: "stopped", retryAfterMs: 0 });
    rig.breaks();
    assert.deepEqual(rig.passes(5), ["connect, start nothing"]);
    const refusal = { refused: "NO_BROKER", message: "none runs" } as const;
    rig.handle({ kind: "connect-failed", why: "nobody", refusal, luck: 0 });
    const lines = rig.passes(30_000);
    assert.equal(lines[0], "connect, start nothing");
    assert.ok(lines.includes("w ended CONNECTION_LOST"));
    assert.equal(rig.conversation.at, "resting");
  });

  it("ends when the program closes, and is refused after", () => {
    const rig = watching();
    assert.deepEqual(rig.handle({ kind: "close" }).slice(0, 1), ["w ended CLOSED"]);
    assert.deepEqual(rig.watch("late"), ["late ended CLOSED"]);
    rig.answer("session.goodbye", {});
    assert.deepEqual(rig.watch("later"), ["later ended CLOSED"]);
  });
});
