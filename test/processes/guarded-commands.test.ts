/**
 * A command that runs under a guarded lock, with real processes: when its lock is lost in any other way than by release, it
 * is ended before the next one gets the lock, whatever became of the program that had started it. Nobody else is hit.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { Home, type StartOptions } from "../support/broker.js";
import { Canary } from "../support/canary.js";
import { until, within } from "../support/patience.js";
import { isGone, type KnownProcess, kill, known } from "../support/processes.js";
import type { Wire } from "../support/wire.js";

interface Running {
  readonly process: KnownProcess;
  /** All that it has written. */
  readonly said: () => string;
}

/** Says what it was told, and ends. */
const obedient = "trap 'echo told; exit' TERM; echo ready; while :; do sleep 0.05; done";
/** Does not end when it is told. */
const stubborn = "trap 'echo told' TERM; echo ready; while :; do sleep 0.05; done";

async function running(t: TestContext, script: string, env: { readonly [name: string]: string }): Promise<Running> {
  const child: ChildProcess = spawn("sh", ["-c", script], {
    env: { PATH: process.env["PATH"] ?? "", ...env },
    stdio: ["ignore", "pipe", "inherit"],
    detached: true,
  });
  let text = "";
  child.stdout?.on("data", (bytes: Buffer) => {
    text += String(bytes);
  });
  await once(child, "spawn");
  const one = known(child.pid ?? 0);
  t.after(() => kill(one, "SIGKILL"));
  await until("the command to run", () => text.includes("ready"));
  return { process: one, said: () => text };
}

function carrying(...locks: { readonly token: number; readonly session: string }[]): { HOLDFAST_LOCKS: string } {
  return { HOLDFAST_LOCKS: JSON.stringify(locks.map((lock) => ({ name: "deploy", ...lock }))) };
}

interface Scene {
  readonly home: Home;
  /** The program that has the lock and has begun the command. */
  readonly wrapper: Running;
  readonly holder: Wire;
  readonly token: number;
  readonly session: string;
  readonly next: Wire;
  readonly canary: Canary;
}

/** A wrapper that holds the lock "deploy", guarded. */
async function scene(t: TestContext, options: StartOptions = {}): Promise<Scene> {
  const home = new Home(t);
  await home.start(options);
  const canary = await Canary.start(home);
  const wrapper = await running(t, "echo ready; exec sleep 1000", {});
  const holder = await home.wire({ program: "wrapper", process: wrapper.process });
  const { token } = await holder.call("lock.acquire", { name: "deploy", key: holder.key(), guard: true });
  const session = holder.welcome?.session ?? "";
  return { home, wrapper, holder, token, session, next: await home.wire({ program: "next" }), canary };
}

/** SIGKILL, and its socket closes as it does then. */
async function killWrapper({ wrapper, holder }: Scene): Promise<void> {
  kill(wrapper.process, "SIGKILL");
  await holder.drop();
}

async function nextToken(wire: Wire): Promise<number> {
  return (await wire.call("lock.acquire", { name: "deploy", key: wire.key() })).token;
}

// rule 24: the grant waits until the group is gone
test("a command is ended when the program that began it is killed, before the next one gets the lock", async (t) => {
  const it = await scene(t);
  const command = await running(t, obedient, carrying(it));
  const granted = nextToken(it.next);
  await killWrapper(it);
  assert.ok((await granted) > it.token);
  assert.ok(isGone(command.process));
  assert.match(command.said(), /told/);
  await it.canary.goesOn();
});

test("a command that does not end when it is told is killed, before the next one gets the lock", async (t) => {
  const it = await scene(t);
  const command = await running(t, stubborn, carrying(it));
  await killWrapper(it);
  await until("the lock to end", async () => {
    const { locks } = await it.next.call("lock.list", { name: "deploy" });
    return locks[0]?.ending === "processes";
  });
  await nextToken(it.next);
  assert.ok(isGone(command.process));
  assert.match(command.said(), /told/);
  await it.canary.goesOn();
});

// rule 24: only members whose environment shows this lock token
test("nobody is hit but who carries this token of this session", async (t) => {
  const it = await scene(t);
  const { token, session } = it;
  const another = "f".repeat(32);
  const bystanders = [
    await running(t, obedient, {}),
    await running(t, obedient, carrying({ token: token + 1, session })),
    // Another broker of the same user has given the same number.
    await running(t, obedient, carrying({ token, session: another })),
    await running(t, obedient, { HOLDFAST_LOCKS: `[{"token":${token}}]` }),
    await running(t, obedient, { HOLDFAST_LOCK_TOKEN: String(token), HOLDFAST_LOCK_NAME: "deploy" }),
  ];
  const inner = await running(t, obedient, carrying({ token, session }, { token: token + 7, session: another }));
  await killWrapper(it);
  await nextToken(it.next);
  assert.ok(isGone(inner.process), "what runs under more locks than this one runs under this one too");
  for (const { process: one, said } of bystanders) {
    assert.ok(!isGone(one));
    assert.doesNotMatch(said(), /told/);
  }
});

test("a lock that is released is free at once, and its command goes on", async (t) => {
  const it = await scene(t);
  const command = await running(t, obedient, carrying(it));
  await it.holder.call("lock.release", { name: "deploy", token: it.token, key: it.holder.key() });
  await nextToken(it.next);
  assert.ok(!isGone(command.process));
  assert.doesNotMatch(command.said(), /told/);
});

test("a command is ended when its program gives back a lock that it has lost, before the next one gets it", async (t) => {
  const it = await scene(t);
  const command = await running(t, obedient, carrying(it));
  await it.holder.call("lock.release", { name: "deploy", token: it.token, key: it.holder.key(), lost: true });
  await nextToken(it.next);
  assert.ok(isGone(command.process));
  assert.match(command.said(), /told/);
});

// Its program had the lock, and hears only then that it is broken.
test("a command that is started while its lock is being taken is ended before the next one gets the lock", async (t) => {
  const it = await scene(t);
  const granted = nextToken(it.next);
  const stranger = await it.home.wire({ program: "stranger" });
  await stranger.call("lock.break", { name: "deploy", key: stranger.key() });
  const brokenAt = performance.now();
  await until("the broker to have looked for commands", () => performance.now() - brokenAt > 300);
  const command = await running(t, obedient, carrying(it));
  await granted;
  assert.ok(isGone(command.process));
  assert.match(command.said(), /told/);
});

test("a command is ended when its lock is broken, though its program is well", async (t) => {
  const it = await scene(t);
  const command = await running(t, obedient, carrying(it));
  const { ended } = await it.next.call("lock.break", { name: "deploy", key: it.next.key(), reason: "it hangs" });
  assert.deepEqual(ended, [{ token: it.token, outcome: "broken" }]);
  assert.match(String((await it.holder.notice("lock.lost")).params["reason"]), /it hangs/);
  await nextToken(it.next);
  assert.ok(isGone(command.process));
  assert.ok(!isGone(it.wrapper.process));
});

// rule 24, over a crash
test("a broker that is killed while a command is being ended takes that up again when it comes back", async (t) => {
  const it = await scene(t);
  const command = await running(t, stubborn, carrying(it));
  await killWrapper(it);
  await until("the command to be told", () => command.said().includes("told"));
  await it.home.killAll();
  assert.ok(!isGone(command.process));
  await it.home.start();
  const after = await it.home.wire({ program: "after" });
  await nextToken(after);
  assert.ok(isGone(command.process));
});

test("a broker that may not signal waits for the command, however long it takes", async (t) => {
  const it = await scene(t, { args: ["--no-signals"] });
  const command = await running(t, obedient, carrying(it));
  await killWrapper(it);
  const granted = nextToken(it.next);
  await until("the command to be found", async () => {
    const { locks } = await it.next.call("lock.list", { name: "deploy" });
    return locks[0]?.ending === "processes";
  });
  // Two more looks over all processes, and it is still there.
  const trying = await it.home.wire({ program: "trying" });
  for (let n = 0; n < 2; n++) {
    const refusal = await trying.refusal("lock.acquire", { name: "deploy", key: trying.key(), waitMs: 1500 });
    assert.equal(refusal.data.code, "LOCK_TIMEOUT");
  }
  assert.ok(!isGone(command.process));
  assert.doesNotMatch(command.said(), /told/);
  kill(command.process, "SIGKILL");
  await within("the next grant", granted);
});
