/** Where a user has no name and no home, as in a container, and where the working directory is gone: the real programs. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Home } from "../support/broker.js";
import { built } from "../support/built.js";
import { within } from "../support/patience.js";
import { endAllOn, gone, type KnownProcess, kill } from "../support/processes.js";
import { tempDir } from "../support/temp-dir.js";

/** In no user table that we know of; what it has in /tmp is no other test's. */
const nameless = 1_000_000 + process.pid;
const asRoot = { skip: whyNotAsAnother() };

/** A checkout in a directory of root's own is closed to others, and a program that cannot be read does not start. */
function whyNotAsAnother(): string | false {
  if (process.geteuid?.() !== 0) return "only root can be somebody else";
  const look = `require("node:fs").accessSync(${JSON.stringify(built.cli)})`;
  const { status } = spawnSync(process.execPath, ["-e", look], { cwd: "/", uid: nameless, gid: nameless });
  return status !== 0 && "another user cannot read this checkout";
}

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

interface Who {
  readonly uid?: number;
  readonly cwd?: string;
  readonly env?: { readonly [name: string]: string };
}

function run(file: string, args: readonly string[], { uid, cwd = "/", env = {} }: Who): Promise<Ended> {
  const user = uid === undefined ? {} : { uid, gid: uid };
  const { PATH = "" } = process.env;
  const child = spawn(file, args, { cwd, env: { PATH, ...env }, stdio: ["ignore", "pipe", "pipe"], ...user });
  const said = { out: "", err: "" };
  child.stdout.on("data", (text) => {
    said.out += String(text);
  });
  child.stderr.on("data", (text) => {
    said.err += String(text);
  });
  const ended = new Promise<Ended>((resolve) => child.once("close", (code) => resolve({ code, ...said })));
  return within(`the end of ${args.join(" ")}`, ended);
}

/** A program of one line that uses the library. */
function program(line: string): readonly string[] {
  return ["--input-type=module", "-e", `import { connect } from ${JSON.stringify(built.library)};\n${line}`];
}

async function end(broker: KnownProcess | undefined): Promise<void> {
  if (broker === undefined) return;
  kill(broker, "SIGTERM");
  await gone("the broker", broker);
}

test("a user without a name and a home has a broker in the directory that is given", asRoot, async (t) => {
  const home = new Home(t);
  chownSync(home.dir, nameless, nameless);
  const who = { uid: nameless, env: { HOLDFAST_DIR: home.dir } };
  const sql = await run(process.execPath, [built.cli, "sql", "select 40 + 2"], who);
  assert.deepEqual([sql.code, /42/.test(sql.out)], [0, true], sql.err);
  const words = `const broker = await connect(); console.log((await broker.get("select 40 + 2 as n")).n); await broker.close();`;
  const library = await run(process.execPath, program(words), who);
  assert.deepEqual([library.code, library.out], [0, "42\n"], library.err);
  await end(home.notedFront());
  const check = await run(process.execPath, [built.cli, "check"], who);
  assert.equal(check.code, 0, check.err);
});

test("a user without a home is told to choose a directory", asRoot, async () => {
  const words = `await connect({ start: false }).catch(({ code, message }) => console.log(code, message));`;
  for (const args of [[built.cli, "status"], program(words)]) {
    const { out, err } = await run(process.execPath, args, { uid: nameless });
    assert.match(out + err, /home directory, and this user has none.*HOLDFAST_DIR/);
    assert.doesNotMatch(out + err, / {4}at /);
  }
});

test("an empty or relative HOME does not make a broker of each working directory", async (t) => {
  const cwd = tempDir(t);
  for (const HOME of ["", "here"]) {
    const { code, err } = await run(process.execPath, [built.cli, "status"], { cwd, env: { HOME } });
    assert.match(err, /the home directory ".*" \(HOME\) is no absolute path/);
    assert.equal(code, 78);
  }
});

test("a program whose working directory is gone reaches the broker of an absolute directory", async (t) => {
  const home = new Home(t);
  await home.start();
  const lost = join(tempDir(t), "lost");
  const inLost = (dir: string) => {
    const words = `process.chdir(${JSON.stringify(lost)});
      rmdirSync(${JSON.stringify(lost)});
      const broker = await connect({ dir: ${JSON.stringify(dir)}, start: false }).catch(({ code, message }) => console.log(code, message));
      await broker?.close();
      console.log("over");`;
    mkdirSync(lost);
    const [flag = "", e = "", line = ""] = program(words);
    return run(process.execPath, [flag, e, `import { rmdirSync } from "node:fs";\n${line}`], {});
  };
  assert.deepEqual(await inLost(home.dir), { code: 0, out: "over\n", err: "" });
  assert.match((await inLost("here")).out, /^CONFIGURATION the path "here" .*working directory.* is gone\nover\n$/);
});

test("a command whose working directory is gone reaches the broker of an absolute directory", async (t) => {
  const home = new Home(t);
  await home.start();
  const lost = join(tempDir(t), "lost");
  const inLost = (...args: string[]) => {
    mkdirSync(lost);
    const script = 'cd "$0" && rmdir "$0" && exec "$@"';
    return run("sh", ["-c", script, lost, process.execPath, built.cli, ...args], {});
  };
  const found = await inLost("--dir", home.dir, "ping");
  assert.equal(found.code, 0, found.err);
  const notFound = await inLost("--dir", "here", "ping");
  assert.equal(notFound.code, 78);
  assert.match(notFound.err, /working directory.* is gone/);
});

test("another user who made the place in /tmp first gets nothing of what a program sends", asRoot, async (t) => {
  const shared = `/tmp/holdfast-${nameless}`;
  t.after(() => void spawnSync("rm", ["-rf", shared]));
  const homeDir = tempDir(t);
  chownSync(homeDir, nameless, nameless);
  mkdirSync(shared, { mode: 0o755 });
  chmodSync(shared, 0o755);
  chownSync(shared, nameless + 1, nameless + 1);
  const who = { uid: nameless, cwd: homeDir, env: { HOME: homeDir } };
  const { code, err } = await run(process.execPath, [built.cli, "sql", "select 'secret'"], who);
  assert.match(err, new RegExp(`${shared} belongs to user ${nameless + 1}, not to ${nameless}`));
  assert.equal(code, 77);
});

test("a program with another HOME, or another database, is not served from the one that happens to listen", async (t) => {
  const shared = tempDir(t);
  const [ada, eve] = [join(shared, "ada"), join(shared, "eve")];
  for (const home of [ada, eve]) mkdirSync(home);
  const as = (HOME: string, more: { readonly [name: string]: string } = {}) => ({
    env: { HOME, XDG_RUNTIME_DIR: shared, ...more },
  });
  const holdfast = (who: Who, ...args: string[]) => run(process.execPath, [built.cli, ...args], who);
  try {
    const made = await holdfast(as(ada), "sql", "create table t(a)");
    assert.equal(made.code, 0, made.err);
    const others = [as(eve), as(ada, { HOLDFAST_DATABASE: join(ada, "b.db") })];
    for (const other of others) {
      const { code, err } = await holdfast(other, "sql", "insert into t values (1)");
      assert.equal(code, 78, err);
      assert.match(err, /serves .*ada.*data\.db, this program would have .*(eve|b\.db)/);
      const words = `await connect({ start: false }).catch(({ code, details }) => console.log(code, details.dataDir));`;
      const library = await run(process.execPath, program(words), other);
      assert.equal(library.out, `OTHER_DATABASE ${join(ada, ".local/share/holdfast")}\n`, library.err);
    }
    // Who names the socket means whatever listens there; and the broker may have been told to serve a file of its own.
    const named = as(eve, { HOLDFAST_SOCKET: join(shared, "holdfast", "broker.sock") });
    assert.equal((await holdfast(named, "sql", "insert into t values (2)")).code, 0);
    assert.match((await holdfast(as(ada), "sql", "select count(*) as n from t")).out, /1/);
  } finally {
    await endAllOn(shared);
  }
});
