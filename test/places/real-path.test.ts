import assert from "node:assert/strict";
import { mkdirSync, realpathSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { realPath } from "../../src/places/index.js";
import { tempDir } from "../support/temp-dir.js";

test("links are followed as far as the path is there, and what is to be made keeps its name", (t) => {
  const dir = realpathSync(tempDir(t));
  mkdirSync(join(dir, "real"));
  symlinkSync(join(dir, "real"), join(dir, "link"));
  const of = (path: string) => realPath(path, realpathSync);
  assert.equal(of(join(dir, "link")), join(dir, "real"));
  assert.equal(of(join(dir, "link", "data", "data.db")), join(dir, "real", "data", "data.db"));
  assert.equal(of("/"), "/");
});

test("of a path of which nothing can be looked at, all is kept", () => {
  const shut = () => {
    throw new Error("EACCES");
  };
  assert.equal(realPath("/a/b", shut), "/a/b");
});
