/** Processes that run under locks, with real ones: who is found by what its environment says, and who is hit by a signal. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { closeSync, openSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { type TestContext, test } from "node:test";
import { lockCarriers, locksIn } from "../../src/daemon/lock-carriers.js";
import { processTable } from "../../src/daemon/processes.js";
import type { LockCarriers } from "../../src/front/index.js";
import { gone, kill, known } from "../support/processes.js";
import { tempDir } from "../support/temp-dir.js";

const uid = process.getuid?.() ?? 0;
const session = "c".repeat(32);
/** No other test has this one. */
const token = 9_007_199_000_000_000 + process.pid;
const markName = `holdfast-locks-${randomUUID()}`;

function carriersOf(parts: { readonly uid?: number; readonly maySignal?: boolean } = {}): LockCarriers {
  const carriers = lockCarriers({ uid, maySignal: true, ...parts });
  assert.ok(carriers !== undefined);
  return carriers;
}

/** A process that is not our own child, as no client of a broker is. */
async function started(t: TestContext, env: { readonly [name: string]: string }): Promise<number> {
  const parent = spawn("sh", ["-c", "sleep 1000 & echo $!; wait"], { stdio: ["pipe", "pipe", "inherit"], env });
  const [said] = await once(parent.stdout, "data");
  const pid = Number(String(said));
  const sleeper = known(pid);
  t.after(() => {
    parent.kill("SIGKILL");
    kill(sleeper, "SIGKILL");
  });
  return pid;
}

function found(carriers: LockCarriers): number[] {
  const pids: number[] = [];
  for (const carrier of carriers.look()) {
    if (carrier?.locks.some((lock) => lock.token === token && lock.session === session) === true)
      pids.push(carrier.pid);
  }
  return pids;
}

function under(...tokens: number[]): { readonly PATH: string; readonly HOLDFAST_LOCKS: string } {
  const locks = tokens.map((one) => ({ name: "a", token: one, session }));
  return { PATH: process.env["PATH"] ?? "", HOLDFAST_LOCKS: JSON.stringify(locks) };
}

// rule 24: only members whose environment shows this lock
test("a process is found by the lock that its environment names, among all that it runs under", async (t) => {
  const pid = await started(t, under(5, token));
  const stranger = await started(t, under(5));
  const pids = found(carriersOf());
  assert.ok(pids.includes(pid));
  assert.ok(!pids.includes(stranger));
});

interface Mark {
  readonly text?: string;
  readonly fifo?: boolean;
  /** Of the file. */
  readonly name?: string;
  readonly descriptor?: number;
  /** It still has its name. */
  readonly kept?: boolean;
}

/** A process without an environment that has such a file open. */
async function marked(t: TestContext, mark: Mark): Promise<number> {
  const { text = under(token).HOLDFAST_LOCKS, name = markName, fifo = false, descriptor = 15, kept = false } = mark;
  const path = join(tempDir(t), name);
  if (fifo) spawnSync("mkfifo", [path]);
  else writeFileSync(path, text);
  const file = openSync(path, fifo ? "r+" : "r");
  if (!kept) rmSync(path);
  const between = new Array<"ignore">(descriptor - 3).fill("ignore");
  const child = spawn("setsid", ["-f", "sh", "-c", "echo $$; exec sleep 1000"], {
    env: {},
    stdio: ["ignore", "pipe", "inherit", ...between, file],
  });
  closeSync(file);
  const [said] = await once(child.stdout as Readable, "data");
  const one = known(Number(String(said)));
  t.after(() => kill(one, "SIGKILL"));
  return one.pid;
}

// rule 24
test("a process that has cleared its environment is found by the file that it inherited", async (t) => {
  const pid = await marked(t, {});
  const bystanders = [
    await marked(t, { text: under(5).HOLDFAST_LOCKS }),
    await marked(t, { text: "nonsense" }),
    // Anybody can have opened it.
    await marked(t, { kept: true }),
    await marked(t, { name: "another" }),
    await marked(t, { descriptor: 14 }),
    // Nobody will ever write to it.
    await marked(t, { fifo: true }),
  ];
  const pids = found(carriersOf());
  assert.ok(pids.includes(pid));
  for (const one of bystanders) assert.ok(!pids.includes(one));
});

test("who is out of files cannot look, and does not say that nobody is there", () => {
  const program = `
    import { openSync } from "node:fs";
    import { lockCarriers } from ${JSON.stringify(new URL("../../src/daemon/lock-carriers.js", import.meta.url).href)};
    const steps = lockCarriers({ uid: process.getuid(), maySignal: false }).look()[Symbol.iterator]();
    steps.next();
    try {
      for (;;) openSync("/dev/null", "r");
    } catch {}
    try {
      while (steps.next().done !== true);
      console.log("nobody");
    } catch ({ code }) {
      console.log(code);
    }`;
  const script = 'ulimit -n 64; exec "$0" --input-type=module -e "$1"';
  const { stdout, stderr } = spawnSync("/bin/sh", ["-c", script, process.execPath, program], { encoding: "utf8" });
  assert.equal(stdout, "EMFILE\n", stderr);
});

test("the broker's own children are not found, whatever environment they have from it", async (t) => {
  const child = spawn("sleep", ["1000"], { env: under(token) });
  t.after(() => child.kill("SIGKILL"));
  await once(child, "spawn");
  assert.ok(!found(carriersOf()).includes(child.pid ?? 0));
});

test("what has ended and was not collected is not found", async (t) => {
  const script = "sleep 1000 & echo $!; exec cat";
  const parent = spawn("sh", ["-c", script], { stdio: ["pipe", "pipe", "inherit"], env: under(token) });
  t.after(() => parent.kill("SIGKILL"));
  const [said] = await once(parent.stdout, "data");
  const pid = Number(String(said));
  process.kill(pid, "SIGKILL");
  await gone("the sleep", known(pid));
  assert.ok(!found(carriersOf()).includes(pid));
});

test("a signal hits a process, but not one that only has its number", async (t) => {
  const pid = await started(t, under(token));
  const startTime = processTable.startTimeOf(pid) ?? "";
  const carriers = carriersOf();
  assert.equal(carriers.signal({ pid, startTime: `${startTime}0` }, "SIGKILL"), "gone");
  assert.equal(processTable.fateOf({ pid, startTime }), "alive");
  const seen = known(pid);
  assert.equal(carriers.signal({ pid, startTime }, "SIGTERM"), "sent");
  await gone("the sleep", seen);
  assert.equal(carriers.signal({ pid, startTime }, "SIGTERM"), "gone");
});

test("a broker that may not signal signals nobody, and none signals processes of another user", async (t) => {
  const pid = await started(t, under(token));
  const startTime = processTable.startTimeOf(pid) ?? "";
  assert.equal(carriersOf({ maySignal: false }).signal({ pid, startTime }, "SIGKILL"), "not-ours");
  const another = carriersOf({ uid: uid + 1 });
  assert.equal(another.signal({ pid, startTime }, "SIGKILL"), "not-ours");
  assert.ok(!found(another).includes(pid), "nor does it see them");
  assert.equal(processTable.fateOf({ pid, startTime }), "alive");
});

function environment(...settings: string[]): Buffer {
  return Buffer.from(settings.map((setting) => `${setting}\0`).join(""));
}

test("the variable is read as a whole name and a whole value, and nonsense in it is nobody's lock", () => {
  const one = { token: 7, session };
  const text = JSON.stringify([
    { ...one, name: 'with "HOLDFAST_LOCKS=" in it' },
    { token: 8, session },
  ]);
  assert.deepEqual(locksIn(environment("A=b", `HOLDFAST_LOCKS=${text}`, "C=d")), [one, { token: 8, session }]);
  assert.deepEqual(locksIn(Buffer.from(`HOLDFAST_LOCKS=${text}`)).length, 2, "without the last NUL");
  for (const setting of [
    `MY_HOLDFAST_LOCKS=${text}`,
    `X=HOLDFAST_LOCKS=${text}`,
    `HOLDFAST_LOCKS=${text.slice(1)}`,
    "HOLDFAST_LOCKS=",
    "HOLDFAST_LOCKS=null",
    "HOLDFAST_LOCKS=[null,7,{}]",
    `HOLDFAST_LOCKS=[{"token":"7","session":"${session}"},{"token":0,"session":"${session}"},{"token":7}]`,
    `HOLDFAST_LOCKS=[{"token":7,"session":"${"C".repeat(32)}"}]`,
  ])
    assert.deepEqual(locksIn(environment("A=b", setting)), [], setting);
  assert.deepEqual(locksIn(Buffer.alloc(0)), []);
});
