/** Streams of rows in the conversation: numbers, credit, ends, and what a lost connection does to them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Rig } from "../support/rig.js";

/** A rig that is open, with a stream that is open. */
function stage(): Rig {
  const rig = new Rig();
  rig.begin();
  rig.ask("s", "stream", { sql: "select 1", credit: 1000 });
  rig.answer("s", { stream: 1, columns: ["a"] });
  return rig;
}

test("a stream has a number, is answered, gets its rows and its end", () => {
  const rig = new Rig();
  rig.begin();
  assert.deepEqual(rig.ask("s", "stream"), ["→ s"]);
  assert.equal(rig.params("db.stream")["stream"], 1);
  assert.deepEqual(rig.answer("s", { stream: 1, columns: ["a"] }), ['s = {"stream":1,"columns":["a"]}']);
  assert.deepEqual(rig.notify("db.rows", { stream: 1, rows: [[1], [2]] }), ["s rows [[1],[2]]"]);
  assert.deepEqual(rig.notify("db.done", { stream: 1, rows: 2 }), ["s done"]);
  assert.deepEqual(rig.notify("db.rows", { stream: 1, rows: [[3]] }), []);
});

test("a stream that ends with an error says so, and one of whose rows some are missing is not taken for complete", () => {
  const rig = stage();
  const error = { message: "too old", data: { code: "SNAPSHOT_ENDED" } };
  assert.deepEqual(rig.notify("db.done", { stream: 1, rows: 7, error }), ["s done SNAPSHOT_ENDED"]);
  rig.ask("t", "stream");
  rig.answer("t", { stream: 2, columns: [] });
  rig.notify("db.rows", { stream: 2, rows: [[1]] });
  assert.deepEqual(rig.notify("db.done", { stream: 2, rows: 2 }), ["t done INTERNAL"]);
});

test("credit goes to a stream that is open, and to no other", () => {
  const rig = stage();
  assert.deepEqual(rig.credit("s", 500), ["→ db.credit"]);
  assert.deepEqual(rig.params("db.credit"), { stream: 1, bytes: 500 });
  rig.notify("db.done", { stream: 1, rows: 0 });
  assert.deepEqual(rig.credit("s", 500), []);
});

test("a stream that the program closes is closed at the broker, and nothing more is heard of it", () => {
  const rig = stage();
  assert.deepEqual(rig.closeStream("s"), ["→ db.close"]);
  assert.deepEqual(rig.notify("db.rows", { stream: 1, rows: [[1]] }), []);
  assert.deepEqual(rig.notify("db.done", { stream: 1, rows: 1 }), []);
  assert.deepEqual(rig.closeStream("s"), []);
});

test("a stream that is cancelled before its answer is closed by its number, whenever the answer comes", () => {
  const rig = new Rig();
  rig.begin();
  rig.ask("s", "stream");
  assert.deepEqual(rig.cancel("s"), ["→ db.close", "s refused CANCELLED"]);
  assert.deepEqual(rig.params("db.close"), { stream: 1 });
  assert.deepEqual(rig.answer("s", { stream: 1, columns: [] }), []);
  assert.deepEqual(rig.notify("db.rows", { stream: 1, rows: [[1]] }), []);
});

test("a stream in the middle dies with its connection; one that was not answered is asked again", () => {
  const rig = stage();
  rig.ask("t", "stream");
  const lines = rig.breaks();
  assert.ok(lines.includes("s done CONNECTION_LOST"), lines.join("; "));
  assert.ok(!lines.some((line) => line.startsWith("t ")), lines.join("; "));
  rig.passes(5);
  rig.connect();
  const again = rig.welcome({ resumed: true });
  assert.ok(again.includes("→ t"), again.join("; "));
  assert.ok(!again.includes("→ s"), again.join("; "));
  rig.answer("t", { stream: 2, columns: [] });
  assert.deepEqual(rig.notify("db.rows", { stream: 1, rows: [[1]] }), []);
  assert.deepEqual(rig.notify("db.rows", { stream: 2, rows: [[1]] }), ["t rows [[1]]"]);
});

test("a program that closes its handle ends its streams", () => {
  const rig = stage();
  const lines = rig.handle({ kind: "close" });
  assert.ok(lines.includes("s done CLOSED"), lines.join("; "));
});

test("a program that closes its handle keeps no process for its streams while something in flight may wait for one", () => {
  const rig = stage();
  rig.ask("t", "stream");
  rig.ask("q", "read");
  const lines = rig.handle({ kind: "close" });
  assert.ok(lines.includes("→ db.close") && !lines.some((line) => line.includes("goodbye")), lines.join("; "));
  assert.deepEqual(rig.params("db.close"), { stream: 1 });
  assert.deepEqual(rig.answer("t", { stream: 2, columns: [] }), [
    't = {"stream":2,"columns":[]}',
    "→ db.close",
    "t done CLOSED",
  ]);
  assert.deepEqual(rig.params("db.close"), { stream: 2 });
});
