/** Real brokers: how one comes to be, and what is said when it cannot. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { test } from "node:test";
import { Home } from "../support/broker.js";
import { built, library } from "../support/built.js";
import { until, within } from "../support/patience.js";
import { tempDir } from "../support/temp-dir.js";

test("a broker tells on standard output where it is and what to type, and ends in good order on TERM", async (t) => {
  const home = new Home(t);
  const front = await home.start({ env: { npm_lifecycle_event: "" } });
  const info = JSON.parse(readFileSync(join(home.dir, "run", "broker.json"), "utf8"));
  assert.deepEqual([info.pid, info.startTime, info.socket], [front.pid, front.known.startTime, home.socket]);
  const { dev, ino } = statSync(home.database);
  assert.equal(info.databaseFile, `${dev}:${ino}`);
  assert.deepEqual(await front.stop(), { code: 0, signal: null });
  assert.match(front.output, new RegExp(`socket +${home.socket}`));
  assert.match(front.output, new RegExp(`database +${home.database}`));
  assert.match(front.output, new RegExp(`^ +holdfast --dir ${home.dir} status`, "m"));
  assert.match(front.output, /stopped \(SIGTERM\)/);
  assert.deepEqual(
    readdirSync(join(home.dir, "run")).filter((name) => /sock|json/.test(name)),
    [],
  );
});

test("a broker that npm started, as in a clone, tells what can be typed there", async (t) => {
  const home = new Home(t);
  const front = await home.start({ env: { npm_lifecycle_event: "start" } });
  await front.stop();
  assert.match(front.output, new RegExp(`^ +npx holdfast --dir ${home.dir} status`, "m"));
});

test("whatever the umask, all that a broker makes is for its user alone", async (t) => {
  const home = new Home(t);
  const shell = `umask 000; exec "$0" "$1" --dir "$2" --spawned`;
  const child = spawn("sh", ["-c", shell, process.execPath, built.front, home.dir], {
    stdio: ["ignore", "inherit", "inherit", "pipe"],
  });
  t.after(() => child.kill("SIGKILL"));
  const [word] = await within("a broker", once(child.stdio[3] as NodeJS.ReadableStream, "data"));
  assert.equal(String(word), "READY\n");
  for (const directory of ["run", "data", "log"]) {
    assert.equal(lstatSync(join(home.dir, directory)).mode & 0o777, 0o700, directory);
    for (const name of readdirSync(join(home.dir, directory)))
      assert.equal(lstatSync(join(home.dir, directory, name)).mode & 0o077, 0, name);
  }
  assert.equal(lstatSync(home.socket).mode & 0o777, 0o600);
  child.kill("SIGTERM");
  await within("the broker's end", once(child, "exit"));
});

test("a second broker on the same directory ends with 75 and names the first, which goes on", async (t) => {
  const home = new Home(t);
  const first = await home.start();
  const second = home.launch();
  await assert.rejects(second.ready(), /ALREADY_RUNNING/);
  assert.deepEqual(await second.exited, { code: 75, signal: null });
  assert.match(second.output, new RegExp(`^holdfast: a broker \\(pid ${first.pid}, .*\n$`));
  assert.equal((await home.status()).pid, first.pid);
});

test("of ten that are started at once exactly one serves, and the others end with 75", async (t) => {
  const home = new Home(t);
  const fronts = Array.from({ length: 10 }, () => home.launch());
  const ready = await Promise.allSettled(fronts.map((front) => front.ready()));
  const serving = fronts.filter((_, i) => ready[i]?.status === "fulfilled");
  assert.equal(serving.length, 1);
  for (const front of fronts.filter((one) => one !== serving[0])) assert.equal((await front.exited).code, 75);
  assert.equal((await home.status()).pid, serving[0]?.pid);
});

for (const [what, prepare, args, code, message] of [
  ["an unknown limit", () => {}, ["--limit", "speedMax=1"], 78, /CONFIGURATION.*speedMax/],
  ["an unknown option", () => {}, ["--port", "80"], 64, /MISUSE.*--port/],
  [
    "a database in a directory that is not there",
    () => {},
    ["--database", "/no/such/dir/x.db"],
    78,
    /CONFIGURATION.*\/no\/such\/dir/,
  ],
  [
    "a run directory that others can enter",
    (dir: string) => {
      mkdirSync(join(dir, "run"));
      chmodSync(join(dir, "run"), 0o755);
    },
    [],
    77,
    /PERMISSION.*chmod 700 .*run/,
  ],
  [
    "a run directory that is a link",
    (dir: string) => symlinkSync("/tmp", join(dir, "run")),
    [],
    77,
    /PERMISSION.*symbolic link/,
  ],
  [
    "a file where the socket goes",
    (dir: string) => {
      mkdirSync(join(dir, "run"), { mode: 0o700 });
      writeFileSync(join(dir, "run", "broker.sock"), "precious");
    },
    [],
    77,
    /PERMISSION.*broker\.sock is a file/,
  ],
] as const) {
  test(`${what} ends the start with ${code}, and who waits is told why`, async (t) => {
    const home = new Home(t);
    prepare(home.dir);
    const front = home.launch({ args });
    const pipe = front.child.stdio[3] as Readable;
    let said = "";
    pipe.on("data", (chunk: Buffer) => {
      said += chunk.toString();
    });
    await within("the end of the pipe", once(pipe, "close"));
    const { error } = JSON.parse(said);
    assert.match(`${error.code}: ${error.message}`, message);
    assert.deepEqual(await front.exited, { code, signal: null });
    await until("the same words on its output", () => front.output.includes(`holdfast: ${error.message}`));
  });
}

test("a spawned broker says nothing on its own output and logs to its file, first of all its version", async (t) => {
  const home = new Home(t);
  const front = await home.start({ args: ["--spawned"] });
  assert.deepEqual(await front.stop(), { code: 0, signal: null });
  assert.equal(front.output, "");
  const lines = readFileSync(join(home.dir, "log", "holdfast.log"), "utf8")
    .trimEnd()
    .split("\n");
  const messages = lines.map((line) => JSON.parse(line));
  assert.deepEqual(
    [messages[0].msg, typeof messages[0].version, messages.at(-1).msg],
    ["starting", "string", "stopped"],
  );
});

test("a directory whose path is too long for a socket works all the same, by a socket elsewhere", async (t) => {
  const home = new Home(t);
  const dir = join(home.dir, "deep/".repeat(25), "root");
  const front = home.launch({ args: ["--dir", dir], env: { TMPDIR: tempDir(t) } });
  await front.ready();
  const { socket } = JSON.parse(readFileSync(join(dir, "run", "broker.json"), "utf8"));
  assert.ok(!socket.startsWith(dir) && lstatSync(socket).isSocket(), socket);
  // Of another TMPDIR than the broker's.
  const { connect } = await library();
  const client = await connect({ dir, start: false, env: {} });
  await client.close();
  assert.equal((await front.stop()).code, 0);
  assert.equal(existsSync(socket), false);
});

test("a database that lies elsewhere is served from there, and two brokers do not serve one", async (t) => {
  const [one, other] = [new Home(t), new Home(t)];
  const database = join(tempDir(t), "app.db");
  await one.start({ args: ["--database", database] });
  assert.equal((await one.status()).database.path, database);
  const second = other.launch({ args: ["--database", database] });
  await assert.rejects(second.ready());
  await second.exited;
  assert.equal((await one.status()).writes.state, "ok");
});
