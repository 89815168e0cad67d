import assert from "node:assert/strict";
import { test } from "node:test";
import { Holdfast, type Running, until } from "../holdfast.js";

async function leading(holdfast: Holdfast, ...options: string[]): Promise<Running> {
  const running = holdfast.start(["elect", "job", ...options, "--", "sh", "-c", "echo leads; exec sleep 600"]);
  await running.until(/leads\n/);
  return running;
}

test("one of all that stand runs its command; when that is gone the next does, and the exit code is passed on", async (t) => {
  const holdfast = new Holdfast(t);
  const first = await leading(holdfast, "--value", "http://one");
  const second = holdfast.start([
    "elect",
    "job",
    "--",
    "sh",
    "-c",
    "echo $HOLDFAST_LOCK_NAME $HOLDFAST_LOCK_TOKEN; exit 7",
  ]);
  await second.until(/waiting for "job": held by sh \(pid \d+, .*"http:\/\/one"\)/);
  first.child.kill("SIGTERM");
  assert.equal((await first.ended).code, 143);
  const { code, out, err } = await second.ended;
  assert.equal(code, 7);
  assert.match(out, /^job \d+\n$/);
  assert.match(err, /leads "job", token \d+/);
});

test("who loses its leadership ends its command, and stands again", async (t) => {
  const holdfast = new Holdfast(t);
  const first = await leading(holdfast);
  const second = holdfast.start(["elect", "job", "--", "sh", "-c", "echo second leads; exec sleep 600"]);
  await second.until(/waiting for "job"/);
  await holdfast.print("locks", "break", "job", "--reason", "turn about");
  await second.until(/second leads/);
  await first.until(/was lost: broken by .*turn about[\s\S]*waiting for "job"/);
  second.child.kill("SIGTERM");
  await first.until(/leads\n[\s\S]*leads\n/);
  assert.equal(first.out, "leads\nleads\n");
});

test("who is told to end while it waits leaves the line", async (t) => {
  const holdfast = new Holdfast(t);
  await leading(holdfast);
  const second = holdfast.start(["elect", "job", "--", "echo", "leads"]);
  await second.until(/waiting for "job"/);
  second.child.kill("SIGINT");
  assert.deepEqual([(await second.ended).code, second.out], [130, ""]);
});

test("who is told to end while the broker stands still ends, and a second signal is not waited with", async (t) => {
  const holdfast = new Holdfast(t);
  const first = await leading(holdfast);
  const [second, third] = [1, 2].map(() => holdfast.start(["elect", "job", "--", "echo", "leads"])) as [
    Running,
    Running,
  ];
  for (const one of [second, third]) await one.until(/waiting for "job"/);
  await holdfast.whileStopped(async () => {
    for (const { child } of [second, third]) child.kill("SIGHUP");
    const isOver = ({ child }: Running) => child.exitCode !== null || child.signalCode !== null;
    await until(() => isOver(third) || !third.child.kill("SIGTERM"), "the end by the second signal");
    await until(() => isOver(second), "the end by one signal");
    first.child.kill("SIGTERM");
  });
  assert.deepEqual([second.child.exitCode, third.child.signalCode], [129, "SIGTERM"]);
  await first.ended;
  assert.deepEqual([second.out, third.out], ["", ""]);
  await until(async () => (await holdfast.run(["locks", "show", "job"])).code === 1, "the lock to be free");
});

test("who is told to end before its command is started ends, also when its leadership is over by then", async (t) => {
  const holdfast = new Holdfast(t);
  const first = await leading(holdfast);
  const second = holdfast.start(["elect", "job", "--ttl", "6s", "--", "echo", "second leads"]);
  await second.until(/waiting for "job"/);
  second.child.kill("SIGSTOP");
  first.child.kill("SIGTERM");
  await first.ended;
  const broker = holdfast.brokerPid() ?? 0;
  process.kill(broker, "SIGSTOP");
  const grantedAt = performance.now();
  // What it reads then is too old to start a command by it, and the broker does not answer.
  await until(() => performance.now() - grantedAt > 1200, "the grant to be old");
  second.child.kill("SIGCONT");
  await second.until(/leads "job"/);
  await until(() => performance.now() - grantedAt > 6000, "the lease to be over");
  second.child.kill("SIGINT");
  await Promise.race([second.ended, second.until(/was not started/).catch(() => {})]);
  process.kill(broker, "SIGCONT");
  assert.deepEqual([(await second.ended).code, second.out], [130, ""]);
});

test("a command that cannot be started resigns, and says so", async (t) => {
  const holdfast = new Holdfast(t);
  const { code, err } = await holdfast.run(["elect", "job", "--", "no-such-command-here"]);
  assert.equal(code, 127);
  assert.match(err, /command not found/);
  assert.equal((await holdfast.run(["locks", "show", "job"])).code, 1);
});
