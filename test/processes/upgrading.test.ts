/**
 * A broker that begins on what another version of it has left: an older one's tables are brought up to date with all that
 * is in them, wherever it is ended on the way; a newer one's are left alone.
 *
 * The older tables are made of today's: test/support/older-tables.ts.
 */
import assert from "node:assert/strict";
import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Database, openDatabase } from "../../src/sqlite/index.js";
import { tablesVersion } from "../../src/store/writer/internal-tables.sql.js";
import { type Front, Home } from "../support/broker.js";
import { FaultyDisk } from "../support/faulty-disk.js";
import { makeTablesOlder } from "../support/older-tables.js";
import type { Wire } from "../support/wire.js";

function inDatabase<T>(home: Home, look: (database: Database) => T): T {
  const database = openDatabase({ path: home.database, role: "writer", durability: "full", busyMs: 1000 });
  try {
    return look(database);
  } finally {
    database.close();
  }
}

function versionIn(home: Home): unknown {
  return inDatabase(home, (database) => database.prepare("select version from _holdfast_meta").pluck().get());
}

/** As a program of that version has left it. Nobody has it open. */
function makeOlder(home: Home, version: number): void {
  inDatabase(home, (database) => makeTablesOlder(database, version));
}

/** What a client has done and been told before. */
interface Before {
  readonly wire: Wire;
  readonly key: number;
  readonly answer: unknown;
  readonly token: number;
}

const insert = { sql: "insert into item (n) values (?) returning id, n", args: [7] };

async function lived(home: Home): Promise<Before> {
  const wire = await home.wire();
  await wire.call("db.execute", { sql: "create table item (id integer primary key, n)", key: wire.key() });
  const key = wire.key();
  const answer = await wire.call("db.execute", { ...insert, key });
  const { token } = await wire.call("lock.acquire", { name: "kept", key: wire.key() });
  return { wire, key, answer, token };
}

/** All of that still holds; `locks`: also what ends with the machine. */
async function goesOn(home: Home, { wire: before, key, answer, token }: Before, locks: boolean): Promise<void> {
  const grants = [{ name: "kept", token }];
  if (locks) {
    const wire = await home.silent({ headers: { "holdfast-purpose": "resuming" } });
    const welcome = await wire.hello({ secret: before.secret, mode: "resume", grants });
    assert.ok(
      welcome.grants.some((grant) => grant.token === token),
      "the lock is not held any more",
    );
    assert.deepEqual(await wire.call("db.execute", { ...insert, key }), answer);
  } else {
    const judge = await home.wire();
    const { outcomes } = await judge.call("session.settle", { secret: before.secret, keys: [key] });
    assert.deepEqual([outcomes[0]?.outcome, outcomes[0]?.result], ["applied", answer]);
  }
  const other = await home.wire();
  assert.deepEqual((await other.call("db.query", { sql: "select n from item" })).rows, [[7]]);
  const next = await other.call("lock.acquire", { name: "new", key: other.key() });
  assert.ok(next.token > token, `token ${next.token} after ${token}`);
  // Of what the newest version has come for.
  const own = { ...insert, key: "own", keepMs: 60_000 };
  assert.deepEqual(await other.call("db.execute", own), await other.call("db.execute", own));
  assert.deepEqual((await other.call("db.query", { sql: "select count(*) from item" })).rows, [[2]]);
}

test("a database whose tables are of an older version is taken over with its rows, answers, locks and tokens", async (t) => {
  for (let version = 1; version < tablesVersion; version++) {
    const home = new Home(t);
    const front = await home.start();
    const before = await lived(home);
    await front.stop();
    makeOlder(home, version);
    assert.equal(versionIn(home), version);
    const next = await home.start();
    await goesOn(home, before, true);
    await next.stop();
    assert.equal(versionIn(home), tablesVersion);
  }
});

// The tables are changed in the start write, which is one transaction.
test("a broker that ends while it brings the tables up to date leaves the old ones, and the next goes on", async (t) => {
  for (const power of [false, true]) {
    const home = new Home(t);
    const disk = FaultyDisk.make(home.dir);
    const env = disk.shadowingEnv;
    const front = await home.start({ env });
    const before = await lived(home);
    await front.stop();
    makeOlder(home, 1);
    copyFileSync(home.database, `${home.database}.shadow`);
    rmSync(`${home.database}-wal.shadow`, { force: true });
    await disk.stopAtSync("data.db-wal", () => {
      home.launch({ env });
    });
    await home.killAll();
    if (power) disk.losePower(home.database);
    assert.equal(versionIn(home), 1);
    const next = await home.start({ env });
    await goesOn(home, before, !power);
    await next.stop();
    assert.equal(versionIn(home), tablesVersion);
  }
});

/** Every file that a broker has something in. */
function contents(home: Home): ReadonlyMap<string, Buffer> {
  const files = ["data", "run"].flatMap((folder) =>
    readdirSync(join(home.dir, folder))
      .filter((name) => /^(?:data|ledger)\.db(?:-wal)?$/.test(name))
      .map((name) => join(home.dir, folder, name)),
  );
  return new Map(files.map((file) => [file, readFileSync(file)] as const).filter(([, { length }]) => length > 0));
}

async function refusedStart(front: Front): Promise<void> {
  await assert.rejects(front.ready(), /DATA_FOREIGN/);
  assert.deepEqual(await front.exited, { code: 78, signal: null });
  const words = `its tables have version ${tablesVersion + 1}, this program knows ${tablesVersion}`;
  assert.ok(front.output.includes(words), front.output);
}

test("a database whose tables are of a newer version is refused with DATA_FOREIGN, and nothing of it is touched", async (t) => {
  const home = new Home(t);
  const front = await home.start();
  const before = await lived(home);
  await front.stop();
  const set = (version: number) =>
    inDatabase(home, (database) => database.exec(`update _holdfast_meta set version = ${version}`));
  set(tablesVersion + 1);
  const untouched = contents(home);
  for (let start = 0; start < 2; start++) await refusedStart(home.launch());
  assert.deepEqual(contents(home), untouched);
  assert.ok(!existsSync(home.socket));
  set(tablesVersion);
  await home.start();
  await goesOn(home, before, true);
});
