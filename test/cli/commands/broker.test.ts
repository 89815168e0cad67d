/** Commands that look after the broker: serve, status, stop, ping, logs, version, and `holdfast` alone. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { identityOf } from "../../../src/cli/processes.js";
import { Holdfast } from "../holdfast.js";

test("status, stop, ping and locks start nothing, and say that nothing runs", async (t) => {
  const holdfast = new Holdfast(t);
  for (const [command, code] of [
    ["status", 69],
    ["stop", 69],
    ["ping", 69],
    ["locks", 0],
  ] as const)
    assert.equal((await holdfast.run([command])).code, code, command);
  assert.equal((await holdfast.run(["locks", "show", "demo"])).code, 1);
  assert.equal((await holdfast.run([])).code, 0);
  assert.equal(existsSync(join(holdfast.dir, "data")), false);
  assert.match((await holdfast.run(["status"])).out, /no broker is running/);
});

test("a broker that was started on demand is told of in full, and stopped until it is gone", async (t) => {
  const holdfast = new Holdfast(t);
  await holdfast.print("sql", "select 1");
  const pid = holdfast.brokerPid() ?? 0;
  const status = JSON.parse(await holdfast.print("status", "--json"));
  assert.equal(status.running, true);
  assert.equal(status.pid, pid);
  assert.equal(status.spawned, true);
  assert.equal(status.database.path, join(holdfast.dir, "data", "data.db"));
  assert.ok(status.processes.some((one: { role: string }) => one.role === "writer"));
  assert.match(await holdfast.print("status"), /started on demand[\s\S]*writer +\d+/);
  assert.match(await holdfast.print("ping"), /^\d+(\.\d+)? m?s\n$/);
  assert.match(await holdfast.print(), new RegExp(`runs: pid ${pid}`));
  assert.notEqual(await holdfast.print("logs"), "");
  const stopped = await holdfast.run(["stop"]);
  assert.equal(stopped.code, 0);
  assert.equal(identityOf(pid), undefined);
  assert.equal((await holdfast.run(["stop"])).code, 69);
});

test("a broker that runs but does not answer is not said to be gone", async (t) => {
  const holdfast = new Holdfast(t);
  await holdfast.print("sql", "select 1");
  const pid = holdfast.brokerPid() ?? 0;
  process.kill(pid, "SIGSTOP");
  try {
    const { code, out, err } = await holdfast.run(["status"]);
    assert.deepEqual([code, out], [69, ""]);
    assert.match(err, /a broker listens at .*broker\.sock, but does not answer/);
  } finally {
    process.kill(pid, "SIGCONT");
  }
});

test("serve runs in the foreground until it is told to end; a second one is refused with 75", async (t) => {
  const holdfast = new Holdfast(t);
  const server = holdfast.start(["serve", "--limit", "waitersMax=5"]);
  await server.until(/./);
  assert.equal(await holdfast.print("sql", "select 1"), "1\n");
  const status = JSON.parse(await holdfast.print("status", "--json"));
  assert.equal(status.pid, server.pid);
  assert.equal(status.limits.waitersMax, 5);
  const second = await holdfast.run(["serve"]);
  assert.equal(second.code, 75);
  server.child.kill("SIGTERM");
  assert.equal((await server.ended).code, 0);
});

test("a second broker of one database, at another socket, says where the first may be", async (t) => {
  const [first, second] = [new Holdfast(t), new Holdfast(t)];
  await first.print("sql", "create table t (a)");
  const { code, err } = await second.run(["serve", "--database", join(first.dir, "data", "data.db")]);
  assert.notEqual(code, 0);
  assert.match(err, /another writer is still there: .*\(pid \d+\).*another socket.*XDG_RUNTIME_DIR/s);
});

test("serve with a limit that does not exist ends with 78 and names it", async (t) => {
  const holdfast = new Holdfast(t);
  for (const limit of ["nonsense=5", "waitersMax=-1", "waitersMax"]) {
    const { code, err } = await holdfast.run(["serve", "--limit", limit]);
    assert.equal(code, 78, limit);
    assert.ok(err.includes(limit.split("=")[0] ?? ""), err);
  }
});

test("version tells what is installed", async (t) => {
  const holdfast = new Holdfast(t);
  const versions = JSON.parse(await holdfast.print("version", "--json"));
  assert.equal(versions.node, process.versions.node);
  assert.equal(`${versions.holdfast}\n`, await holdfast.print("--version"));
  assert.equal(versions.protocol, 1);
});
