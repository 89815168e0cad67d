import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import Database from "better-sqlite3";
import { Holdfast } from "../holdfast.js";

function appDatabase(directory: string) {
  const path = join(directory, "app.db");
  const db = new Database(path);
  db.pragma("journal_mode = WAL");
  db.exec("create table note(text); create table other(a); insert into note(rowid, text) values (7, 'seven')");
  return { path, db };
}

test("an app's database becomes the broker's, with its rows and rowids, and stays as it is", async (t) => {
  const holdfast = new Holdfast(t);
  const { path, db } = appDatabase(holdfast.dir);
  db.close();
  assert.match(await holdfast.print("import", path), /^imported 2 tables/);
  assert.equal(await holdfast.print("sql", "select rowid, text from note"), "7\tseven\n");
  await holdfast.print("sql", "insert into note(text) values ('eight')");
  const original = new Database(path, { readonly: true });
  t.after(() => original.close());
  assert.equal(original.prepare("select count(*) from note").pluck().get(), 1);
});

test("a database that another program has open is not taken over", async (t) => {
  const holdfast = new Holdfast(t);
  const { path, db } = appDatabase(holdfast.dir);
  t.after(() => db.close());
  const refused = await holdfast.run(["import", path]);
  assert.equal(refused.code, 1);
  assert.match(refused.err, /app\.db is in use by /);
});

test("a broker that runs is stopped only with consent, and its tables are put aside only by force", async (t) => {
  const holdfast = new Holdfast(t);
  const { path, db } = appDatabase(holdfast.dir);
  db.close();
  await holdfast.print("sql", "create table own(a)");
  const running = await holdfast.run(["import", path]);
  assert.equal(running.code, 75);
  assert.match(running.err, /--stop lets import stop it first/);
  const occupied = await holdfast.run(["import", "--stop", path]);
  assert.equal(occupied.code, 78);
  assert.match(occupied.err, /has 1 table of its own; --force puts it aside/);
  assert.match(await holdfast.print("status"), /runs: pid/, "the broker was stopped for nothing");
  const imported = JSON.parse(await holdfast.print("import", "--stop", "--force", "--json", path));
  assert.deepEqual([imported.tables, imported.database], [2, join(holdfast.dir, "data", "data.db")]);
  assert.equal(await holdfast.print("sql", "select text from note"), "seven\n");
});

test("a database is imported into the one that the broker served that was stopped for it", async (t) => {
  const holdfast = new Holdfast(t);
  const { path, db } = appDatabase(holdfast.dir);
  db.close();
  const served = join(holdfast.dir, "served.db");
  const server = holdfast.start(["serve", "--database", served]);
  await server.until(/ready/);
  const imported = JSON.parse(await holdfast.print("import", "--stop", "--json", path));
  assert.equal((await server.ended).code, 0);
  assert.equal(imported.database, served);
  const again = holdfast.start(["serve", "--database", served]);
  await again.until(/ready/);
  assert.equal(await holdfast.print("sql", "select text from note"), "seven\n");
});

test("what is no database is refused before anything is touched", async (t) => {
  const holdfast = new Holdfast(t);
  const text = join(holdfast.dir, "notes.txt");
  writeFileSync(text, "not a database, but long enough to have a head\n");
  for (const [file, words] of [
    [text, /is not an SQLite database/],
    [join(holdfast.dir, "missing.db"), /does not exist/],
    [holdfast.dir, /is not a file/],
  ] as const) {
    const { code, err } = await holdfast.run(["import", file]);
    assert.equal(code, 1, file);
    assert.match(err, words);
  }
});

test("an import that is refused once the broker has been stopped for it says that it was, and nothing of an update", async (t) => {
  const holdfast = new Holdfast(t);
  const copy = join(holdfast.dir, "copy.db");
  await holdfast.print("sql", "select 1");
  await holdfast.print("backup", copy);
  await holdfast.print("stop");
  for (const [how, words] of [
    ["on demand", /stopped for this; it starts again when it is needed\n$/],
    ["in the foreground", /stopped for this; `holdfast serve` starts it again\n$/],
  ] as const) {
    if (how === "on demand") await holdfast.print("sql", "select 1");
    else await holdfast.start(["serve"]).until(/ready/);
    const { code, err } = await holdfast.run(["import", "--stop", copy]);
    assert.equal(code, 78, how);
    assert.match(err, /is a database of another broker/);
    assert.match(err, words);
    assert.doesNotMatch(err, /update/);
  }
});
