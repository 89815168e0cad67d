import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, openSync, readdirSync, readFileSync, readSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { BoundSecrets } from "../../../src/cli/bound-secret.js";
import { GoBetween } from "../../support/go-between.js";
import { cli, Holdfast, until } from "../holdfast.js";

function sleeper(t: TestContext): ChildProcess & { readonly pid: number } {
  const child = spawn("sleep", ["600"], { stdio: "ignore" });
  t.after(() => child.kill("SIGKILL"));
  assert.ok(child.pid !== undefined);
  return child as ChildProcess & { readonly pid: number };
}

/** To a broker that is started for it. */
async function lineTo(t: TestContext, holdfast: Holdfast): Promise<GoBetween> {
  await holdfast.print("sql", "select 1");
  const socket = join(holdfast.dir, "run", "broker.sock");
  return GoBetween.open({ dir: holdfast.dir, socket, beforeLeaving: (act) => t.after(act) });
}

const secretsIn = (holdfast: Holdfast) => readdirSync(join(holdfast.dir, "run", "bound"));

test("a lock is held for a process beyond the call, and given back by name", async (t) => {
  const holdfast = new Holdfast(t);
  const { pid } = sleeper(t);
  const token = Number(await holdfast.print("acquire", "demo", "--for", String(pid), "--reason", "by hand"));
  assert.ok(token > 0);
  assert.match(
    await holdfast.print("locks", "show", "demo"),
    new RegExp(`held by sleep \\(pid ${pid}, .*"by hand"\\).*token ${token}`),
  );
  await holdfast.print("sql", "create table t(a)");
  await holdfast.print("sql", "--fence", `demo:${token}`, "insert into t values (1)");

  const other = sleeper(t);
  const refused = await holdfast.run(["acquire", "demo", "-n", "--for", String(other.pid)]);
  assert.deepEqual([refused.code, refused.out], [75, ""]);
  assert.match(refused.err, new RegExp(`held by sleep \\(pid ${pid}`));
  const again = await holdfast.run(["acquire", "demo", "--for", String(pid)]);
  assert.equal(again.code, 75);
  assert.match(again.err, new RegExp(`has "demo" already, with token ${token}`));

  assert.equal((await holdfast.run(["release", "demo"])).code, 0);
  assert.equal((await holdfast.run(["locks", "show", "demo"])).code, 1);
  assert.deepEqual(secretsIn(holdfast), []);
  assert.equal((await holdfast.run(["sql", "--fence", `demo:${token}`, "insert into t values (2)"])).code, 1);
  const twice = await holdfast.run(["release", "demo"]);
  assert.equal(twice.code, 1);
  assert.match(twice.err, /"demo" is not held/);
});

test("the lock ends with the process that has it, and the next in line gets it", async (t) => {
  const holdfast = new Holdfast(t);
  const first = sleeper(t);
  const second = sleeper(t);
  const before = Number(await holdfast.print("acquire", "demo", "--for", String(first.pid)));
  const waiting = holdfast.start(["acquire", "demo", "--for", String(second.pid)]);
  await waiting.until(/waiting for "demo": held by sleep/);
  first.kill("SIGKILL");
  const { code, out } = await waiting.ended;
  assert.equal(code, 0);
  assert.ok(Number(out) > before);
  assert.equal((await holdfast.run(["release", "demo"])).code, 0);
  assert.deepEqual(secretsIn(holdfast), []);
});

test("a lock that survives its broker can be given back to the next one", async (t) => {
  const holdfast = new Holdfast(t);
  const { pid } = sleeper(t);
  await holdfast.print("acquire", "demo", "--for", String(pid));
  process.kill(holdfast.brokerPid() ?? 0, "SIGKILL");
  assert.equal((await holdfast.run(["release", "demo", "--for", String(pid)])).code, 0);
  assert.equal((await holdfast.run(["locks", "show", "demo"])).code, 1);
});

test("an acquire that is interrupted leaves neither place nor secret", async (t) => {
  const holdfast = new Holdfast(t);
  const holder = holdfast.start(["lock", "demo", "--", "sh", "-c", "echo held; exec sleep 600"]);
  await holder.until(/held/);
  const waiting = holdfast.start(["acquire", "demo", "--for", String(sleeper(t).pid)]);
  await waiting.until(/waiting for "demo"/);
  waiting.child.kill("SIGINT");
  assert.equal((await waiting.ended).code, 130);
  assert.deepEqual(secretsIn(holdfast), []);
  const refused = await holdfast.run(["release", "demo"]);
  assert.equal(refused.code, 1);
  assert.match(refused.err, /is held by sh \(pid \d+.*did not get it by `holdfast acquire`/);
});

test("an acquire that is interrupted while the broker stands still ends, and nothing is granted to its process then", async (t) => {
  const holdfast = new Holdfast(t);
  const holder = holdfast.start(["lock", "demo", "--", "sh", "-c", "echo pid $$; exec sleep 600"]);
  const [, commandPid] = await holder.until(/pid (\d+)/);
  const { pid } = sleeper(t);
  const waiting = holdfast.start(["acquire", "demo", "--for", String(pid)]);
  await waiting.until(/waiting for "demo"/);
  await holdfast.whileStopped(async () => {
    process.kill(Number(commandPid), "SIGTERM");
    waiting.child.kill("SIGINT");
    await until(() => waiting.child.exitCode !== null, "the end of what was interrupted");
  });
  assert.deepEqual([(await waiting.ended).code, waiting.out], [130, ""]);
  await holder.ended;
  assert.equal((await holdfast.run(["acquire", "demo", "--for", String(sleeper(t).pid)])).code, 0);
  // The broker might have been killed before it heard of the end: only with the secret could the lock be given back then.
  assert.equal(secretsIn(holdfast).length, 2);
  const late = await holdfast.run(["release", "demo", "--for", String(pid)]);
  assert.deepEqual([late.code, late.err], [1, `holdfast: process ${pid} has not got "demo"\n`]);
  assert.equal((await holdfast.run(["release", "demo"])).code, 0);
  assert.deepEqual(secretsIn(holdfast), []);
});

test("what an acquire that was killed in the middle has left held can be given back", async (t) => {
  const holdfast = new Holdfast(t);
  const { pid } = sleeper(t);
  await holdfast.print("acquire", "demo", "--for", String(pid));
  const gone = spawn("true", { stdio: "ignore" });
  await once(gone, "exit");
  // As it lies there between the grant and the note of it.
  const [file = ""] = secretsIn(holdfast);
  const path = join(holdfast.dir, "run", "bound", file);
  const { token: _, ...secret } = JSON.parse(readFileSync(path, "utf8"));
  writeFileSync(path, JSON.stringify({ ...secret, maker: gone.pid }));
  const { code, err } = await holdfast.run(["release", "demo"]);
  assert.deepEqual([code, err], [0, ""]);
  assert.equal((await holdfast.run(["locks", "show", "demo"])).code, 1);
  assert.deepEqual(secretsIn(holdfast), []);
});

test("what was waited for beyond the end of its session can be given back", async (t) => {
  const holdfast = new Holdfast(t);
  const line = await lineTo(t, holdfast);
  await holdfast.print("backup", join(holdfast.dir, "copy.db"));
  const holder = sleeper(t);
  const { pid } = sleeper(t);
  await holdfast.print("acquire", "demo", "--for", String(holder.pid));
  const env = { HOLDFAST_SOCKET: line.path };
  const waiting = holdfast.start(["--no-start", "acquire", "demo", "--for", String(pid)], { env });
  await waiting.until(/waiting for "demo"/);
  await line.cut();
  assert.equal((await holdfast.run(["release", "demo"])).code, 0);
  // No session of before means anything to the broker that comes then.
  await holdfast.print("restore", "--stop", join(holdfast.dir, "copy.db"));
  await holdfast.print("sql", "select 1");
  await line.repair();
  assert.equal((await waiting.ended).code, 0);
  const { code, err } = await holdfast.run(["release", "demo", "--for", String(pid)], { env });
  assert.deepEqual([code, err], [0, ""]);
  assert.equal((await holdfast.run(["locks", "show", "demo"])).code, 1);
});

test("a lock is given back also when the goodbye is lost with its connection", async (t) => {
  const holdfast = new Holdfast(t);
  const line = await lineTo(t, holdfast);
  const { pid } = sleeper(t);
  const env = { HOLDFAST_SOCKET: line.path };
  await holdfast.run(["acquire", "demo", "--for", String(pid)], { env });
  line.breakAt(3);
  const { code, err } = await holdfast.run(["release", "demo"], { env });
  assert.deepEqual([code, err], [0, ""]);
  assert.equal((await holdfast.run(["locks", "show", "demo"])).code, 1);
  assert.deepEqual(secretsIn(holdfast), []);
});

test("a lock is not said to be given back while nobody can have heard it, and can be afterwards", async (t) => {
  const holdfast = new Holdfast(t);
  const line = await lineTo(t, holdfast);
  const { pid } = sleeper(t);
  const env = { HOLDFAST_SOCKET: line.path };
  await holdfast.run(["acquire", "demo", "--for", String(pid)], { env });
  const instead = () => {
    process.kill(holdfast.brokerPid() ?? 0, "SIGKILL");
    void line.cut();
  };
  line.breakAt(3, { instead });
  const words = ["--no-start", "release", "demo"];
  const { code } = await holdfast.run(words, { env });
  assert.equal(code, 69);
  await holdfast.print("sql", "select 1");
  assert.match(await holdfast.print("locks", "show", "demo"), new RegExp(`held by sleep \\(pid ${pid}`));
  await line.repair();
  assert.equal((await holdfast.run(["release", "demo"], { env })).code, 0);
  assert.equal((await holdfast.run(["locks", "show", "demo"])).code, 1);
});

test("the place of an acquire that is interrupted while no broker is there can be given up afterwards", async (t) => {
  const holdfast = new Holdfast(t);
  const holder = sleeper(t);
  const { pid } = sleeper(t);
  await holdfast.print("acquire", "demo", "--for", String(holder.pid));
  const waiting = holdfast.start(["--no-start", "acquire", "demo", "--for", String(pid)]);
  await waiting.until(/waiting for "demo"/);
  process.kill(holdfast.brokerPid() ?? 0, "SIGKILL");
  waiting.child.kill("SIGINT");
  assert.equal((await waiting.ended).code, 130);
  await holdfast.print("sql", "select 1");
  assert.match(await holdfast.print("locks", "show", "demo"), new RegExp(`sleep \\(pid ${pid}`));
  assert.equal((await holdfast.run(["release", "demo", "--for", String(pid)])).code, 0);
  assert.doesNotMatch(await holdfast.print("locks", "show", "demo"), new RegExp(`sleep \\(pid ${pid}`));
  assert.equal((await holdfast.run(["release", "demo"])).code, 0);
  assert.deepEqual(secretsIn(holdfast), []);
});

test("all that was acquired together is given back by any of its names, and known by each", async (t) => {
  const holdfast = new Holdfast(t);
  const { pid } = sleeper(t);
  await holdfast.print("acquire", "a", "--also", "b", "--for", String(pid));
  const again = await holdfast.run(["acquire", "b", "-n", "--for", String(pid)]);
  assert.equal(again.code, 75);
  assert.match(again.err, new RegExp(`process ${pid} has "b" already`));
  const { code, err } = await holdfast.run(["release", "b"]);
  assert.deepEqual([code, err], [0, ""]);
  assert.equal((await holdfast.run(["locks", "show", "a"])).code, 1);
  assert.deepEqual(secretsIn(holdfast), []);
});

test("a lock that two have acquired with their own is given back by the names of these", async (t) => {
  const holdfast = new Holdfast(t);
  const forIt = ["--for", String(sleeper(t).pid)];
  await holdfast.print("acquire", "b", "-s", ...forIt);
  await holdfast.print("acquire", "a", "--also", "b=shared", ...forIt);
  await holdfast.print("acquire", "c", "--also", "b=shared", ...forIt);
  // Of its own name it is one alone.
  assert.equal((await holdfast.run(["release", "b"])).code, 0);
  const refused = await holdfast.run(["release", "b"]);
  assert.equal(refused.code, 64);
  assert.match(refused.err, /"b" was acquired with ("a", "c"|"c", "a"): release these/);
  for (const name of ["a", "c"]) assert.equal((await holdfast.run(["release", name])).code, 0);
  assert.equal((await holdfast.run(["locks", "show", "b"])).code, 1);
});

test("what was acquired from a broker is not thrown away for another that does not know it", async (t) => {
  const [holdfast, other] = [new Holdfast(t), new Holdfast(t)];
  await other.print("sql", "select 1");
  const elsewhere = { env: { HOLDFAST_SOCKET: join(other.dir, "run", "broker.sock") } };
  const forIt = ["--for", String(sleeper(t).pid)];
  await holdfast.print("acquire", "demo", ...forIt);
  const refused = await holdfast.run(["release", "demo"], elsewhere);
  assert.deepEqual([refused.code, refused.err], [1, 'holdfast: "demo" is not held\n']);
  // Of both brokers the one process may have the name.
  assert.equal((await holdfast.run(["acquire", "demo", ...forIt], elsewhere)).code, 0);
  const astray = await other.run(["release", "demo"]);
  assert.equal(astray.code, 1);
  for (const options of [{}, elsewhere]) assert.equal((await holdfast.run(["release", "demo"], options)).code, 0);
  for (const one of [holdfast, other]) assert.equal((await one.run(["locks", "show", "demo"])).code, 1);
  assert.deepEqual(secretsIn(holdfast), []);
});

test("who gives back by another socket than it was acquired by is told which", async (t) => {
  const holdfast = new Holdfast(t);
  const line = await lineTo(t, holdfast);
  const elsewhere = { env: { HOLDFAST_SOCKET: line.path } };
  await holdfast.run(["acquire", "demo", "--for", String(sleeper(t).pid)], elsewhere);
  const { code, err } = await holdfast.run(["release", "demo"]);
  assert.equal(code, 1);
  assert.ok(err.includes(`was acquired by way of ${line.path}`), err);
  assert.equal((await holdfast.run(["release", "demo"], elsewhere)).code, 0);
});

test("a secret that an older version has left is taken up", async (t) => {
  const holdfast = new Holdfast(t);
  await holdfast.print("acquire", "demo", "--for", String(sleeper(t).pid));
  const [file = ""] = secretsIn(holdfast);
  const path = join(holdfast.dir, "run", "bound", file);
  const { socket: _, makerStart: __, ...older } = JSON.parse(readFileSync(path, "utf8"));
  const secrets = new BoundSecrets(join(holdfast.dir, "run", "bound"), "");
  secrets.remove(JSON.parse(readFileSync(path, "utf8")));
  assert.ok(secrets.create(older));
  assert.equal((await holdfast.run(["release", "demo"])).code, 0);
  assert.equal((await holdfast.run(["locks", "show", "demo"])).code, 1);
  assert.deepEqual(secretsIn(holdfast), []);
});

test("who has the number of an acquire that is gone does not wait in its place", async (t) => {
  const holdfast = new Holdfast(t);
  await holdfast.print("acquire", "demo", "--for", String(sleeper(t).pid));
  const [file = ""] = secretsIn(holdfast);
  const path = join(holdfast.dir, "run", "bound", file);
  const { token: _, ...secret } = JSON.parse(readFileSync(path, "utf8"));
  writeFileSync(path, JSON.stringify({ ...secret, maker: process.pid }));
  assert.equal((await holdfast.run(["release", "demo"])).code, 0);
  assert.equal((await holdfast.run(["locks", "show", "demo"])).code, 1);
});

test("a signal while nobody reads the token gives the lock back", async (t) => {
  const holdfast = new Holdfast(t);
  const path = join(holdfast.dir, "full");
  execFileSync("mkfifo", [path]);
  const pipe = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  t.after(() => closeSync(pipe));
  assert.throws(() => {
    for (;;) writeSync(pipe, Buffer.alloc(4096));
  }, /EAGAIN/);
  const words = [process.execPath, cli, "acquire", "demo", "--for", String(sleeper(t).pid)];
  const acquire = holdfast.start([], { program: ["sh", ["-c", 'exec "$@" > "$0"', path, ...words]] });
  const isHeld = async () => (await holdfast.run(["locks", "show", "demo"])).code === 0;
  const isNoted = () =>
    secretsIn(holdfast).some((file) =>
      readFileSync(join(holdfast.dir, "run", "bound", file), "utf8").includes("token"),
    );
  await until(async () => (await isHeld()) && isNoted(), "the lock to be held");
  acquire.child.kill("SIGINT");
  await until(async () => !(await isHeld()), "the lock to be given back");
  readSync(pipe, Buffer.alloc(65536));
  assert.equal((await acquire.ended).code, 130);
  assert.deepEqual(secretsIn(holdfast), []);
});

test("a process that does not exist can have no lock", async (t) => {
  const holdfast = new Holdfast(t);
  const { code, err } = await holdfast.run(["acquire", "demo", "--for", "999999999"]);
  assert.equal(code, 64);
  assert.match(err, /there is no process 999999999/);
});
