import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { handleSignals } from "../../src/daemon/signals.js";

/** `later`: what is to be done when some time has passed. */
function heed(t: TestContext, spawned: boolean, later: (() => void)[] = []): string[] {
  const heard: string[] = [];
  const forget = handleSignals({
    spawned,
    onStop: (signal) => heard.push(`stop ${signal}`),
    onStopNow: (exitCode) => heard.push(`now ${exitCode}`),
    onDump: () => heard.push("dump"),
    afterInput: (_ms, go) => later.push(go),
  });
  t.after(forget);
  return heard;
}

test("the first TERM or INT ends in good order, a later one at once with its own code", (t) => {
  const later: (() => void)[] = [];
  const heard = heed(t, true, later);
  process.emit("SIGTERM");
  later[0]?.();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.emit(signal);
  assert.deepEqual(heard, ["stop SIGTERM", "now 130", "now 143"]);
});

test("one Ctrl-C that comes twice, from the terminal and from npm, is one", (t) => {
  const heard = heed(t, true);
  process.emit("SIGINT");
  assert.deepEqual(heard, ["stop SIGINT"]);
});

test("a terminal that goes ends a foreground broker and not a spawned one", (t) => {
  const spawned = heed(t, true);
  process.emit("SIGHUP");
  assert.deepEqual(spawned, []);
});

test("a foreground broker ends in good order when its terminal goes", (t) => {
  const heard = heed(t, false);
  process.emit("SIGHUP");
  assert.deepEqual(heard, ["stop SIGHUP"]);
});

test("USR1 and USR2 ask how things are", (t) => {
  const heard = heed(t, true);
  process.emit("SIGUSR1");
  process.emit("SIGUSR2");
  assert.deepEqual(heard, ["dump", "dump"]);
});
