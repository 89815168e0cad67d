/** The one row that says whose the database is and how far it has come (rules 1, 2, 14). */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { openDatabase } from "../../../src/sqlite/index.js";
import { tablesVersion } from "../../../src/store/writer/internal-tables.sql.js";
import { MetaRow, tokenBlock } from "../../../src/store/writer/meta-row.js";
import { makeTablesOlder } from "../../support/older-tables.js";
import { type TestLife, tempDir } from "../../support/temp-dir.js";

function open(t: TestLife, path = join(tempDir(t), "data.db")) {
  const database = openDatabase({ path, role: "writer", durability: "full", busyMs: 1000 });
  t.after(() => database.close());
  return database;
}

test("the start write makes a new epoch and sets tokens aside that no start has had before", (t) => {
  const database = open(t);
  const first = MetaRow.start(database, "boot-1").ready;
  assert.deepEqual(
    { ...first, incarnation: "", sqlite: "" },
    {
      epoch: 1,
      storedSeq: 0,
      previousBootId: null,
      heldBefore: false,
      movedFrom: null,
      incarnation: "",
      tokensFrom: 1,
      tokensTo: 1 + tokenBlock,
      sqlite: "",
    },
  );
  const second = MetaRow.start(database, "boot-1").ready;
  assert.deepEqual([second.epoch, second.tokensFrom, second.previousBootId], [2, first.tokensTo, "boot-1"]);
  assert.equal(second.incarnation, first.incarnation);
});

test("the start write is on disk when it returns: the log has a commit of this epoch", (t) => {
  const path = join(tempDir(t), "data.db");
  MetaRow.start(open(t, path), "boot-1");
  const other = openDatabase({ path, role: "reader", durability: "full", busyMs: 1000 });
  assert.equal(other.prepare("select epoch from _holdfast_meta").pluck().get(), 1);
  other.close();
});

// rule 13
test("that nothing is held is known to the next start, and to no other after it", (t) => {
  const database = open(t);
  const first = MetaRow.start(database, "boot-1");
  assert.equal(first.ready.heldBefore, false, "nobody was there before");
  first.nothingHeld();
  const second = MetaRow.start(database, "boot-1");
  assert.equal(second.ready.heldBefore, false);
  assert.equal(MetaRow.start(database, "boot-1").ready.heldBefore, true);
  second.nothingHeld();
  assert.equal(MetaRow.start(database, "boot-1").ready.heldBefore, true, "it was said by one whose epoch has passed");
});

// rule 13
test("where it was served from is known to each start until tokens are reserved from another place", (t) => {
  const database = open(t);
  const startAt = (place: string) => MetaRow.start(database, "boot-1", { place });
  assert.equal(startAt("/run/a").ready.movedFrom, null);
  assert.equal(startAt("/run/a").ready.movedFrom, null);
  assert.equal(startAt("/run/b").ready.movedFrom, "/run/a");
  const again = startAt("/run/b");
  assert.equal(again.ready.movedFrom, "/run/a", "nobody has heard of the first one");
  again.reserve(again.ready.tokensTo, true);
  assert.equal(startAt("/run/b").ready.movedFrom, null);
  assert.equal(startAt("/run/a").ready.movedFrom, "/run/b");
});

// rule 2
test("a writer whose epoch has passed cannot move the row", (t) => {
  const database = open(t);
  const old = MetaRow.start(database, "boot-1");
  const young = MetaRow.start(database, "boot-1");
  assert.deepEqual([old.advance(5, 0), young.advance(6, 0)], [false, true]);
  assert.equal(old.reserve(0, false), undefined);
});

test("the sequence never goes back", (t) => {
  const database = open(t);
  const meta = MetaRow.start(database, "boot-1");
  meta.advance(9, 0);
  meta.advance(4, 0);
  assert.equal(MetaRow.start(database, "boot-1").ready.storedSeq, 9);
});

test("a reservation begins above what was reserved and above what it is asked for", (t) => {
  const database = open(t);
  const meta = MetaRow.start(database, "boot-1");
  const next = meta.reserve(0, false);
  assert.equal(next?.tokensFrom, meta.ready.tokensTo);
  const above = meta.reserve(10 * tokenBlock, false);
  assert.equal(above?.tokensFrom, 10 * tokenBlock + 1);
  assert.equal(above?.incarnation, meta.ready.incarnation);
});

test("a new incarnation is another one, and stays", (t) => {
  const database = open(t);
  const meta = MetaRow.start(database, "boot-1");
  const renamed = meta.reserve(0, true);
  assert.notEqual(renamed?.incarnation, meta.ready.incarnation);
  assert.equal(MetaRow.start(database, "boot-1").ready.incarnation, renamed?.incarnation);
});

test("a database of a newer version is left alone", (t) => {
  const database = open(t);
  MetaRow.start(database, "boot-1");
  database.exec("update _holdfast_meta set version = 99");
  assert.throws(() => MetaRow.start(database, "boot-1"), { code: "DATA_FOREIGN" });
  assert.equal(database.prepare("select epoch from _holdfast_meta").pluck().get(), 1);
});

test("a database that has tables already keeps them", (t) => {
  const database = open(t);
  database.exec("create table mine (a); insert into mine values (1)");
  MetaRow.start(database, "boot-1");
  assert.equal(database.prepare("select a from mine").pluck().get(), 1);
});

test("commits are counted one by one, also those that settle nothing, over all writers", (t) => {
  const database = open(t);
  const meta = MetaRow.start(database, "boot-1");
  assert.equal(meta.commits, 0);
  meta.advance(5, 0);
  meta.advance(0, 0);
  assert.equal(meta.commits, 2);
  assert.equal(MetaRow.start(database, "boot-1").commits, 2);
});

test("a database whose tables have an older version gets what they lack, and keeps what it had", (t) => {
  for (let version = 1; version < tablesVersion; version++) {
    const database = open(t);
    const before = MetaRow.start(database, "boot-1");
    before.advance(9, 70);
    // As a program of that version has left it.
    before.nothingHeld();
    makeTablesOlder(database, version);
    const commits = version < 3 ? 0 : 1;
    const meta = MetaRow.start(database, "boot-1");
    assert.deepEqual([meta.ready.epoch, meta.ready.storedSeq, meta.repliesBytes, meta.commits], [2, 9, 70, commits]);
    assert.equal(meta.advance(10, 70), true);
    assert.equal(meta.commits, commits + 1);
    assert.equal(database.prepare("select version from _holdfast_meta").pluck().get(), tablesVersion);
    // A program of before version 5 has written down nothing of locks, and of before 6 not where it was.
    assert.equal(meta.ready.heldBefore, version < 5);
    assert.equal(meta.ready.movedFrom, null);
    assert.equal(database.prepare("select count(*) from _holdfast_keys").pluck().get(), 0);
  }
});
