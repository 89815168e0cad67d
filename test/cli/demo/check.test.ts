import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { compareWithTree, differenceLines, isExact } from "../../../src/cli/demo/check.js";
import { hashFile, type IndexedFile, listDirectories, listFiles } from "../../../src/cli/demo/tree.js";
import { tempDir } from "../../support/temp-dir.js";

function plant(directory: string): string {
  mkdirSync(join(directory, "a", "b"), { recursive: true });
  writeFileSync(join(directory, "top.txt"), "top");
  writeFileSync(join(directory, "a", "empty"), "");
  writeFileSync(join(directory, "a", "b", "large"), Buffer.alloc(5 * 1024 * 1024, 1));
  symlinkSync("top.txt", join(directory, "link"));
  symlinkSync("..", join(directory, "a", "up"));
  return directory;
}

async function index(tree: string): Promise<IndexedFile[]> {
  const rows: IndexedFile[] = [];
  for (const directory of listDirectories(tree))
    for (const path of listFiles(tree, directory)) {
      const file = await hashFile(tree, path);
      if (file !== undefined) rows.push(file);
    }
  return rows;
}

test("a tree is its plain files; links are not followed", async (t) => {
  const tree = plant(tempDir(t));
  assert.deepEqual(listDirectories(tree), [".", "a", "a/b"]);
  const rows = await index(tree);
  assert.deepEqual(
    rows.map(({ path, bytes }) => [path, bytes]),
    [
      ["top.txt", 3],
      ["a/empty", 0],
      ["a/b/large", 5 * 1024 * 1024],
    ],
  );
  assert.equal(rows[1]?.sha256, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
});

test("a table that has every file once, with its size and hash, is exact", async (t) => {
  const tree = plant(tempDir(t));
  assert.equal(isExact(await compareWithTree(tree, await index(tree))), true);
});

test("a missing, a surplus and a changed row are each found and named", async (t) => {
  const tree = plant(tempDir(t));
  const [first, second, ...others] = await index(tree);
  assert.ok(first !== undefined && second !== undefined);
  const rows = [{ ...first, sha256: "0".repeat(64) }, ...others, { ...second, path: "ghost" }];
  const difference = await compareWithTree(tree, rows);
  assert.equal(isExact(difference), false);
  assert.deepEqual([difference.missing, difference.surplus, difference.changed], [["a/empty"], ["ghost"], ["top.txt"]]);
  assert.deepEqual(differenceLines(difference), [
    "3 files in the tree, 3 rows in the table",
    "1 not in the table: a/empty",
    "1 not in the tree: ghost",
    "1 with another size or hash: top.txt",
  ]);
});
