import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, lstatSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type BrokerInfo, SingleInstance } from "../../src/daemon/single-instance.js";
import { tempDir } from "../support/temp-dir.js";

function places(t: TestContext) {
  const runDir = tempDir(t);
  return { runDir, brokerLock: join(runDir, "broker.lock"), info: join(runDir, "broker.json") };
}

const info: BrokerInfo = {
  pid: 4711,
  startTime: "1",
  version: "1.0.0",
  socket: "/s",
  database: "/d",
  databaseFile: "1:2",
  startedAt: "2026-01-01T00:00:00.000Z",
  bootId: "b",
  spawned: false,
};

test("a second broker on a directory is told who runs there, and the first goes on", (t) => {
  const here = places(t);
  const first = SingleInstance.take(here);
  first.announce(info);
  assert.equal(lstatSync(here.info).mode & 0o777, 0o600);
  assert.throws(() => SingleInstance.take(here), { code: "ALREADY_RUNNING", message: /pid 4711, version 1\.0\.0/ });
  assert.throws(() => SingleInstance.take(here), { code: "ALREADY_RUNNING" });
  assert.deepEqual(JSON.parse(readFileSync(here.info, "utf8")), info);
  first.release();
  assert.equal(existsSync(here.info), false);
  SingleInstance.take(here).release();
});

test("a broker that does not get the place leaves what tells of the other one", (t) => {
  const here = places(t);
  writeFileSync(here.info, "{ half a fi");
  const first = SingleInstance.take(here);
  assert.throws(() => SingleInstance.take(here), { code: "ALREADY_RUNNING", message: /^a broker already runs on/ });
  first.release();
  assert.equal(existsSync(here.info), true);
});

test("the place of a killed broker is free at once, whatever its files say", async (t) => {
  const here = places(t);
  const room = new URL("../../src/daemon/single-instance.js", import.meta.url).href;
  const program = `
    import { SingleInstance } from ${JSON.stringify(room)};
    const instance = SingleInstance.take(${JSON.stringify(here)});
    instance.announce({ pid: process.pid });
    process.stdout.write("held");
    // What nobody refers to is collected, and gives the lock back.
    setInterval(() => instance, 1e6);`;
  const holder = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => holder.kill("SIGKILL"));
  await once(holder.stdout, "data");
  assert.throws(() => SingleInstance.take(here), {
    code: "ALREADY_RUNNING",
    details: { runDir: here.runDir, pid: holder.pid },
  });
  holder.kill("SIGKILL");
  await once(holder, "exit");
  SingleInstance.take(here).release();
});

test("a lock file that is something else is an error that names it", (t) => {
  const here = places(t);
  writeFileSync(here.brokerLock, "this is no SQLite file at all".repeat(100));
  assert.throws(() => SingleInstance.take(here), { code: "PERMISSION", message: /broker\.lock/ });
});

test("who waits for a broker's end has its place, unless another broker has it", async (t) => {
  const here = places(t);
  const first = SingleInstance.take(here);
  first.announce(info);
  const next = SingleInstance.takeAfter(info.pid, here);
  await assert.rejects(SingleInstance.takeAfter(info.pid + 1, here), { code: "ALREADY_RUNNING", message: /pid 4711/ });
  first.release();
  (await next).release();
});
