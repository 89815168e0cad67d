import assert from "node:assert/strict";
import { test } from "node:test";
import { startCommand } from "../../src/cli/child.js";

const env = process.env;

test("the end of a command is told as a shell tells it", async () => {
  for (const [words, code] of [
    [["true"], 0],
    [["sh", "-c", "exit 7"], 7],
    [["sh", "-c", "kill -TERM $$"], 143],
    [["sh", "-c", "kill -KILL $$"], 137],
  ] as const)
    assert.equal((await startCommand(words, { env, ownGroup: true }).ended).exitCode, code, words.join(" "));
});

test("a command that is not there ends with 127, one that cannot be executed with 126", async () => {
  const missing = await startCommand(["no-such-command-here"], { env, ownGroup: true }).ended;
  assert.deepEqual(missing, { exitCode: 127, complaint: "no-such-command-here: command not found" });
  const refused = await startCommand(["/etc/passwd"], { env, ownGroup: true }).ended;
  assert.equal(refused.exitCode, 126);
  assert.match(refused.complaint ?? "", /\/etc\/passwd: cannot be executed/);
});

/** The command says that it is ready by a signal that is not passed on to it, and that nobody minds. */
const ready = () => new Promise((resolve) => process.once("SIGWINCH", resolve));

for (const ownGroup of [true, false])
  test(`stopping reaches what the command has started (${ownGroup ? "own group" : "the terminal's group"})`, async () => {
    const deaf = ready();
    // The shell and its child ignore TERM: only KILL can end them.
    const running = startCommand(["sh", "-c", "trap '' TERM; kill -WINCH $PPID; sleep 60; exit 3"], { env, ownGroup });
    await deaf;
    await running.stop(40);
    assert.equal((await running.ended).exitCode, 137);
  });

test("a command that ends at TERM is given its time and is not killed", async () => {
  const listens = ready();
  const script =
    "process.on('SIGTERM',()=>process.exit(5));setInterval(()=>{},1e6);process.kill(process.ppid,'SIGWINCH')";
  const running = startCommand([process.execPath, "-e", script], { env, ownGroup: true });
  await listens;
  await running.stop(60_000);
  assert.equal((await running.ended).exitCode, 5);
});

test("a signal is passed on to a command that has a group of its own, once", async () => {
  const listens = ready();
  const script =
    "let n=0;process.on('SIGUSR2',()=>{n++;setTimeout(()=>process.exit(n),50)});setInterval(()=>{},1e6);process.kill(process.ppid,'SIGWINCH')";
  const running = startCommand([process.execPath, "-e", script], { env, ownGroup: true });
  await listens;
  process.kill(process.pid, "SIGUSR2");
  assert.equal((await running.ended).exitCode, 1);
});
