/** What is done in a run of its own, where it can be looked at without one. */
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { untilSignalled } from "../../src/daemon/errands.js";
import { openDatabase } from "../../src/sqlite/index.js";
import { backupDatabase } from "../../src/store/index.js";
import { tempDir } from "../support/temp-dir.js";

test("a backup that gets a signal ends with its next step, and leaves nothing behind", async (t) => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    const dir = tempDir(t);
    const database = join(dir, "data.db");
    const connection = openDatabase({ path: database, role: "writer", durability: "off", busyMs: 0 });
    connection.exec("create table t (a)");
    for (let row = 0; row < 20; row++) connection.exec("insert into t values (randomblob(1000000))");
    connection.close();
    const signals = new EventEmitter();
    let steps = 0;
    const progress = untilSignalled(() => {
      if (++steps === 2) signals.emit(signal);
    }, signals);
    await assert.rejects(
      backupDatabase({ database, to: join(dir, "copy.db"), force: false, walBytesHardMax: 2 ** 30, progress }),
      { code: "CANCELLED" },
    );
    assert.equal(steps, 2);
    assert.deepEqual(
      readdirSync(dir).filter((name) => name.startsWith("copy")),
      [],
    );
  }
});
