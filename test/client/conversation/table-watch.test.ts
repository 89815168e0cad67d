/** Stories of watches of tables: no commit is told twice, none is missed without a word, whatever becomes of connections. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Rig } from "../support/rig.js";

const changes = (upTo: number, seqs: readonly number[], more: object = {}) => ({
  ...{ watch: 1, source: "s.1", upTo },
  changes: seqs.map((seq) => ({ seq, table: "t", inserts: 1, updates: 0, deletes: 0 })),
  ...more,
});

function watching(): Rig {
  const rig = new Rig();
  rig.begin();
  rig.watchTables("w");
  rig.answer("watch.open", { upTo: 10, source: "s.1", gap: false, absent: [] });
  return rig;
}

describe("a watch of tables", () => {
  it("begins, and goes on with what is committed", () => {
    const rig = new Rig();
    rig.begin();
    assert.deepEqual(rig.watchTables("w", { tables: ["t", "u"], keys: true }), ["→ watch.open"]);
    assert.deepEqual(rig.params("watch.open"), { watch: 1, tables: ["t", "u"], keys: true });
    const answer = { upTo: 10, source: "s.1", gap: false, absent: ["u"] };
    assert.deepEqual(rig.answer("watch.open", answer), ["w watches, no u"]);
    assert.deepEqual(rig.notify("watch.changes", changes(12, [11, 12])), ["w: t 11 t 12"]);
  });

  it("is asked for again after a reconnect from behind the last commit, and tells none of them twice", () => {
    const rig = watching();
    rig.notify("watch.changes", changes(12, [11, 12]));
    rig.returns();
    assert.deepEqual(rig.welcome({ resumed: true }), ["open again, resumed", "→ watch.open"]);
    assert.deepEqual(rig.params("watch.open"), { watch: 1, tables: ["t"], keys: false, after: 12, source: "s.1" });
    assert.deepEqual(rig.answer("watch.open", { upTo: 14, source: "s.1", gap: false, absent: [] }), ["w watches"]);
    assert.deepEqual(rig.notify("watch.changes", changes(14, [12, 13, 14])), ["w: t 13 t 14"]);
  });

  it("goes on after the number at which it began when nothing was told before the connection was lost", () => {
    const rig = watching();
    rig.returns();
    rig.welcome({ resumed: true });
    assert.deepEqual(rig.params("watch.open"), { watch: 1, tables: ["t"], keys: false, after: 10, source: "s.1" });
  });

  it("says that something was missed, and goes on under the new source", () => {
    const rig = watching();
    rig.returns();
    rig.welcome({ resumed: true });
    const answer = { upTo: 5, source: "s.2", gap: true, absent: [] };
    assert.deepEqual(rig.answer("watch.open", answer), ["w watches", "w gap up to 5 of s.2"]);
    assert.deepEqual(rig.notify("watch.changes", changes(6, [6], { source: "s.2" })), ["w: t 6"]);
  });

  it("is told of a gap while it is open, after what was committed before it", () => {
    const rig = watching();
    const news = changes(12, [11], { gap: true, source: "s.2" });
    assert.deepEqual(rig.notify("watch.changes", news), ["w: t 11", "w gap up to 12 of s.2"]);
    rig.returns();
    rig.welcome({ resumed: true });
    assert.deepEqual(rig.params("watch.open"), { watch: 1, tables: ["t"], keys: false, after: 12, source: "s.2" });
  });

  it("goes on from what the program has heard in another life", () => {
    const rig = new Rig();
    rig.begin();
    rig.watchTables("w", { after: { seq: 7, source: "s.0" } });
    assert.deepEqual(rig.params("watch.open"), { watch: 1, tables: ["t"], keys: false, after: 7, source: "s.0" });
  });

  it("hears nothing after it has ended, nor of what is not meant for it", () => {
    const rig = watching();
    assert.deepEqual(rig.notify("watch.changes", changes(11, [11], { watch: 9 })), []);
    assert.deepEqual(rig.notify("watch.changes", { watch: 1 }), []);
    assert.deepEqual(rig.unwatch("w"), ["→ watch.close"]);
    assert.deepEqual(rig.notify("watch.changes", changes(12, [12])), []);
  });

  it("that is refused ends with the refusal", () => {
    const rig = new Rig();
    rig.begin();
    rig.watchTables("w");
    assert.deepEqual(rig.refuse("watch.open", "WATCHES_FULL"), ["w ended WATCHES_FULL"]);
  });

  it("and a watch of locks go side by side", () => {
    const rig = watching();
    assert.deepEqual(rig.watch("locks"), ["→ lock.watch"]);
    rig.answer("lock.watch", { upTo: 1, gap: false, locks: [] });
    assert.deepEqual(rig.notify("watch.changes", changes(11, [11], { watch: 2 })), []);
    assert.deepEqual(rig.notify("lock.events", { watch: 1, events: [{ n: 5 }] }), []);
    assert.deepEqual(rig.notify("watch.changes", changes(11, [11])), ["w: t 11"]);
    assert.deepEqual(rig.notify("lock.events", { watch: 2, events: [{ n: 5 }] }), ["locks: 5"]);
  });
});
