/** Real processes that want to get away from the one that started them. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { type TestContext, test } from "node:test";
import { endFamily, familyOf } from "../../src/cli/family.js";
import { closeMark, markDescriptor, openMark } from "../../src/cli/lock-mark.js";
import { isAlive } from "../../src/cli/processes.js";
import { kill, known } from "../support/processes.js";

/** No other run of these tests beside this one has it. */
const session = randomBytes(16).toString("hex");
const lock = { name: "a", token: 4_000_000_007, session };
const further = { name: "b", token: 4_000_000_008, session };
const carrying = (...locks: object[]) => ({ ...process.env, HOLDFAST_LOCKS: JSON.stringify(locks) });

interface Started {
  readonly pid: number;
  readonly exited: Promise<unknown>;
  /** What it printed, until that fits. */
  readonly says: (fits: RegExp) => Promise<string>;
}

interface StartOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly ownGroup?: boolean;
  /** What it and its children have open beside the streams. */
  readonly mark?: string;
}

function start(
  t: TestContext,
  script: string,
  { env = process.env, ownGroup = true, mark }: StartOptions = {},
): Started {
  const file = mark === undefined ? undefined : openMark(mark);
  const between = new Array<"ignore">(markDescriptor - 3).fill("ignore");
  const marked = file === undefined ? [] : [...between, file];
  const child = spawn("sh", ["-c", script], {
    env,
    detached: ownGroup,
    stdio: ["ignore", "pipe", "inherit", ...marked],
  });
  closeMark(file);
  const exited = new Promise((resolve) => child.once("exit", resolve));
  t.after(() => {
    for (const { pid } of familyOf({ pid: child.pid ?? 0, ownGroup, lock })) process.kill(pid, "SIGKILL");
  });
  let out = "";
  const waiting: (() => void)[] = [];
  child.stdout?.on("data", (bytes: Buffer) => {
    out += String(bytes);
    for (const wake of waiting.splice(0)) wake();
  });
  return {
    pid: child.pid ?? 0,
    exited,
    says: async (fits) => {
      while (!fits.test(out)) await new Promise<void>((resolve) => waiting.push(resolve));
      return out;
    },
  };
}

const pidsIn = (text: string) => [...text.matchAll(/pid (\d+)/g)].map(([, pid]) => Number(pid));
const pidsOf = (started: Started, ownGroup = true) =>
  familyOf({ pid: started.pid, ownGroup, lock }).map(({ pid }) => pid);

test("children and their children belong to a command, in whatever group", async (t) => {
  for (const ownGroup of [true, false]) {
    const command = start(t, "sh -c 'echo pid $$; sleep 600 & echo pid $!; wait' & echo pid $!; wait", { ownGroup });
    const text = await command.says(/(pid \d+\s+){3}/);
    const found = pidsOf(command, ownGroup);
    for (const pid of [command.pid, ...pidsIn(text)]) assert.ok(found.includes(pid), `${pid} of ${text}`);
    assert.ok(!found.includes(process.pid));
    assert.deepEqual(await endFamily({ pid: command.pid, ownGroup, lock: undefined }, 60_000), []);
    assert.deepEqual(pidsOf(command, ownGroup), []);
  }
});

test("who stays behind when the command has ended belongs to its group", async (t) => {
  const command = start(t, "sleep 600 >/dev/null & echo pid $!");
  const [left = 0] = pidsIn(await command.says(/pid \d+/));
  await command.exited;
  assert.deepEqual(pidsOf(command), [left]);
  await endFamily({ pid: command.pid, ownGroup: true, lock: undefined }, 60_000);
  assert.deepEqual(pidsOf(command), []);
});

test("who has left the group and has another parent is known by the lock that it carries", async (t) => {
  const env = carrying(lock);
  const command = start(t, "setsid sh -c 'sh -c \"echo pid \\$\\$; exec sleep 600\" & exit 0'; exit 0", { env });
  const [escaped = 0] = pidsIn(await command.says(/pid \d+/));
  await command.exited;
  assert.deepEqual(pidsOf(command), [escaped]);
  await endFamily({ pid: command.pid, ownGroup: true, lock }, 60_000);
  assert.deepEqual(pidsOf(command), []);
});

const twoSessions = (before: string) =>
  `${before} setsid sh -c 'sleep 600 & echo pid $!; echo pid $$; wait' & echo pid $!; wait`;

test("who has begun a session of its own and carries no lock is no part of the command, nor is what it starts", async (t) => {
  const command = start(t, twoSessions("env -u HOLDFAST_LOCKS"), { env: carrying(lock) });
  const daemon = pidsIn(await command.says(/(pid \d+\s+){3}/)).filter((pid) => pid !== command.pid);
  const [one = 0, its = 0] = new Set(daemon);
  const living = [known(one), known(its)];
  t.after(() => {
    for (const process of living) kill(process, "SIGKILL");
  });
  assert.deepEqual(pidsOf(command), [command.pid]);
  assert.deepEqual(await endFamily({ pid: command.pid, ownGroup: true, lock }, 60_000), []);
  assert.ok(living.every(isAlive));
});

test("a session of its own makes nobody a stranger who carries the lock, in its environment or by the mark", async (t) => {
  const mark = JSON.stringify([lock]);
  for (const [script, options] of [
    [twoSessions(""), { env: carrying(lock) }],
    [twoSessions("env -u HOLDFAST_LOCKS"), { env: carrying(lock), mark }],
    [twoSessions("env -i PATH=$PATH"), { mark }],
  ] as const) {
    const command = start(t, script, options);
    const text = await command.says(/(pid \d+\s+){3}/);
    const found = pidsOf(command);
    for (const pid of pidsIn(text)) assert.ok(found.includes(pid), `${pid} of ${text} with ${script}`);
    await endFamily({ pid: command.pid, ownGroup: true, lock }, 60_000);
    assert.deepEqual(pidsOf(command), []);
  }
});

test("who has cleared its environment and got away is known by the mark", async (t) => {
  const script = "env -i setsid -f sh -c 'echo pid $$; exec sleep 600'";
  const command = start(t, script, { env: carrying(lock), mark: JSON.stringify([lock]) });
  const [escaped = 0] = pidsIn(await command.says(/pid \d+/));
  await command.exited;
  assert.deepEqual(pidsOf(command), [escaped]);
  await endFamily({ pid: command.pid, ownGroup: true, lock }, 60_000);
  assert.deepEqual(pidsOf(command), []);
});

test("a lock of another session with the same token is another lock", async (t) => {
  const command = start(t, "echo pid $$; exec sleep 600", { env: carrying({ ...lock, session: "0".repeat(32) }) });
  await command.says(/pid/);
  const found = familyOf({ pid: -1, ownGroup: false, lock });
  assert.ok(!found.some(({ pid }) => pid === command.pid));
});

test("who runs under a further lock is told by the one in between, and ended with the others when time is over", async (t) => {
  const env = carrying(lock);
  const nested = JSON.stringify(JSON.stringify([lock, further])).replaceAll("$", "\\$");
  const deaf = `HOLDFAST_LOCKS=${nested} sh -c "trap 'echo told' TERM; echo pid \\$\\$; while :; do sleep 0.02; done"`;
  const command = start(t, `trap '' TERM; ${deaf}`, { env });
  const [inner = 0] = pidsIn(await command.says(/pid \d+/));
  assert.equal(familyOf({ pid: command.pid, ownGroup: true, lock }).find(({ pid }) => pid === inner)?.direct, false);
  const left = await endFamily({ pid: command.pid, ownGroup: true, lock }, 100);
  assert.deepEqual(left, []);
  assert.doesNotMatch(await command.says(/pid/), /told/);
  assert.deepEqual(pidsOf(command), []);
});

test("each is told to end once, and has its time", async (t) => {
  const script =
    "n=0; trap 'n=$((n+1)); echo told $n; sleep 0.3; exit' TERM; echo pid $$; while :; do sleep 0.02; done";
  const command = start(t, script);
  await command.says(/pid/);
  await endFamily({ pid: command.pid, ownGroup: true, lock: undefined }, 60_000);
  const text = await command.says(/told/);
  assert.equal(text.match(/told/g)?.length, 1);
});

/** Always as much later as is said. */
function clock(...stepsMs: number[]): { now: () => number; asked: () => number } {
  let ms = 0;
  let asked = 0;
  const now = () => {
    ms += stepsMs[Math.min(asked++, stepsMs.length - 1)] ?? 0;
    return ms;
  };
  return { now, asked: () => asked };
}

test("the time that is given counts by the clock, however long a look takes", async (t) => {
  const command = start(t, "trap '' TERM; echo pid $$; while :; do sleep 0.02; done");
  await command.says(/pid/);
  const { now, asked } = clock(900);
  await endFamily({ pid: command.pid, ownGroup: true, lock: undefined }, 4500, now);
  assert.deepEqual(pidsOf(command), []);
  assert.ok(asked() > 5 && asked() < 50, `asked ${asked()} times`);
});

test("a pause takes nobody the time that is given", async (t) => {
  const script = "trap 'sleep 0.3; echo told; exit' TERM; echo pid $$; while :; do sleep 0.02; done";
  const command = start(t, script);
  await command.says(/pid/);
  const hourMs = 3_600_000;
  await endFamily({ pid: command.pid, ownGroup: true, lock: undefined }, 60_000, clock(0, 0, 0, 0, hourMs, 1).now);
  assert.match(await command.says(/pid/), /told/);
});

test("a process that has gone and whose number another has is not touched", () => {
  assert.equal(isAlive({ pid: process.pid, startTime: "1" }), false);
});
