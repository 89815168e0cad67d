import assert from "node:assert/strict";
import { mkdirSync, realpathSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { otherDatabase } from "../../src/front/other-database.js";
import { tempDir } from "../support/temp-dir.js";

const places = { database: "/srv/app.db", dataDir: "/home/ada/data" };

test("who says nothing of what he expects is not asked", () => {
  assert.equal(otherDatabase(undefined, places), undefined);
  assert.equal(otherDatabase({}, places), undefined);
});

test("what is said must be so, each of the two", () => {
  const { database, dataDir } = places;
  assert.equal(otherDatabase({ dataDir }, places), undefined);
  assert.equal(otherDatabase({ database }, places), undefined);
  assert.equal(otherDatabase({ database, dataDir }, places), undefined);
  const others = [{ dataDir: "/home/eve/data" }, { database: "/srv/b.db" }, { database, dataDir: "/home/eve/data" }];
  for (const expects of others) {
    const refusal = otherDatabase(expects, places);
    assert.equal(refusal?.refused, "OTHER_DATABASE");
    assert.deepEqual(refusal.details, places);
  }
});

test("the broker's own path may lead over a link that the program has followed", (t) => {
  const dir = realpathSync(tempDir(t));
  mkdirSync(join(dir, "real"));
  symlinkSync(join(dir, "real"), join(dir, "link"));
  const linked = { database: join(dir, "link", "data.db"), dataDir: join(dir, "link") };
  assert.equal(otherDatabase({ dataDir: join(dir, "real") }, linked), undefined);
  assert.equal(otherDatabase({ database: join(dir, "real", "data.db") }, linked), undefined);
});
