/** Looking at locks, and stepping in. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Broker, connect } from "../../../src/client/index.js";
import { Holdfast, type Running } from "../holdfast.js";

/** A command that holds the lock until it is told to end. */
async function holding(holdfast: Holdfast, name: string, ...options: string[]): Promise<Running> {
  const running = holdfast.start(["lock", name, ...options, "--", "sh", "-c", "echo held; exec sleep 600"]);
  await running.until(/held/);
  return running;
}

/** One that waits for it; it says so when it has it. */
async function waiting(holdfast: Holdfast, name: string, ...options: string[]): Promise<Running> {
  const running = holdfast.start(["lock", name, ...options, "--", "echo", "got it"]);
  await running.until(new RegExp(`waiting for "${name}"`));
  return running;
}

interface Row {
  readonly name: string;
  readonly holders: { readonly session: string; readonly token: number; readonly pid: number }[];
  readonly waiters: { readonly session: string; readonly pid: number }[];
}

async function row(holdfast: Holdfast, name: string): Promise<Row> {
  return JSON.parse(await holdfast.print("locks", "show", name, "--json")) as Row;
}

test("locks lists who holds and who waits: as a table, as lines for programs, as JSON, and only what is asked for", async (t) => {
  const holdfast = new Holdfast(t);
  const first = await holding(holdfast, "deploy/prod", "--reason", "release build");
  await holding(holdfast, "gpu", "--slots", "4", "--take", "2");
  const second = await waiting(holdfast, "deploy/prod", "-s");
  const table = await holdfast.print("locks", "--table");
  assert.match(
    table,
    new RegExp(`deploy/prod +held +sh +${first.pid} .*release build\\n +1st in line to share it +echo +${second.pid}`),
  );
  assert.match(table, /gpu +2 of 4 slots +sh/);
  const lines = (await holdfast.print("locks"))
    .trim()
    .split("\n")
    .map((line) => line.split("\t"));
  assert.deepEqual(
    lines.map(([name, role, place, mode, take]) => [name, role, place, mode, take]),
    [
      ["deploy/prod", "holder", "", "exclusive", ""],
      ["deploy/prod", "waiter", "1", "shared", ""],
      ["gpu", "holder", "", "semaphore", "2"],
    ],
  );
  const names = async (...options: string[]) =>
    (JSON.parse(await holdfast.print("locks", "--json", ...options)) as Row[]).map(({ name }) => name);
  assert.deepEqual(await names(), ["deploy/prod", "gpu"]);
  assert.deepEqual(await names("--prefix", "deploy/"), ["deploy/prod"]);
  assert.deepEqual(await names("--contended"), ["deploy/prod"]);
  const { waiters } = await row(holdfast, "deploy/prod");
  assert.deepEqual(await names("--session", waiters[0]?.session ?? ""), ["deploy/prod"]);
  assert.match(
    await holdfast.print("locks", "show", "deploy/prod"),
    /held by sh \(pid.*token \d+, session [0-9a-f]{32}\n +1st in line: echo/,
  );
});

test("history tells what happened to a name, with who and why", async (t) => {
  const holdfast = new Holdfast(t);
  await holdfast.run(["lock", "demo", "--reason", "first", "--", "true"]);
  await holdfast.run(["lock", "demo", "-s", "--", "true"]);
  const lines = (await holdfast.print("locks", "history", "demo"))
    .trim()
    .split("\n")
    .map((line) => line.split("\t"));
  assert.deepEqual(
    lines.map(([, name, event, program, , , , reason = ""]) => [name, event, program, reason]),
    [
      ["demo", "granted", "true", "first"],
      ["demo", "released", "true", ""],
      ["demo", "granted", "true", ""],
      ["demo", "released", "true", ""],
    ],
  );
  assert.equal((await holdfast.print("locks", "history", "demo", "--max", "1")).trim().split("\n").length, 1);
});

test("break takes a lock away: its command is ended and told why, the next in line has it", async (t) => {
  const holdfast = new Holdfast(t);
  const first = await holding(holdfast, "demo");
  const second = await waiting(holdfast, "demo");
  assert.match(await holdfast.print("locks", "break", "demo", "--reason", "stuck"), /"demo" was taken from sh \(pid/);
  const lost = await first.ended;
  assert.equal(lost.code, 75);
  assert.match(lost.err, /the lock "demo" .* was lost: broken by holdfast \(pid \d+\): stuck\n +ending sh/);
  assert.equal((await second.ended).out, "got it\n");
  const nobody = await holdfast.run(["locks", "break", "demo"]);
  assert.deepEqual([nobody.code, nobody.err], [1, 'holdfast: "demo" is not held\n']);
});

test("break with a grace waits for the holder to give the lock back itself", async (t) => {
  const holdfast = new Holdfast(t);
  const first = await holding(holdfast, "demo");
  const breaking = holdfast.start(["locks", "break", "demo", "--grace", "10m", "--reason", "an upgrade"]);
  await first.until(/holdfast: "demo" is to be given back within 10 min, says holdfast \(pid \d+\): an upgrade\n/);
  first.child.kill("SIGTERM");
  assert.match((await breaking.ended).out, /has released "demo"/);
});

test("transfer hands a lock to one that waits, by its session or by its process number", async (t) => {
  const holdfast = new Holdfast(t);
  const first = await holding(holdfast, "demo");
  const early = await waiting(holdfast, "demo");
  const late = holdfast.start(["lock", "demo", "--", "sh", "-c", "echo got it; exec sleep 600"]);
  await late.until(/waiting for "demo"/);
  const { waiters } = await row(holdfast, "demo");
  const unknown = await holdfast.run(["locks", "transfer", "demo", "ffffffff"]);
  assert.deepEqual([unknown.code, unknown.out], [1, ""]);
  assert.match(unknown.err, /nobody waits whose session or process is ffffffff/);
  const empty = await holdfast.run(["locks", "transfer", "demo", ""]);
  assert.deepEqual([empty.code, empty.out], [64, ""]);
  assert.equal((await row(holdfast, "demo")).holders[0]?.pid, first.pid);
  assert.match(await holdfast.print("locks", "transfer", "demo", String(late.pid)), /"demo" goes to sh \(pid/);
  await late.until(/got it/);
  assert.equal((await first.ended).code, 75);
  assert.match(
    await holdfast.print("locks", "transfer", "demo", waiters[0]?.session.slice(0, 12) ?? ""),
    /goes to echo/,
  );
  assert.equal((await early.ended).out, "got it\n");
});

test("transfer hands a lock also to one that waits beyond those that are listed, by its whole session", async (t) => {
  const holdfast = new Holdfast(t);
  await holding(holdfast, "demo");
  const connected = async () => {
    const broker = await connect({ dir: holdfast.dir, start: false, env: {} });
    t.after(() => broker.close());
    return broker;
  };
  const [many, late] = [await connected(), await connected()];
  const queued = (broker: Broker) =>
    new Promise<void>((resolve) => {
      broker.acquire("demo", { under: [], onQueued: () => resolve() }).catch(() => {});
    });
  for (let waiters = 0; waiters < 100; waiters++) await queued(many);
  let told = () => {};
  const isQueued = new Promise<void>((resolve) => {
    told = resolve;
  });
  const got = late.acquire("demo", { onQueued: () => told() });
  await isQueued;
  assert.ok((await row(holdfast, "demo")).waiters.every(({ session }) => session !== late.session));
  const nobody = await holdfast.run(["locks", "transfer", "demo", "f".repeat(32)]);
  assert.deepEqual([nobody.code, nobody.out], [1, ""]);
  assert.match(nobody.err, /does not wait/);
  assert.match(await holdfast.print("locks", "transfer", "demo", late.session), /"demo" goes to session/);
  assert.ok((await got).held);
});

test("resize gives a name more slots, and who waited for them has them", async (t) => {
  const holdfast = new Holdfast(t);
  await holding(holdfast, "gpu", "--slots", "1");
  const second = holdfast.start(["lock", "gpu", "--take", "2", "-n", "--", "true"]);
  assert.equal((await second.ended).code, 1);
  const third = await waiting(holdfast, "gpu", "--slots", "1");
  assert.match((await holdfast.run(["locks", "resize", "gpu", "2"])).err, /"gpu" has 2 slots now/);
  assert.equal((await third.ended).out, "got it\n");
  assert.match((await holdfast.run(["locks", "resize", "gpu", "none"])).err, /"none" is not a number of slots/);
});

test("--watch tells events as lines where there is no terminal, as they come", async (t) => {
  const holdfast = new Holdfast(t);
  await holdfast.run(["lock", "before", "--", "true"]);
  const watch = holdfast.start(["locks", "--watch", "--json", "--prefix", "de"]);
  await watch.until(/"kind":"snapshot"/);
  await holdfast.run(["lock", "demo", "--", "true"]);
  await holdfast.run(["lock", "other", "--", "true"]);
  await watch.until(/"kind":"released"/);
  watch.child.kill("SIGTERM");
  const { out } = await watch.ended;
  const kinds = out
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as { kind: string }).kind);
  assert.deepEqual(kinds, ["snapshot", "granted", "released"]);
});

test("looking and stepping in start no broker", async (t) => {
  const holdfast = new Holdfast(t);
  assert.equal((await holdfast.run(["locks", "history", "demo"])).code, 0);
  assert.match((await holdfast.run(["locks", "break", "demo"])).err, /"demo" is not held: no broker runs/);
  assert.equal((await holdfast.run(["locks", "--watch"])).code, 69);
  assert.equal(holdfast.brokerPid(), undefined);
});
