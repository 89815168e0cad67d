/** A program that opens the database file past the broker: what it locks is told by name, and nothing is lost over it. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test } from "node:test";
import { Home } from "../support/broker.js";
import { Canary } from "../support/canary.js";
import { until } from "../support/patience.js";
import { gone, kill, known } from "../support/processes.js";

const program = `
  const Database = (await import("better-sqlite3")).default;
  const database = new Database(process.argv[1]);
  database.exec("begin immediate; insert into item values (0)");
  process.stdout.write("locked");
  setInterval(() => undefined, 1000);
`;

// rule 26: the file is locked by a stranger
test("a write while another program has the file locked is refused with SQLITE_BUSY and that program's pid; reads and locks go on", async (t) => {
  const home = new Home(t);
  await home.start();
  const wire = await home.wire();
  await wire.call("db.execute", { sql: "create table item (n integer)", key: wire.key() });
  const root = new URL("../../../", import.meta.url);
  const intruder = spawn(process.execPath, ["--input-type=module", "-e", program, home.database], {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const stranger = known(intruder.pid ?? 0);
  t.after(() => kill(stranger, "SIGKILL"));
  let said = "";
  intruder.stdout.on("data", (text) => {
    said += String(text);
  });
  await until("the intruder to have its lock", () => said === "locked");
  const key = wire.key();
  const { data } = await wire.refusal("db.execute", { sql: "insert into item values (1)", key });
  assert.deepEqual(
    [data.code, data.retryable, data.outcome, data.details["pid"]],
    ["SQLITE_BUSY", true, "none", stranger.pid],
  );
  assert.deepEqual((await wire.call("db.query", { sql: "select * from item" })).rows, []);
  const { token } = await wire.call("lock.acquire", { name: "meanwhile", key: wire.key() });
  await wire.call("lock.release", { name: "meanwhile", token, key: wire.key() });
  kill(stranger, "SIGKILL");
  await gone("the intruder", stranger);
  await wire.call("db.execute", { sql: "insert into item values (1)", key });
  assert.deepEqual((await wire.call("db.query", { sql: "select * from item" })).rows, [[1]]);
  const canary = await Canary.start(home);
  await canary.goesOn();
});
