/** With a lock that says of its lease what the test wants. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Call } from "../../src/cli/command.js";
import { Jeopardy, runHeld } from "../../src/cli/held-command.js";
import type { Broker, LockHandle } from "../../src/client/index.js";

test("a command goes on until the end of the lease that it has now is near, whatever that of before was", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const warned: string[] = [];
  const call = {
    options: {},
    io: { env: process.env, stdin: { isTerminal: false } },
    output: { warn: (text: string) => warned.push(text) },
  } as unknown as Call;
  const lock = { name: "demo", names: ["demo"], token: 1, lost: false, lease: "jeopardy", leaseLeftMs: 3000 };
  const handle = { ...lock, confirm: async () => {}, signal: new AbortController().signal };
  const jeopardy = new Jeopardy();
  const ready = new Promise((resolve) => process.once("SIGWINCH", resolve));
  const running = runHeld(call, {
    words: ["sh", "-c", "trap 'exit 7' USR1; kill -WINCH $PPID; while :; do sleep 0.02; done"],
    broker: { session: "0", sessionSecret: "" } as Broker,
    lock: handle as unknown as LockHandle,
    onLost: "kill",
    jeopardy,
    signal: new AbortController().signal,
    started: () => {},
  });
  await ready;
  jeopardy.heard();
  // The broker has answered meanwhile, and then no more.
  handle.leaseLeftMs = 60_000;
  jeopardy.heard();
  t.mock.timers.tick(3000);
  await new Promise(setImmediate);
  assert.deepEqual(warned, []);
  process.kill(process.pid, "SIGUSR1");
  assert.deepEqual(await running, { exitCode: 7 });
});
