/** How it is at a terminal: groups, Ctrl-C, /dev/tty, a table that is drawn anew. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { widthOf } from "../../src/cli/width.js";
import { isGone, kill, known, stateOf } from "../support/processes.js";
import { cli, Holdfast, type Running, until } from "./holdfast.js";
import { noTerminal, onTerminal } from "./terminal.js";

const skip = noTerminal;

function at(holdfast: Holdfast, script: string): Running {
  return holdfast.start([], { program: onTerminal(script), input: "open" });
}

/** The group of the shell that runs it, as Linux tells it. */
const group = "cut -d' ' -f5 /proc/$$/stat";

test("at a terminal the command stays in the group of the caller, and can read what is typed", { skip }, async (t) => {
  const holdfast = new Holdfast(t);
  const inner = `${group}; read line < /dev/tty; echo "read $line"`;
  const running = at(
    holdfast,
    `${group}; holdfast lock demo -- sh -c '${inner.replaceAll("'", "'\\''")}'; echo "code $?"`,
  );
  await running.until(/\d+\r\n\d+\r\n/);
  running.type("hello\n");
  await running.until(/read hello[\s\S]*code 0/);
  const [, caller, command] = /(\d+)\r\n(\d+)\r\n/.exec(running.out) ?? [];
  assert.equal(command, caller);
});

test("without a terminal on stdin the command has a group of its own", async (t) => {
  const holdfast = new Holdfast(t);
  const { out } = await holdfast.run(["lock", "demo", "--", "sh", "-c", `echo $$; ${group}`]);
  const [pid, own] = out.trim().split("\n");
  assert.equal(own, pid);
});

test("Ctrl-C reaches the command once, and its exit code is passed on", { skip }, async (t) => {
  const holdfast = new Holdfast(t);
  const script =
    'n=0; trap "n=\\$((n+1))" INT; echo ready; while [ $n = 0 ]; do sleep 0.02; done; sleep 0.3; echo "heard $n"; exit 9';
  const running = at(holdfast, `trap : INT; holdfast lock demo -- sh -c '${script}'; echo "code $?"`);
  await running.until(/ready/);
  running.type("\u0003");
  await running.until(/heard 1[\s\S]*code 9/);
});

test("what a command leaves that has lived through a Ctrl-C, and ends later by itself, lives on", {
  skip,
}, async (t) => {
  const holdfast = new Holdfast(t);
  const script =
    'trap : INT; echo ready; until read line; do :; done; nohup sleep 600 > /dev/null 2>&1 & echo "pid $!"';
  const running = at(holdfast, `trap : INT; holdfast lock demo -- sh -c '${script}'; echo "code $?"`);
  await running.until(/ready/);
  running.type("\u0003");
  running.type("go on\n");
  const [, pid] = await running.until(/pid (\d+)/);
  const left = known(Number(pid));
  t.after(() => kill(left, "SIGKILL"));
  await running.until(/code 0/);
  assert.ok(!isGone(left));
});

test("Ctrl-Z stops a command that has a group of its own too, and both go on together", { skip }, async (t) => {
  const holdfast = new Holdfast(t);
  const running = at(
    holdfast,
    `set -m; holdfast lock demo -- sh -c 'echo "ready $$ $PPID"; exec sleep 600' < /dev/null
    echo "stopped $?"; read line; fg; echo "code $?"`,
  );
  const [, ...words] = await running.until(/ready (\d+) (\d+)/);
  const [command = 0, lock = 0] = words.map(Number);
  const areStopped = () => [command, lock].map((pid) => stateOf(pid) === "T");
  running.type("\u001a");
  await running.until(/stopped 148/);
  await until(() => !areStopped().includes(false), "both stand still");
  running.type("\n");
  await until(() => !areStopped().includes(true), "both go on");
  process.kill(lock, "SIGTERM");
  await running.until(/code 143/);
});

test("where no shell could let a command go on, a stop at the keyboard stops nobody", async (t) => {
  const holdfast = new Holdfast(t);
  const script = 'trap "echo heard" USR1; echo ready; while :; do sleep 0.02; done';
  const words = [process.execPath, cli, "lock", "demo", "--", "sh", "-c", script];
  const running = holdfast.start([], { program: ["setsid", words] });
  await running.until(/ready/);
  for (let heard = 1; heard <= 3; heard++) {
    for (const signal of ["SIGTSTP", "SIGUSR1"] as const) process.kill(running.pid, signal);
    await running.until(new RegExp(`(heard\\n){${heard}}`));
  }
});

test("Ctrl-C while waiting leaves the line", { skip }, async (t) => {
  const holdfast = new Holdfast(t);
  const first = holdfast.start(["lock", "demo", "--", "sh", "-c", "echo held; exec sleep 600"]);
  await first.until(/held/);
  const running = at(holdfast, `trap : INT; holdfast lock demo -- echo mine; echo "code $?"`);
  await running.until(/waiting for "demo"/);
  running.type("\u0003");
  await running.until(/code 130/);
  assert.doesNotMatch(running.out, /mine/);
});

test("a command at a terminal whose lock is broken is ended with all that it started, and the calling script goes on", {
  skip,
}, async (t) => {
  const holdfast = new Holdfast(t);
  const running = at(
    holdfast,
    `holdfast lock demo -- sh -c 'sleep 600 & sleep 600 & echo held; wait'; echo "code $?"; exit 3`,
  );
  await running.until(/held/);
  await holdfast.print("locks", "break", "demo", "--reason", "enough");
  await running.until(/was lost: broken by .*: enough[\s\S]*code 75/);
  assert.equal((await running.ended).code, 3);
  // The broker looks twice whether anything of the command is left, and may not have done so yet.
  assert.equal((await holdfast.run(["lock", "demo", "-w", "5", "--", "true"])).code, 0);
});

test("what a command at a terminal has started is ended with it at a TERM for us, before the next in line has the lock", {
  skip,
}, async (t) => {
  const holdfast = new Holdfast(t);
  const worker = 'trap "sleep 0.3; echo told; exit" TERM; echo "held $PPID"; while :; do sleep 0.02; done';
  const running = at(holdfast, `holdfast lock demo -- sh -c '(${worker}) & wait'; echo "code $?"`);
  const [, lock] = await running.until(/held (\d+)/);
  const second = holdfast.start(["lock", "demo", "--", "echo", "mine"]);
  await second.until(/waiting for "demo"/);
  process.kill(Number(lock), "SIGTERM");
  await second.until(/mine/);
  assert.match(running.out, /told/);
  await running.until(/code 143/);
});

test("locks --watch draws the table anew in its place, until Ctrl-C", { skip }, async (t) => {
  const holdfast = new Holdfast(t);
  await holdfast.run(["lock", "before", "--", "true"]);
  const watch = at(holdfast, `trap : INT; holdfast locks --watch; echo "code $?"`);
  await watch.until(/no lock is held/);
  const first = holdfast.start(["lock", "demo", "--reason", "first", "--", "sh", "-c", "echo held; exec sleep 600"]);
  await watch.until(/1 lock held, 0 waiters[\s\S]*demo +held +sh .*first/);
  const second = holdfast.start(["lock", "demo", "--", "sh", "-c", "exec sleep 600"]);
  await watch.until(/1 lock held, 1 waiter[\s\S]*1st in line/);
  first.child.kill("SIGTERM");
  await watch.until(new RegExp(`1 lock held, 0 waiters[^]*demo +held +sh +${second.pid}`));
  watch.type("\u0003");
  await watch.until(/code 130/);
  // Up by the lines that were drawn, and all below erased.
  assert.ok(watch.out.includes("\u001b[5A\r\u001b[J"));
  assert.ok(watch.out.indexOf("\u001b[?25h") > watch.out.indexOf("\u001b[?25l"), "the cursor is shown again");
});

test("locks --watch on a narrow terminal draws no line that wraps, and ends after SIGTERM with its code", {
  skip,
}, async (t) => {
  const holdfast = new Holdfast(t);
  const holder = holdfast.start(["lock", "demo", "--reason", "first", "--", "sh", "-c", "echo held; exec sleep 600"]);
  await holder.until(/held/);
  const watch = at(holdfast, 'stty cols 24; holdfast locks --watch & echo "pid $!"; wait $!; echo "code $?"');
  await watch.until(/lease|1 lock held[\s\S]*demo/);
  process.kill(Number(/pid (\d+)/.exec(watch.out)?.[1]), "SIGTERM");
  await watch.until(/code 143/);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what moves the cursor or colours takes no place
  const lines = watch.out.replace(/\u001b\[[?\d;]*[A-Za-z]/g, "").split(/[\r\n]+/);
  const drawn = lines.filter((line) => /1 lock held|^name|demo|─/.test(line));
  assert.ok(drawn.length >= 4, watch.out);
  assert.deepEqual(
    drawn.filter((line) => widthOf(line) > 24),
    [],
  );
});
