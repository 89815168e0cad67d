/** A file that may only be read is taken over all the same. By another user, where this one may do everything. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { loadSqlite } from "../../../src/sqlite/index.js";
import { tempDir } from "../../support/temp-dir.js";

const script = `
  import { loadSqlite } from ${JSON.stringify(new URL("../../../src/sqlite/index.js", import.meta.url))};
  import { copyClaimed, explained } from ${JSON.stringify(new URL("../../../src/store/keeper/files.js", import.meta.url))};
  const [from, draft] = process.argv.slice(1);
  loadSqlite();
  if (process.getuid() === 0) process.setuid(65534);
  const check = (source) => source.prepare("select a from t").pluck().all();
  const told = await copyClaimed(from, draft, { quick: false, check }).catch((error) => {
    const { code, message } = explained(error, from);
    return { code, message };
  });
  process.stdout.write(JSON.stringify(told));
`;

/** A database that nobody may write to, with its directory open to all or to nobody; what became of copying it. */
function copied(
  t: TestContext,
  { journal, open = false, dirMode = 0o777 }: { journal: string; open?: boolean; dirMode?: number },
) {
  const dir = tempDir(t);
  chmodSync(dir, 0o755);
  const [here, there] = [join(dir, "here"), join(dir, "there")];
  for (const one of [here, there]) mkdirSync(one);
  chmodSync(there, 0o777);
  const from = join(here, "app.db");
  const database = new (loadSqlite())(from);
  database.pragma(`journal_mode = ${journal}`);
  database.exec("create table t (a); insert into t values (1)");
  if (!open) database.close();
  chmodSync(from, 0o444);
  chmodSync(here, dirMode);
  const draft = join(there, "draft");
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script, from, draft], {
    encoding: "utf8",
  });
  chmodSync(here, 0o755);
  database.close();
  assert.notEqual(stdout, "", stderr);
  return { told: JSON.parse(stdout) as unknown, draft };
}

for (const journal of ["delete", "wal"])
  test(`a database that may only be read, with the journal ${journal}, is copied`, (t) => {
    const { told, draft } = copied(t, { journal });
    assert.deepEqual(told, [1]);
    const copy = new (loadSqlite())(draft, { readonly: true });
    assert.deepEqual(copy.prepare("select a from t").pluck().all(), [1]);
    copy.close();
  });

test("one that somebody has open is in use, though only its reader cannot write to it", (t) => {
  const { told } = copied(t, { journal: "wal", open: true });
  const { code, message } = told as { code: string; message: string };
  assert.equal(code, "SQLITE_BUSY");
  assert.match(message, new RegExp(`is in use by \\S+ \\(pid ${process.pid}\\): end it first`));
});

test("one with a log, in a directory that may only be read as well, is refused with the reason", (t) => {
  const { told } = copied(t, { journal: "wal", dirMode: 0o555 });
  const { code, message } = told as { code: string; message: string };
  assert.equal(code, "PERMISSION");
  assert.match(message, /app\.db or its copy cannot be opened/);
});
