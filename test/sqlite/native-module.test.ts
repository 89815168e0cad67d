/** Whether the installed better-sqlite3 fits is found out without loading it: loading the wrong one may end the process. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  checkModule,
  findModule,
  type InstalledModule,
  requireFromHere,
  satisfies,
} from "../../src/sqlite/native-module.js";
import { tempDir } from "../support/temp-dir.js";

const module12: InstalledModule = {
  folder: "/x",
  version: "12.11.1",
  nodeRange: "20.x || 22.x || 23.x",
  hasBinary: true,
};

test("a range of Node versions is read as npm reads it, as far as packages use it", () => {
  const cases: readonly [string, string, boolean][] = [
    ["20.20.2", "20.x || 22.x", true],
    ["21.1.0", "20.x || 22.x", false],
    ["22.0.0", ">=22", true],
    ["20.20.2", ">=22", false],
    ["20.19.0", "^20.19.0 || >=22.12", true],
    ["20.18.9", "^20.19.0 || >=22.12", false],
    ["22.11.0", "^20.19.0 || >=22.12", false],
    ["24.0.0", ">=20 <24", false],
    ["23.9.0", ">= 20 < 24", true],
    ["20.5.0", "~20.5", true],
    ["20.6.0", "~20.5", false],
    ["20.0.0", "20", true],
    ["20.0.0", "*", true],
  ];
  for (const [version, range, expected] of cases)
    assert.equal(satisfies(version, range), expected, `${version} in ${range}`);
});

test("the module that is installed here fits this Node", () => {
  checkModule(findModule(requireFromHere()), process.versions.node);
});

test("a module for newer versions of Node is refused with the command that helps", () => {
  const module13 = { ...module12, version: "13.2.0", nodeRange: ">=22" };
  assert.throws(() => checkModule(module13, "20.20.2"), {
    code: "NATIVE_MODULE",
    message: "better-sqlite3 13.2.0 needs Node >=22, this is Node 20.20.2; run: npm install better-sqlite3@12",
  });
});

test("a module that was compiled with headers under which it ends the process is refused with the command that helps", (t) => {
  const folder = tempDir(t);
  mkdirSync(join(folder, "build", "Release"), { recursive: true });
  const binary = join(folder, "build", "Release", "better_sqlite3.node");
  const module = { ...module12, folder, nodeRange: ">=20" };
  writeFileSync(binary, Buffer.from("\u007fELF\0_ZN4node28RemoveEnvironmentCleanupHookEPN2v87IsolateE\0"));
  assert.throws(() => checkModule(module, "24.21.0"), {
    code: "NATIVE_MODULE",
    message: /ends the process at random; run: npm install better-sqlite3@13$/,
  });
  // The next one says itself when it is done with something; one that was compiled before does not know the call.
  checkModule({ ...module, version: "13.2.0" }, "24.21.0");
  writeFileSync(binary, Buffer.from("\u007fELF\0_ZN4node25AddEnvironmentCleanupHookEPN2v87IsolateE\0"));
  checkModule(module, "24.21.0");
});

test("a module that was never compiled is refused with the command that helps", () => {
  assert.throws(() => checkModule({ ...module12, hasBinary: false }, "20.20.2"), {
    code: "NATIVE_MODULE",
    message: /npm rebuild better-sqlite3/,
  });
});

test("a module that is not there is refused with the command that helps", () => {
  const require = Object.assign(() => undefined, {
    resolve: () => assert.fail("nothing is loaded"),
  }) as unknown as NodeJS.Require;
  assert.throws(() => findModule(require), { code: "NATIVE_MODULE", message: /npm install better-sqlite3@12/ });
});
