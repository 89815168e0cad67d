import assert from "node:assert/strict";
import { chmodSync, chownSync, lstatSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { checkPrivateDirectory, makePrivateDirectory, openParent } from "../../src/transport/index.js";
import { tempDir } from "../support/temp-dir.js";
import { uid } from "./open-transport.js";

test("missing directories are made for their owner alone, whatever the umask", (t) => {
  for (const umask of [0o000, 0o022, 0o777]) {
    const path = join(tempDir(t), "a", "b");
    const before = process.umask(umask);
    try {
      assert.deepEqual(makePrivateDirectory(path, uid), [join(path, ".."), path]);
    } finally {
      process.umask(before);
    }
    for (const made of [path, join(path, "..")]) assert.equal(lstatSync(made).mode & 0o777, 0o700);
    assert.deepEqual(makePrivateDirectory(path, uid), []);
  }
});

test("a directory that others can enter is refused, with the command that closes it", (t) => {
  const path = tempDir(t);
  for (const mode of [0o755, 0o710, 0o701, 0o777]) {
    chmodSync(path, mode);
    assert.throws(() => makePrivateDirectory(path, uid), { code: "PERMISSION", message: /chmod 700 \// });
  }
});

test("a directory of all users is not closed to them: another one is wanted", (t) => {
  const path = tempDir(t);
  chmodSync(path, 0o1777);
  assert.throws(() => checkPrivateDirectory(path, uid), {
    code: "PERMISSION",
    message: /choose a directory of your own/,
  });
});

test("a symbolic link in the directory's place is refused, also one to a private directory", (t) => {
  const real = tempDir(t);
  const link = join(tempDir(t), "link");
  symlinkSync(real, link);
  assert.throws(() => checkPrivateDirectory(link, uid), { code: "PERMISSION", message: /symbolic link/ });
});

test("a directory of somebody else is refused", (t) => {
  const path = tempDir(t);
  assert.throws(() => checkPrivateDirectory(path, uid + 1), { code: "PERMISSION", message: /belongs to user/ });
  if (uid !== 0) return;
  chownSync(path, 1234, 1234);
  assert.throws(() => checkPrivateDirectory(path, uid), {
    code: "PERMISSION",
    message: /belongs to user 1234.*chown 0/,
  });
});

test("a file in the directory's place, or in place of its parent, is refused and left alone", (t) => {
  const path = join(tempDir(t), "it's");
  writeFileSync(path, "precious");
  assert.throws(() => makePrivateDirectory(path, uid), {
    code: "PERMISSION",
    message: /is not a directory.*'.*it'\\''s'/,
  });
  assert.throws(() => makePrivateDirectory(join(path, "below"), uid), { code: "PERMISSION" });
  assert.ok(lstatSync(path).isFile());
});

test("a parent in which everybody may rename is named, a sticky one is not", (t) => {
  const path = tempDir(t);
  const open = join(path, "open");
  mkdirSync(join(open, "own"), { recursive: true });
  assert.equal(openParent(join(open, "own")), undefined);
  chmodSync(open, 0o777);
  assert.equal(openParent(join(open, "own")), open);
  chmodSync(open, 0o1777);
  assert.equal(openParent(join(open, "own")), undefined);
});
