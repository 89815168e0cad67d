import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseReader, greediestReader, needsMore } from "../../../src/core/reads/pool-share.js";
import { newReader, type Reader, rowMax } from "../../../src/core/reads/reader.js";
import { at, reader } from "../support/values.js";

let readers = 0;

/** A reader whose row belongs to these sessions, the first one running. */
function busy(owned: string, more: Partial<Reader> = {}): Reader {
  readers++;
  const row = [...owned].map((id, i) => ({ number: i + 1, read: { session: { id } } }));
  const owners = new Map([...owned].map((id) => [id, 1]));
  return Object.assign(newReader(reader(readers), at(0)), { state: "ready", row, owners, ...more });
}

test("the shortest row is chosen, and of rows of one length the first", () => {
  const pool = [busy("xx"), busy("x"), busy("y")];
  assert.equal(chooseReader(pool, "a", rowMax, false), pool[1]);
});

test("quick reads are put behind each other, as many as are run in one breath, and then where the row is shortest", () => {
  const pool = [busy("x"), busy("yyy"), busy("")];
  assert.equal(chooseReader(pool, "a", rowMax, true), pool[1]);
  assert.equal(chooseReader([busy("x".repeat(8)), busy("")], "a", rowMax, true)?.row.length, 0);
  assert.equal(chooseReader([busy("x".repeat(10)), busy("y".repeat(9))], "a", rowMax, true)?.row.length, 9);
  // Nobody is put behind a slow one all the same.
  assert.equal(chooseReader([busy("x", { stuck: true }), busy("")], "a", rowMax, true)?.row.length, 0);
});

test("who has a reader leaves the last free one to those who have none", () => {
  const pool = [busy("a"), busy("")];
  assert.equal(chooseReader(pool, "a", rowMax, false), pool[0]);
  assert.equal(chooseReader(pool, "b", rowMax, false), pool[1]);
  assert.equal(chooseReader([busy("a", { stuck: true }), busy("")], "a", rowMax, false), undefined);
  assert.equal(chooseReader([busy("b", { stuck: true }), busy("")], "a", rowMax, false)?.row.length, 0);
});

test("a single reader serves everybody, and one that starts or ends serves nobody", () => {
  const only = busy("a");
  assert.equal(
    chooseReader([only, busy("", { state: "starting" }), busy("", { state: "ending" })], "a", rowMax, false),
    only,
  );
});

test("nobody is put behind a slow read or into a full row", () => {
  assert.equal(chooseReader([busy("x", { stuck: true }), busy("y".repeat(32))], "a", rowMax, false), undefined);
});

test("the pool is too small when slow reads leave one reader or none, unless one is on its way", () => {
  assert.equal(needsMore([busy("a"), busy("b")]), false);
  assert.equal(needsMore([busy("a", { stuck: true }), busy("b")]), true);
  assert.equal(needsMore([busy("a", { stuck: true }), busy("", { state: "starting" })]), false);
  assert.equal(needsMore([]), true);
});

test("the session with most readers gives up its oldest read, for one that has fewer and after two seconds", () => {
  const pool = [busy("a", { headSince: at(200) }), busy("b", { headSince: at(0) }), busy("a", { headSince: at(100) })];
  const chosen = (waiting: string, now: number) => greediestReader(pool, new Set(waiting), at(now));
  assert.equal(chosen("c", 2000), undefined);
  assert.equal(chosen("c", 2100), pool[2]);
  assert.equal(chosen("b", 3000), pool[2]);
  assert.equal(chosen("a", 9000), undefined);
  assert.equal(chosen("", 9000), undefined);
});

test("of sessions with equally many the longest at work gives up", () => {
  const pool = [busy("a", { headSince: at(50) }), busy("b", { headSince: at(10) })];
  assert.equal(greediestReader(pool, new Set("c"), at(5000)), pool[1]);
  assert.equal(greediestReader(pool, new Set("a"), at(5000)), undefined);
});
