import assert from "node:assert/strict";
import { chmodSync, existsSync, lstatSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { prepareDirectories } from "../../src/daemon/directories.js";
import { placesFor } from "../../src/places/index.js";
import { tempDir } from "../support/temp-dir.js";

const uid = process.getuid?.() ?? 0;
const wishes = { uid, logs: true };

function places(t: TestContext, database?: string) {
  const dir = join(tempDir(t), "root");
  return placesFor({ env: {}, platform: "linux", uid, home: () => "/nowhere", dir, database });
}

test("what is missing is made, for this user alone", (t) => {
  const here = places(t);
  const prepared = prepareDirectories(here, wishes);
  assert.deepEqual(prepared, here);
  for (const directory of [here.runDir, here.dataDir, here.logDir])
    assert.equal(lstatSync(directory).mode & 0o777, 0o700);
  assert.equal(existsSync(here.configDir), false);
});

test("without a log file there is no directory for it, and with a database elsewhere none for data", (t) => {
  const database = join(tempDir(t), "app.db");
  const here = places(t, database);
  assert.equal(prepareDirectories(here, { uid, logs: false }).database, database);
  assert.deepEqual([existsSync(here.logDir), existsSync(here.dataDir), existsSync(database)], [false, false, false]);
});

test("a database that is reached through links has one true path, and so has its writer's lock", (t) => {
  const real = tempDir(t);
  const links = tempDir(t);
  symlinkSync(real, join(links, "directory"));
  writeFileSync(join(real, "there.db"), "");
  symlinkSync(join(real, "there.db"), join(links, "file.db"));
  // To what is not there yet, by one link and by two; a relative one is meant from where it truly lies.
  symlinkSync(join(real, "new.db"), join(links, "early.db"));
  mkdirSync(join(real, "below"));
  symlinkSync("../new.db", join(real, "below", "second.db"));
  symlinkSync(join(real, "below"), join(links, "below"));
  symlinkSync("directory/below/second.db", join(links, "first.db"));
  for (const [path, expected] of [
    [join(links, "directory", "new.db"), join(real, "new.db")],
    [join(links, "directory", "there.db"), join(real, "there.db")],
    [join(links, "file.db"), join(real, "there.db")],
    [join(links, "early.db"), join(real, "new.db")],
    [join(links, "below", "second.db"), join(real, "new.db")],
    [join(links, "first.db"), join(real, "new.db")],
  ] as const) {
    const prepared = prepareDirectories(places(t, path), wishes);
    assert.equal(prepared.database, expected);
    assert.equal(prepared.writerLock, `${expected}.writer.lock`);
  }
});

test("a database in a directory that is not there, or that is none, is a wrong setting", (t) => {
  const path = tempDir(t);
  mkdirSync(join(path, "dir.db"));
  writeFileSync(join(path, "file"), "");
  symlinkSync("no/such.db", join(path, "lost.db"));
  symlinkSync("dir.db", join(path, "linked.db"));
  for (const wrong of ["no/such.db", "dir.db", "file/below.db", "lost.db", "linked.db"])
    assert.throws(() => prepareDirectories(places(t, join(path, wrong)), wishes), { code: "CONFIGURATION" }, wrong);
});

test("a directory that others can enter is refused with what helps", (t) => {
  const here = places(t);
  prepareDirectories(here, wishes);
  chmodSync(here.dataDir, 0o755);
  assert.throws(() => prepareDirectories(here, wishes), { code: "PERMISSION", message: /chmod 700 .*data/ });
});

test("neither the database nor what decides who serves may lie on a network file system", (t) => {
  const here = places(t);
  const elsewhere = join(tempDir(t), "app.db");
  const on = (point: string) => `1 0 0:1 / ${realpathSync(point)} rw - nfs server:/x rw`;
  const mounts = on(dirname(here.root ?? ""));
  assert.throws(() => prepareDirectories(here, { ...wishes, mounts }), { code: "CONFIGURATION", message: /\(nfs\)/ });
  assert.deepEqual(prepareDirectories(here, { ...wishes, mounts, allowed: ["nfs"] }), here);
  const apart = { ...here, database: elsewhere };
  assert.throws(() => prepareDirectories(apart, { ...wishes, mounts }), { code: "CONFIGURATION" });
  assert.throws(() => prepareDirectories(apart, { ...wishes, mounts: on(dirname(elsewhere)) }), {
    code: "CONFIGURATION",
    details: { path: `${realpathSync(dirname(elsewhere))}/app.db`, filesystem: "nfs" },
  });
});
