/**
 * How a broker comes about when somebody needs it and goes when nobody does; that there is never more than one; and
 * that whoever must not start one, does not.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Home } from "../support/broker.js";
import { built } from "../support/built.js";
import { Canary } from "../support/canary.js";
import { until, within } from "../support/patience.js";
import { gone, isGone, kill } from "../support/processes.js";

const newcomer = fileURLToPath(new URL("./newcomer.main.js", import.meta.url));

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(args: readonly string[]): Promise<Ended> {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("HOLDFAST_")));
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  const said = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name].on("data", (text) => {
      said[name] += String(text);
    });
  const ended = new Promise<Ended>((resolve) => child.once("close", (code) => resolve({ code, ...said })));
  return within(`the end of ${args.join(" ")}`, ended);
}

test("fifty programs that begin at once, and find no broker, get one broker and no error", async (t) => {
  const home = new Home(t);
  const endings = await Promise.all(
    Array.from({ length: 50 }, (_, n) => run([newcomer, built.library, home.dir, String(n), "idleExitMs=60000"])),
  );
  for (const { code, stderr } of endings) assert.equal(code, 0, stderr);
  const found = new Set(endings.map(({ stdout }) => stdout.trim()));
  assert.equal(found.size, 1, `brokers ${[...found].join(", ")}`);
  const broker = await home.connect();
  assert.deepEqual({ ...(await broker.get("select count(*) as n from newcomer")) }, { n: 50 });
  const log = readFileSync(join(home.dir, "log", "holdfast.log"), "utf8");
  assert.equal(log.split("\n").filter((line) => line.includes('"ready"')).length, 1, log);
});

test("a broker that was started by a client ends when nobody needs it, and the next client gets another", async (t) => {
  const home = new Home(t);
  const first = await run([newcomer, built.library, home.dir, "1", "idleExitMs=3000"]);
  assert.equal(first.code, 0, first.stderr);
  const front = home.notedFront();
  if (front !== undefined) await gone("the idle broker", front);
  await until("the socket to go", () => !existsSync(home.socket));
  const second = await run([newcomer, built.library, home.dir, "2", "idleExitMs=3000"]);
  assert.equal(second.code, 0, second.stderr);
  assert.notEqual(second.stdout, first.stdout);
});

test("a broker whose directory is removed ends by itself, with all its children", async (t) => {
  const home = new Home(t);
  const broker = await home.connect({ start: true });
  const { pid } = await broker.status();
  const [front, writer] = [home.notedFront(), await home.processOf("writer")];
  assert.equal(front?.pid, pid);
  rmSync(home.dir, { recursive: true, force: true });
  await gone("the broker without a directory", front!);
  await gone("its writer", writer);
});

test("whoever says start: false is refused with NO_BROKER, and leaves nothing behind", async (t) => {
  const home = new Home(t);
  await assert.rejects(home.connect({ start: false }), { code: "NO_BROKER" });
  await assert.rejects(home.connect({ start: "never" }), { code: "NO_BROKER" });
  await assert.rejects(home.connect({ start: true, env: { HOLDFAST_START: "never" } }), { code: "NO_BROKER" });
  for (const command of ["status", "stop", "ping"]) {
    const { code } = await run([built.cli, "--dir", home.dir, command]);
    assert.equal(code, 69, command);
  }
  assert.ok(!existsSync(join(home.dir, "run")) && !existsSync(join(home.dir, "data")));
});

// rule 19: the guard is not lost by touching it
test("a second broker on the same directory ends with 75, whatever was done to the first one", async (t) => {
  const home = new Home(t);
  const first = await home.start();
  const canary = await Canary.start(home);
  const second = async () => {
    const front = home.launch();
    const { code } = await within("the second broker's end", front.exited);
    assert.equal(code, 75, front.output);
    assert.match(front.output, new RegExp(`pid ${first.pid}`));
  };
  await second();
  for (const command of [
    ["status"],
    ["status", "--json"],
    ["ping"],
    ["locks"],
    ["sql", "select 1"],
    ["sql", "pragma integrity_check"],
  ]) {
    const { code, stderr } = await run([built.cli, "--dir", home.dir, ...command]);
    assert.equal(code, 0, `${command.join(" ")}: ${stderr}`);
  }
  // Tells its log how things are; looks at itself; has a client look at everything.
  kill(first.known, "SIGUSR1");
  await home.status();
  await until("the broker to have told how things are", () => first.output.includes("how things are"));
  await second();
  assert.ok(!first.isGone);
  await canary.goesOn();
});

// rule 2: one writer a database
test("a broker of another directory does not get a database that has one, and the first one goes on", async (t) => {
  const home = new Home(t);
  await home.start();
  const canary = await Canary.start(home);
  const other = new Home(t);
  const intruder = other.launch({ args: ["--database", home.database] });
  const { code } = await within("the second broker's end", intruder.exited);
  assert.notEqual(code, 0);
  assert.match(intruder.output, /writer/);
  await canary.goesOn();
});

test("a directory that a killed broker has left is taken up again: socket, notes and all", async (t) => {
  const home = new Home(t);
  const first = await home.start();
  const canary = await Canary.start(home);
  for (let n = 0; n < 3; n++) {
    const before = home.notedFront();
    assert.ok(before !== undefined && existsSync(home.socket));
    kill(before, "SIGKILL");
    await gone("the front", before);
    await home.start();
    await canary.goesOn();
  }
  assert.ok(isGone(first.known));
});
