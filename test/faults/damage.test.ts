/** A file that is not what it should be, and what must never come to light: of a database, and of the log. */
import assert from "node:assert/strict";
import { closeSync, openSync, readdirSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Home } from "../support/broker.js";
import { within } from "../support/patience.js";

test("a database that is none is not served and not touched, and the broker says what it is", async (t) => {
  const home = new Home(t);
  await (await home.start()).stop();
  const noise = Buffer.alloc(64 * 1024, "this is no database. ");
  writeFileSync(home.database, noise);
  const front = home.launch();
  const { code } = await within("the end of the broker", front.exited);
  assert.ok(code !== 0 && code !== null, `it ended with ${code}`);
  assert.match(front.output, /not a database/);
  assert.deepEqual(readFileSync(home.database), noise);
});

test("a page that was damaged is told with SQLITE_CORRUPT, and not answered from", async (t) => {
  const home = new Home(t);
  const first = await home.start();
  const wire = await home.wire();
  const script = "create table thing (a); create table other (a); insert into other values (1)";
  await wire.call("db.script", { sql: script, key: wire.key() });
  const text = "x".repeat(500);
  const statements = Array.from({ length: 200 }, () => ({ sql: "insert into thing values (?)", args: [text] }));
  await wire.call("db.batch", { statements, key: wire.key() });
  await first.stop();
  // The pages of the table's rows: their heads are overwritten.
  const file = openSync(home.database, "r+");
  const bytes = readFileSync(home.database);
  for (let page = 4096; page < bytes.length; page += 4096)
    if (bytes.subarray(page, page + 4096).includes(text)) writeSync(file, Buffer.alloc(64, 0xee), 0, 64, page);
  closeSync(file);
  await home.start();
  const again = await home.wire();
  const { data } = await again.refusal("db.query", { sql: "select sum(length(a)) from thing" });
  assert.deepEqual([data.code, data.outcome], ["SQLITE_CORRUPT", "none"]);
  assert.deepEqual((await again.call("db.query", { sql: "select a from other" })).rows, [[1]]);
});

test("neither the values nor the texts of statements reach the log, whatever becomes of them", async (t) => {
  const home = new Home(t);
  const front = await home.start({ limits: { readMs: 1000, writeContendedMs: 1000, writeMs: 1000 } });
  const wire = await home.wire();
  const secret = "xyzzy-plugh";
  const endless = "with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c";
  await wire.call("db.execute", { sql: "create table thing (a unique)", key: wire.key() });
  for (const [method, sql, args] of [
    ["db.execute", "insert into thing values (?)", [secret]],
    ["db.execute", "insert into thing values (?)", [secret]],
    ["db.execute", `insert into thing values ('${secret}')`, []],
    ["db.query", `select '${secret}' from nothing`, []],
    ["db.query", `selekt '${secret}'`, []],
    ["db.query", `select '${secret}', (${endless})`, []],
    ["db.execute", `update thing set a = ? || (${endless})`, [secret]],
    ["db.query", "select ?", [secret, secret]],
    ["db.query", `vacuum into '${secret}'`, []],
  ] as const)
    await wire.post(method, { sql, args, ...(method === "db.execute" ? { key: wire.key() } : {}) });
  await front.stop();
  const files = readdirSync(home.dir, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && !entry.name.startsWith("data.db"),
  );
  const told = [front.output, ...files.map((entry) => readFileSync(join(entry.parentPath, entry.name), "latin1"))];
  assert.ok(front.output.length > 0);
  assert.deepEqual(
    told.filter((text) => text.includes(secret)),
    [],
  );
});
