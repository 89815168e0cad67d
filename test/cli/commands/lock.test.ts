import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Holdfast, until } from "../holdfast.js";

test("the command's exit code is passed on, in all the ways in which a command can end", async (t) => {
  const holdfast = new Holdfast(t);
  const code = async (...args: string[]) => (await holdfast.run(["lock", "demo", ...args])).code;
  assert.equal(await code("--", "true"), 0);
  assert.equal(await code("sh", "-c", "exit 42"), 42);
  assert.equal(await code("-c", "exit 43"), 43);
  assert.equal(await code("sh", "-c", "kill -9 $$"), 137);
  assert.equal(await code("--", "no-such-command-here"), 127);
  assert.equal(await code("--", "/etc/passwd"), 126);
});

test("the command has its lock's name and token in its environment, its own input and output, and no file of ours", async (t) => {
  const holdfast = new Holdfast(t);
  const files = "ls /proc/self/fd | cat";
  const script = `cat; echo "$HOLDFAST_LOCK_NAME $HOLDFAST_LOCK_TOKEN"; ${files}`;
  const { out } = await holdfast.run(["lock", "demo", "--", "sh", "-c", script], { input: "input\n" });
  const [input, names, ...open] = out.trim().split("\n");
  assert.equal(input, "input");
  assert.match(names ?? "", /^demo [1-9]\d*$/);
  if (process.platform === "linux")
    assert.deepEqual(open, execFileSync("sh", ["-c", files], { encoding: "utf8" }).trim().split("\n"));
});

test("who waits is told by whom it is held, and gets it at once when the holder and its command are killed", async (t) => {
  const holdfast = new Holdfast(t);
  const first = holdfast.start([
    "lock",
    "demo",
    "--reason",
    "release build",
    "--",
    "sh",
    "-c",
    "echo pid $$; exec sleep 600",
  ]);
  const [, commandPid] = await first.until(/pid (\d+)/);
  const second = holdfast.start(["lock", "demo", "--", "echo", "mine"]);
  const [words] = await second.until(/waiting for "demo".*/);
  assert.match(words, new RegExp(`held by sh \\(pid ${first.pid}, .*, "release build"\\)`));
  first.child.kill("SIGKILL");
  process.kill(Number(commandPid), "SIGKILL");
  const { code, out } = await second.ended;
  assert.deepEqual([code, out], [0, "mine\n"]);
});

test("a lock that is not got is told with its holder, and ends with 75 or the chosen code", async (t) => {
  const holdfast = new Holdfast(t);
  const first = holdfast.start(["lock", "demo", "--", "sh", "-c", "echo held; exec sleep 600"]);
  await first.until(/held/);
  const refused = await holdfast.run(["lock", "demo", "-n", "--", "echo", "mine"]);
  assert.deepEqual([refused.code, refused.out], [75, ""]);
  assert.match(refused.err, new RegExp(`did not get "demo": held by sh \\(pid ${first.pid}`));
  assert.equal((await holdfast.run(["lock", "demo", "-w", "50ms", "-E", "9", "--", "echo", "mine"])).code, 9);
  assert.equal((await holdfast.run(["lock", "other", "-n", "--", "echo", "mine"])).out, "mine\n");
});

test("a signal for us reaches the command, and the lock is free when the command has ended", async (t) => {
  const holdfast = new Holdfast(t);
  const script = 'trap "echo got it; exit 5" TERM; echo ready; while :; do sleep 0.05; done';
  const first = holdfast.start(["lock", "demo", "--", "sh", "-c", script]);
  await first.until(/ready/);
  first.child.kill("SIGTERM");
  const { code, out } = await first.ended;
  assert.deepEqual([code, out], [5, "ready\ngot it\n"]);
  assert.equal((await holdfast.run(["locks", "show", "demo"])).code, 1);
});

test("who is interrupted while waiting leaves the queue and ends as the shell expects", async (t) => {
  const holdfast = new Holdfast(t);
  const first = holdfast.start(["lock", "demo", "--", "sh", "-c", "echo held; exec sleep 600"]);
  await first.until(/held/);
  const second = holdfast.start(["lock", "demo", "--", "echo", "mine"]);
  await second.until(/waiting for "demo"/);
  second.child.kill("SIGINT");
  const { code, out } = await second.ended;
  assert.deepEqual([code, out], [130, ""]);
  const [lock] = JSON.parse(await holdfast.print("locks", "--json")) as { waitersTotal: number }[];
  assert.equal(lock?.waitersTotal, 0);
});

test("a command whose lock was lost is ended, and the exit code says so", async (t) => {
  const holdfast = new Holdfast(t);
  const first = holdfast.start([
    "lock",
    "demo",
    "--",
    "sh",
    "-c",
    'trap "echo ended; exit 0" TERM; echo ready; while :; do sleep 0.05; done',
  ]);
  await first.until(/ready/);
  // What the broker knew of its locks is gone with its ledger: after that nobody can say that the lock is still held.
  process.kill(holdfast.brokerPid() ?? 0, "SIGKILL");
  const run = join(holdfast.dir, "run");
  for (const file of readdirSync(run)) if (file.startsWith("ledger.db")) rmSync(join(run, file));
  const { code, out, err } = await first.ended;
  assert.equal(code, 75);
  assert.match(out, /ended/);
  assert.match(err, /the lock "demo" was lost/);
});

test("a broker that is killed costs a running command nothing", async (t) => {
  const holdfast = new Holdfast(t);
  const first = holdfast.start(["lock", "demo", "--", "sh", "-c", "echo ready; read line; exit 7"]);
  // Its stdin is closed, so `read` ends at once; the command must outlive the broker all the same.
  await first.until(/ready/);
  assert.equal((await first.ended).code, 7);
  const second = holdfast.start([
    "lock",
    "demo",
    "--",
    "sh",
    "-c",
    "echo ready; trap 'exit 7' TERM; while :; do sleep 0.05; done",
  ]);
  await second.until(/ready/);
  process.kill(holdfast.brokerPid() ?? 0, "SIGKILL");
  await until(
    async () => (await holdfast.run(["locks", "show", "demo"])).code === 0,
    "the lock is held again after the restart",
  );
  second.child.kill("SIGTERM");
  assert.equal((await second.ended).code, 7);
});
