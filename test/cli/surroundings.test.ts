import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import Database from "better-sqlite3";
import { cli, Holdfast } from "./holdfast.js";

/** A directory that is named by --dir, where every variable leads to another broker. */
async function chosen(t: TestContext) {
  const other = new Holdfast(t);
  await other.print("sql", "create table other(a)");
  const env = {
    HOLDFAST_DIR: other.dir,
    HOLDFAST_DATABASE: join(other.dir, "data", "data.db"),
    HOLDFAST_SOCKET: join(other.dir, "run", "broker.sock"),
  };
  const here = new Holdfast(t);
  const run = (...words: string[]) => here.run(["--dir", here.dir, ...words], { env });
  const print = async (...words: string[]) => {
    const { code, out, err } = await run(...words);
    assert.equal(code, 0, `${words.join(" ")}: ${err}`);
    return out;
  };
  return { here, other, env, run, print, database: join(here.dir, "data", "data.db") };
}

test("with --dir no variable leads elsewhere: neither who asks the broker nor who works on its database", async (t) => {
  const { here, other, run, print, database } = await chosen(t);
  const tables = "select group_concat(name) from sqlite_schema where name not like '\\_%' escape '\\'";
  await print("sql", "create table own(a)");
  const copy = join(here.dir, "copy.db");
  for (const how of ["beside the broker", "without one"]) {
    assert.equal(JSON.parse(await print("check", "--json")).database, database, how);
    assert.equal(JSON.parse(await print("backup", "--json", "--force", copy)).tables, 1, how);
    assert.equal(
      JSON.parse((await run("status", "--json")).out).files.socket,
      join(here.dir, "run", "broker.sock"),
      how,
    );
    assert.equal((await run("stop")).code, how === "without one" ? 69 : 0, how);
  }
  assert.equal(JSON.parse(await print("restore", "--json", copy)).database, database);
  assert.equal(await print("sql", tables), "own\n");
  assert.match(await print("logs"), /"msg"/);
  assert.equal(await other.print("sql", tables), "other\n");
});

test("a database is taken over into the directory that --dir names", async (t) => {
  const { here, print, database } = await chosen(t);
  const path = join(here.dir, "app.db");
  const app = new Database(path);
  app.exec("create table taken(a)");
  app.close();
  assert.equal(JSON.parse(await print("import", "--json", path)).database, database);
  assert.equal(await print("sql", "select count(*) from taken"), "0\n");
});

test("a command under a lock of --dir finds the same broker, whatever the variables say", async (t) => {
  const { print } = await chosen(t);
  await print("sql", "create table own(a)");
  const inside = `"${process.execPath}" "${cli}" sql --fenced 'insert into own values (1)'`;
  await print("lock", "x", "-c", inside);
  assert.equal(await print("sql", "select count(*) from own"), "1\n");
});

test("`serve --dir` serves what a broker serves that is started by --dir", async (t) => {
  const { here, env, print, database } = await chosen(t);
  const server = here.start(["serve", "--dir", here.dir], { env });
  await server.until(/ready/);
  const { pid, database: served } = JSON.parse(await print("status", "--json"));
  assert.deepEqual([pid, served.path], [server.pid, database]);
});
