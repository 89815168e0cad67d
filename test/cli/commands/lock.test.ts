import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { childrenOf, gone, isGone, kill, known } from "../../support/processes.js";
import { cli, Holdfast, until } from "../holdfast.js";

const [library, testing] = ["index.js", "testing.js"].map((file) => join(dirname(cli), "client", file));

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

test("the command has its lock's name and token in its environment, its own input and output, and of ours only the mark of its lock", async (t) => {
  const holdfast = new Holdfast(t);
  const files = "ls /proc/self/fd | cat";
  const script = `cat; echo "$HOLDFAST_LOCK_NAME $HOLDFAST_LOCK_TOKEN"; ${files}`;
  const { out } = await holdfast.run(["lock", "demo", "--", "sh", "-c", script], { input: "input\n" });
  const [input, names, ...open] = out.trim().split("\n");
  assert.equal(input, "input");
  assert.match(names ?? "", /^demo [1-9]\d*$/);
  if (process.platform !== "linux") return;
  const usual = execFileSync("sh", ["-c", files], { encoding: "utf8" }).trim().split("\n");
  assert.deepEqual(new Set(open), new Set([...usual, "15"]));
  const closed = await holdfast.print("lock", "demo", "-o", "--", "sh", "-c", files);
  assert.deepEqual(closed.trim().split("\n"), usual);
});

test("a command runs under the outer lock too, though what is between them has cleared its environment", async (t) => {
  if (process.platform !== "linux") return;
  const holdfast = new Holdfast(t);
  const inner = [process.execPath, cli, "--dir", holdfast.dir, "lock", "inner"];
  const script = 'printf "%s\\n" "$HOLDFAST_LOCKS"; cat /proc/self/fd/15';
  const { out } = await holdfast.run(["lock", "outer", "--", "env", "-i", ...inner, "--", "sh", "-c", script]);
  const names = (text = "") => (JSON.parse(text) as { name: string }[]).map(({ name }) => name);
  const [told, marked] = out.split("\n");
  assert.deepEqual(names(told), ["outer", "inner"]);
  assert.deepEqual(names(marked), ["outer", "inner"]);
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

test("a lock may have a name that begins with a dash, behind two of them", async (t) => {
  const holdfast = new Holdfast(t);
  const told = ["sh", "-c", "echo $HOLDFAST_LOCK_NAME"];
  assert.equal(await holdfast.print("lock", "--", "-x", ...told), "-x\n");
  assert.equal(await holdfast.print("lock", "-n", "--", "-x", "--", ...told), "-x\n");
  assert.equal(await holdfast.print("elect", "--value", "v", "--", "--also", ...told), "--also\n");
  const first = holdfast.start(["lock", "--", "-x", "sh", "-c", "echo held; exec sleep 600"]);
  await first.until(/held/);
  const refused = await holdfast.run(["lock", "-n", "--", "-x", "true"]);
  assert.equal(refused.code, 75);
  const [, hint = ""] = /`holdfast (.+?)` tells more/.exec(refused.err) ?? [];
  assert.match(await holdfast.print(...hint.split(" ")), /"-x" is held/);
});

test("a wait for a lock that is interrupted while the broker stands still ends", async (t) => {
  const holdfast = new Holdfast(t);
  const first = holdfast.start(["lock", "demo", "--", "sh", "-c", "echo held; exec sleep 600"]);
  await first.until(/held/);
  const waiting = holdfast.start(["lock", "demo", "--", "echo", "mine"]);
  await waiting.until(/waiting for "demo"/);
  await holdfast.whileStopped(async () => {
    waiting.child.kill("SIGQUIT");
    await until(() => waiting.child.exitCode !== null, "the end of what was interrupted");
  });
  assert.deepEqual([waiting.child.exitCode, waiting.out], [131, ""]);
  await until(
    async () => !(await holdfast.print("locks", "show", "demo")).includes("in line"),
    "the place in the queue to be given up",
  );
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

test("with -q a lock that is not got is told by the exit code alone, and what goes wrong is said", async (t) => {
  const holdfast = new Holdfast(t);
  const first = holdfast.start(["lock", "demo", "--", "sh", "-c", "echo held; exec sleep 600"]);
  await first.until(/held/);
  for (const wait of [["-n"], ["-w", "50ms"]])
    assert.deepEqual(await holdfast.run(["lock", "demo", "-q", ...wait, "--", "true"]), { code: 75, out: "", err: "" });
  assert.match((await holdfast.run(["lock", "other", "-q", "-n", "--", "/nowhere"])).err, /command not found/);
});

test("flock's letters mean what they mean there", async (t) => {
  const holdfast = new Holdfast(t);
  const first = holdfast.start(["lock", "demo", "-s", "--", "sh", "-c", "echo held; exec sleep 600"]);
  await first.until(/held/);
  const mine = async (...options: string[]) => {
    const { code, out } = await holdfast.run(["lock", "demo", ...options, "--", "echo", "mine"]);
    return [code, out];
  };
  assert.deepEqual(await mine("-s", "-n"), [0, "mine\n"]);
  assert.deepEqual(await mine("--shared", "--nonblock"), [0, "mine\n"]);
  for (const options of [["-n"], ["-x", "--nb"], ["-e", "--timeout", "0"], ["-w", "0.05", "-o"]])
    assert.deepEqual(await mine(...options), [75, ""], options.join(" "));
});

test("slots are taken up to their number, and several locks all or none", async (t) => {
  const holdfast = new Holdfast(t);
  const first = holdfast.start(["lock", "a", "--also", "b=shared", "--", "sh", "-c", "echo held; exec sleep 600"]);
  await first.until(/held/);
  const second = holdfast.start([
    "lock",
    "gpu",
    "--slots",
    "3",
    "--take",
    "2",
    "--",
    "sh",
    "-c",
    "echo held; exec sleep 600",
  ]);
  await second.until(/held/);
  const code = async (...words: string[]) => (await holdfast.run(["lock", ...words, "-n", "--", "true"])).code;
  assert.equal(await code("b", "-s"), 0);
  assert.equal(await code("c", "--also", "b"), 75);
  assert.equal(await code("gpu", "--take", "1"), 0);
  assert.equal(await code("gpu", "--take", "2"), 75);
  const refused = await holdfast.run(["lock", "gpu", "--slots", "4", "--", "true"]);
  assert.deepEqual([refused.code, refused.err], [1, 'holdfast: "gpu" has 3 slots, not 4\n']);
});

test("a wait of a second tells once who has the lock", async (t) => {
  const holdfast = new Holdfast(t);
  const first = holdfast.start(["lock", "a", "--", "sh", "-c", "echo held; sleep 1000"]);
  await first.until(/held/);
  const { code, err } = await holdfast.run(["lock", "a", "-w", "1", "--", "true"]);
  assert.equal(code, 75);
  assert.match(err, /^holdfast: did not get "a" after 1.0 s: held by/);
});

test("a command that asks for the lock under which it runs is refused at once, with a sentence that says why", async (t) => {
  const holdfast = new Holdfast(t);
  const nested = [process.execPath, cli, "lock", "a", "--", "echo", "never"];
  const { code, out, err } = await holdfast.run(["lock", "a", "--", ...nested]);
  assert.deepEqual([code, out], [75, ""]);
  assert.match(err, /"a" is held by the command that this one runs under \(.*\), which waits for it to end/);
  const atOnce = await holdfast.run(["lock", "a", "--", ...nested.toSpliced(4, 0, "-n")]);
  assert.equal(atOnce.code, 75);
  assert.match(atOnce.err, /"a" is held by the command that this one runs under \(.*\), which waits for it to end\n$/);
  const deep = await holdfast.run(["lock", "a", "--", process.execPath, cli, "lock", "b", "--", ...nested]);
  assert.equal(deep.code, 75);
  assert.match(deep.err, /runs under/);
  const shares = await holdfast.run(["lock", "a", "-s", "--", ...nested.toSpliced(4, 0, "-s")]);
  assert.equal(shares.out, "never\n");
});

test("two commands that would wait for each other for ever: one is refused with the circle, the other goes on", async (t) => {
  const holdfast = new Holdfast(t);
  const fifo = join(holdfast.dir, "both");
  execFileSync("mkfifo", [fifo]);
  const inner = (name: string) => `"${process.execPath}" "${cli}" lock ${name} -- echo has both`;
  // Each holds its own lock before either asks for the other's: the one waits for the other at the pipe.
  const one = holdfast.start(["lock", "a", "--", "sh", "-c", `echo > ${fifo}; ${inner("b")}`]);
  const two = holdfast.start(["lock", "b", "--", "sh", "-c", `cat ${fifo}; ${inner("a")}`]);
  const ends = await Promise.all([one.ended, two.ended]);
  assert.deepEqual(ends.map(({ code }) => code).sort(), [0, 75]);
  const refused = ends.find(({ code }) => code === 75);
  assert.match(
    refused?.err ?? "",
    /to wait for "[ab]" would never end: .* waits for "[ab]", held by .*; .* waits for "[ab]", held by /,
  );
  assert.match(ends.find(({ code }) => code === 0)?.out ?? "", /has both/);
});

test("all that runs under a lock is told so: names, token, and what proves it", async (t) => {
  const holdfast = new Holdfast(t);
  const script = 'echo "$HOLDFAST_LOCKS"; echo "$HOLDFAST_LOCK_SESSION"';
  const inner = [process.execPath, cli, "lock", "b", "--also", "c", "--", "sh", "-c", script];
  const { out } = await holdfast.run(["lock", "a", "--", ...inner]);
  const [locks = "", secret = ""] = out.trim().split("\n");
  const carried = JSON.parse(locks) as { name: string; token: number; session: string }[];
  assert.deepEqual(
    carried.map(({ name }) => name),
    ["a", "b", "c"],
  );
  assert.equal(carried[1]?.token, carried[2]?.token);
  assert.ok((carried[1]?.token ?? 0) > (carried[0]?.token ?? 0));
  assert.match(secret, /^[\w-]{43}$/);
  assert.match(carried[0]?.session ?? "", /^[0-9a-f]{32}$/);
  assert.notEqual(carried[0]?.session, carried[1]?.session);
});

test("when `holdfast lock` itself is killed, its command is ended before the next in line has the lock", async (t) => {
  const holdfast = new Holdfast(t);
  const log = join(holdfast.dir, "order");
  const script = `trap 'sleep 0.3; echo told >> ${log}; exit' TERM; echo held; while :; do sleep 0.02; done`;
  const first = holdfast.start(["lock", "demo", "--", "sh", "-c", script]);
  await first.until(/held/);
  const second = holdfast.start(["lock", "demo", "--", "sh", "-c", `echo next >> ${log}`]);
  await second.until(/waiting for "demo"/);
  first.child.kill("SIGKILL");
  assert.equal((await second.ended).code, 0);
  assert.equal(readFileSync(log, "utf8"), "told\nnext\n");
});

// rule 24
test("a command that has cleared its environment, or has got no file of ours, is ended all the same", async (t) => {
  const holdfast = new Holdfast(t);
  const log = join(holdfast.dir, "order");
  // What it starts inherits what is left.
  const script = `(trap 'echo told >> ${log}; exit' TERM; echo held; while :; do sleep 0.02; done) & echo pids $! $$; wait`;
  for (const words of [
    ["--", "env", "-i", `PATH=${process.env["PATH"]}`, "sh", "-c", script],
    ["-o", "--", "sh", "-c", script],
  ]) {
    rmSync(log, { force: true });
    const first = holdfast.start(["lock", "demo", ...words]);
    const [, ...pids] = await first.until(/pids (\d+) (\d+)/);
    await first.until(/held/);
    const command = pids.map((pid) => known(Number(pid)));
    t.after(() => {
      for (const one of command) kill(one, "SIGKILL");
    });
    const second = holdfast.start(["lock", "demo", "--", "sh", "-c", `echo next >> ${log}`]);
    await second.until(/waiting for "demo"/);
    first.child.kill("SIGKILL");
    assert.equal((await second.ended).code, 0);
    assert.equal(readFileSync(log, "utf8"), "told\nnext\n");
  }
});

test("a broker that a command has started is not ended with it", async (t) => {
  const [holdfast, other] = [new Holdfast(t), new Holdfast(t)];
  const script = `HOLDFAST_DIR=${other.dir} ${process.execPath} ${cli} sql 'select 1'; echo held; exec sleep 600`;
  const first = holdfast.start(["lock", "demo", "--", "sh", "-c", script]);
  await first.until(/held/);
  const pid = other.brokerPid();
  first.child.kill("SIGKILL");
  await holdfast.print("lock", "demo", "--", "true");
  await other.print("--no-start", "sql", "select 1");
  assert.equal(other.brokerPid(), pid);
});

test("a broker that a program under the lock has started goes on when the program is ended", async (t) => {
  const [holdfast, other] = [new Holdfast(t), new Holdfast(t)];
  const program = `const { connect } = await import(${JSON.stringify(library)});
    const broker = await connect({ dir: ${JSON.stringify(other.dir)} });
    await broker.execute("create table t (a)");
    console.log("held");`;
  const words = [process.execPath, "--input-type=module", "-e", program];
  const first = holdfast.start(["lock", "demo", "--", ...words]);
  await first.until(/held/);
  const broker = known(other.brokerPid() ?? 0);
  const children = childrenOf(broker.pid);
  assert.ok(children.length > 0);
  await holdfast.print("locks", "break", "demo");
  assert.equal((await first.ended).code, 75);
  assert.deepEqual([broker, ...children].filter(isGone), []);
  await other.print("--no-start", "sql", "select * from t");
  assert.equal(other.brokerPid(), broker.pid);
});

test("a broker of a test's own ends with the test when that is ended with its lock", async (t) => {
  const holdfast = new Holdfast(t);
  const program = `const { ephemeralBroker } = await import(${JSON.stringify(testing)});
    const own = await ephemeralBroker();
    console.log("held", own.pid, own.dir);
    setInterval(() => {}, 1e6);`;
  const first = holdfast.start(["lock", "demo", "--", process.execPath, "--input-type=module", "-e", program]);
  const [, pid, dir = ""] = await first.until(/held (\d+) (\S+)/);
  const broker = known(Number(pid));
  t.after(() => {
    kill(broker, "SIGKILL");
    rmSync(dir, { recursive: true, force: true });
  });
  await holdfast.print("locks", "break", "demo");
  assert.equal((await first.ended).code, 75);
  await gone("the broker", broker);
  assert.ok(!existsSync(dir));
});

test("with --on-lost warn the command outlives its lock, and says so itself", async (t) => {
  const holdfast = new Holdfast(t);
  const script = "echo held; read line; echo still here; exit 6";
  const fifo = join(holdfast.dir, "go on");
  execFileSync("mkfifo", [fifo]);
  const first = holdfast.start([
    "lock",
    "demo",
    "--on-lost",
    "warn",
    "--",
    "sh",
    "-c",
    `${script.replace("read line", `cat "${fifo}"`)}`,
  ]);
  await first.until(/held/);
  await holdfast.print("locks", "break", "demo");
  await first.until(/the lock "demo" .* was lost[\s\S]*sh goes on without it/);
  assert.equal((await holdfast.run(["lock", "demo", "-n", "--", "true"])).code, 0);
  writeFileSync(fifo, "");
  const { code, out } = await first.ended;
  assert.deepEqual([code, out], [6, "held\nstill here\n"]);
});

test("a lease is kept while the command runs, and its length is shown", async (t) => {
  const holdfast = new Holdfast(t);
  const first = holdfast.start(["lock", "demo", "--ttl", "1d", "--", "sh", "-c", "echo held; exec sleep 600"]);
  await first.until(/held/);
  assert.match(await holdfast.print("locks", "show", "demo"), /lease ends in 2[34] h|lease ends in 1 d/);
  for (const [ttl, words] of [
    ["10ms", /--ttl \(ms\) is 10, and must be at least 1000/],
    ["0", /--ttl wants a length of time above 0/],
  ] as const) {
    const refused = await holdfast.run(["lock", "other", "--ttl", ttl, "--", "true"]);
    assert.equal(refused.code, 64);
    assert.match(refused.err, words);
  }
});

test("a holder that stands still beyond its lease loses its lock, and its command is ended before the next has it", async (t) => {
  const holdfast = new Holdfast(t);
  const log = join(holdfast.dir, "order");
  const script = `trap 'echo told >> ${log}; exit' TERM; echo held; while :; do sleep 0.02; done`;
  const first = holdfast.start(["lock", "demo", "--ttl", "2s", "--", "sh", "-c", script]);
  await first.until(/held/);
  first.child.kill("SIGSTOP");
  const { code } = await holdfast.run(["lock", "demo", "--", "sh", "-c", `echo next >> ${log}`]);
  assert.equal(code, 0);
  assert.equal(readFileSync(log, "utf8"), "told\nnext\n");
  first.child.kill("SIGCONT");
  const { code: lost, err } = await first.ended;
  assert.ok(lost === 75 || lost === 0, `${lost}: ${err}`);
});

test("a holder and a broker that stood still: the command is ended before the next in line has the lock, whoever wakes first", async (t) => {
  const holdfast = new Holdfast(t);
  const log = join(holdfast.dir, "order");
  const script = `trap 'sleep 0.5; echo told >> ${log}; exit' TERM; echo held; while :; do sleep 0.02; done`;
  const first = holdfast.start(["lock", "demo", "--ttl", "3s", "--", "sh", "-c", script]);
  await first.until(/held/);
  const second = holdfast.start(["lock", "demo", "--", "sh", "-c", `echo next >> ${log}`]);
  await second.until(/waiting for "demo"/);
  const broker = holdfast.brokerPid() ?? 0;
  process.kill(broker, "SIGSTOP");
  first.child.kill("SIGSTOP");
  const stoppedAt = performance.now();
  await until(() => performance.now() - stoppedAt > 3500, "the lease to be over");
  first.child.kill("SIGCONT");
  await first.until(/was lost: .*\n +ending sh, which relied on it/);
  process.kill(broker, "SIGCONT");
  assert.equal((await second.ended).code, 0);
  assert.equal(readFileSync(log, "utf8"), "told\nnext\n");
  assert.equal((await first.ended).code, 75);
});

for (const onLost of ["kill", "warn"])
  test(`a lock that is lost before its holder hears of the grant starts no command (${onLost})`, async (t) => {
    const holdfast = new Holdfast(t);
    const first = holdfast.start(["lock", "demo", "--", "sh", "-c", "echo held; exec cat"], { input: "open" });
    await first.until(/held/);
    const second = holdfast.start(["lock", "demo", "--on-lost", onLost, "--", "echo", "started"]);
    await second.until(/waiting for "demo"/);
    second.child.kill("SIGSTOP");
    first.child.stdin?.end();
    await first.ended;
    await holdfast.print("locks", "break", "demo");
    second.child.kill("SIGCONT");
    const { code, out, err } = await second.ended;
    assert.deepEqual([code, out], [75, ""]);
    assert.match(err, /the lock "demo" \(token \d+\) was lost: .*\n +echo was not started/);
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

test("what an interrupted command leaves running is ended before the next in line has the lock, and told so once", async (t) => {
  const holdfast = new Holdfast(t);
  const log = join(holdfast.dir, "order");
  // A second TERM would end it, and one to what it has started to clean up would be seen.
  const cleanUp = `trap - TERM; sh -c "sleep 0.4" || exit; echo cleaned >> ${log}; exit`;
  const worker = `trap '${cleanUp}' TERM; echo held; while :; do sleep 0.02; done`;
  const first = holdfast.start(["lock", "demo", "--", "sh", "-c", `(${worker}) & wait`]);
  await first.until(/held/);
  const second = holdfast.start(["lock", "demo", "--", "sh", "-c", `echo next >> ${log}`]);
  await second.until(/waiting for "demo"/);
  first.child.kill("SIGTERM");
  assert.equal((await first.ended).code, 143);
  assert.equal((await second.ended).code, 0);
  assert.equal(readFileSync(log, "utf8"), "cleaned\nnext\n");
});

test("a command that ends by itself may leave something running, which does not keep its lock", async (t) => {
  const holdfast = new Holdfast(t);
  const left = "sleep 600 > /dev/null 2>&1 & echo pid $!";
  const [, pid] = /pid (\d+)/.exec(await holdfast.print("lock", "demo", "--", "sh", "-c", left)) ?? [];
  const daemon = known(Number(pid));
  t.after(() => kill(daemon, "SIGKILL"));
  assert.equal((await holdfast.run(["lock", "demo", "-n", "--", "true"])).code, 0);
  assert.ok(!isGone(daemon));
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
  assert.match(err, /the lock "demo" \(token \d+\) was lost: .*\n +ending sh, which relied on it/);
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
