/** Real brokers: what they do with signals, with idleness, and when the ground is taken from under them. */
import assert from "node:assert/strict";
import { existsSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Front, Home } from "../support/broker.js";
import { until, within } from "../support/patience.js";
import { childrenOf, gone, kill, stop } from "../support/processes.js";

function said(front: Front, what: RegExp): Promise<boolean> {
  return until(`${what} in the log`, () => what.test(front.output));
}

test("a broker that was killed leaves its socket behind, and the next one takes its place", async (t) => {
  const home = new Home(t);
  const first = await home.start();
  await first.kill();
  assert.ok(existsSync(home.socket));
  await home.start();
  await (await home.wire()).call("session.ping", {});
});

test("TERM ends a broker with clients: they are told, and no process is left", async (t) => {
  const home = new Home(t);
  const front = await home.start();
  const wire = await home.wire();
  const children = childrenOf(front.pid);
  assert.ok(children.length > 0);
  assert.deepEqual(await front.stop(), { code: 0, signal: null });
  await wire.notice("session.closing");
  assert.equal((await wire.closed).code, 1012);
  for (const child of children) await gone("a child", child);
});

test("INT to the whole group, as Ctrl-C sends it, ends a broker in good order", async (t) => {
  const home = new Home(t);
  const front = await home.start();
  const wire = await home.wire();
  await wire.call("db.execute", { sql: "create table t (a)", key: wire.key() });
  process.kill(-front.pid, "SIGINT");
  assert.deepEqual(await within("the end", front.exited), { code: 0, signal: null });
  assert.match(front.output, /stopped \(SIGINT\)/);
});

test("two signals that come at once, as under npm, end a broker in good order", async (t) => {
  const home = new Home(t);
  const front = await home.start();
  const wire = await home.wire();
  await wire.call("db.execute", { sql: "create table t (a)", key: wire.key() });
  // It hears of both when it goes on. The system keeps two of one kind as one.
  await stop(front.known);
  for (const signal of ["SIGINT", "SIGTERM", "SIGCONT"] as const) kill(front.known, signal);
  assert.deepEqual(await within("the end", front.exited), { code: 0, signal: null });
  assert.match(front.output, /stopped \(SIGINT\)/);
  assert.equal(existsSync(home.socket), false);
});

test("a later signal ends a broker at once, with the code of the signal", async (t) => {
  const home = new Home(t);
  const front = await home.start();
  const wire = await home.wire();
  // A good end waits for what is under way; this is for a long time.
  const endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) from n";
  void wire.post("db.query", { sql: endless }).catch(() => undefined);
  await until("the statement to run", async () => (await home.status()).reads.running === 1);
  kill(front.known, "SIGTERM");
  await said(front, /"msg":"stopping"/);
  let ended = false;
  void front.exited.finally(() => {
    ended = true;
  });
  // Those of the first half second are the first one.
  await until("the end", () => {
    if (!ended) kill(front.known, "SIGINT");
    return ended;
  });
  assert.deepEqual(await front.exited, { code: 130, signal: null });
});

test("a signal ends also a broker whose start does not come to its end", async (t) => {
  const home = new Home(t);
  const front = home.launch();
  await said(front, /"msg":"starting"/);
  const writer = await until("its writer", () => home.notedChildren()[0]);
  t.after(() => kill(writer, "SIGKILL"));
  await stop(writer);
  kill(front.known, "SIGTERM");
  assert.deepEqual(await within("the end", front.exited), { code: 1, signal: null });
  assert.match(front.output, /ending at once: SIGTERM came, and the start does not come to its end/);
});

test("a client can ask a broker to end", async (t) => {
  const home = new Home(t);
  const front = await home.start();
  const wire = await home.wire();
  await wire.call("admin.stop", {});
  assert.deepEqual(await within("the end", front.exited), { code: 0, signal: null });
});

test("USR1 opens no inspector: it asks the log how things are, and so does USR2", async (t) => {
  const home = new Home(t);
  const front = await home.start();
  for (const signal of ["SIGUSR1", "SIGUSR2"] as const) {
    front.output = "";
    kill(front.known, signal);
    await said(front, /"msg":"how things are"/);
    assert.doesNotMatch(front.output, /Debugger listening/);
  }
  assert.equal((await front.stop()).code, 0);
});

test("a spawned broker does not care about the terminal of who started it", async (t) => {
  const home = new Home(t);
  const front = await home.start({ args: ["--spawned"] });
  kill(front.known, "SIGHUP");
  front.child.stdout?.destroy();
  front.child.stderr?.destroy();
  assert.equal((await home.status()).pid, front.pid);
});

test("a foreground broker whose output is closed goes on", async (t) => {
  const home = new Home(t);
  const front = await home.start();
  front.child.stdout?.destroy();
  front.child.stderr?.destroy();
  kill(front.known, "SIGUSR1");
  assert.equal((await home.status()).pid, front.pid);
  assert.deepEqual(await front.stop(), { code: 0, signal: null });
});

test("a spawned broker that nobody needs leaves, and takes its socket along", async (t) => {
  const home = new Home(t);
  const front = await home.start({ args: ["--spawned"], limits: { idleExitMs: 1000 } });
  assert.deepEqual(await within("the broker to leave", front.exited), { code: 0, signal: null });
  assert.equal(existsSync(home.socket), false);
});

test("a spawned broker with a client stays, and leaves when the client has gone", async (t) => {
  const home = new Home(t);
  // Until the client comes it has nobody.
  const front = await home.start({ args: ["--spawned"], limits: { idleExitMs: 3000 } });
  const wire = await home.wire();
  const other = await home.start({
    args: ["--spawned", "--dir", join(home.dir, "other")],
    limits: { idleExitMs: 3000 },
  });
  await within("another broker to leave", other.exited);
  await wire.call("session.ping", {});
  await wire.call("session.goodbye", {});
  await wire.drop();
  assert.deepEqual(await within("the broker to leave", front.exited), { code: 0, signal: null });
});

test("a foreground broker that nobody needs stays", async (t) => {
  const home = new Home(t);
  const front = await home.start({ limits: { idleExitMs: 1000 } });
  const other = await home.start({
    args: ["--spawned", "--dir", join(home.dir, "other")],
    limits: { idleExitMs: 1000 },
  });
  await within("another broker to leave", other.exited);
  assert.equal((await home.status()).pid, front.pid);
});

test("a broker whose directory is gone ends, and leaves no process behind", async (t) => {
  const home = new Home(t);
  const front = await home.start({ args: ["--spawned"] });
  const children = childrenOf(front.pid);
  rmSync(home.dir, { recursive: true });
  await within("the broker's end", front.exited);
  for (const child of children) await gone("a child", child);
});

test("a broker whose socket somebody took away ends in good order, and a supervised one says that it should be started again", async (t) => {
  for (const [args, code] of [
    [["--spawned"], 0],
    [[], 1],
  ] as const) {
    const home = new Home(t);
    const front = await home.start({ args });
    rmSync(home.socket);
    assert.deepEqual(await within("the broker's end", front.exited), { code, signal: null });
  }
});

test("a broker whose database was replaced ends at once and says why", async (t) => {
  const home = new Home(t);
  const front = await home.start();
  writeFileSync(`${home.database}.backup`, "");
  renameSync(`${home.database}.backup`, home.database);
  assert.deepEqual(await within("the broker's end", front.exited), { code: 1, signal: null });
  assert.match(front.output, /ending at once: the database .* is gone or was replaced/);
});
