import assert from "node:assert/strict";
import { test } from "node:test";
import { placesFor, type Surroundings } from "../../src/places/index.js";

const linux: Surroundings = { env: {}, platform: "linux", uid: 1000, home: () => "/home/ada" };
const mac: Surroundings = { ...linux, platform: "darwin", uid: 501, home: () => "/Users/ada" };

test("one root holds everything, and each thing in its own directory", () => {
  assert.deepEqual(placesFor({ ...linux, dir: "/srv/hf" }), {
    root: "/srv/hf",
    database: "/srv/hf/data/data.db",
    dataDir: "/srv/hf/data",
    runDir: "/srv/hf/run",
    logDir: "/srv/hf/log",
    configDir: "/srv/hf/config",
    socket: "/srv/hf/run/broker.sock",
    brokerLock: "/srv/hf/run/broker.lock",
    spawnLock: "/srv/hf/run/spawn.lock",
    writerLock: "/srv/hf/data/data.db.writer.lock",
    info: "/srv/hf/run/broker.json",
    children: "/srv/hf/run/children.json",
    progress: "/srv/hf/run/writer.progress",
    ledger: "/srv/hf/run/ledger.db",
    boundDir: "/srv/hf/run/bound",
    moved: "/srv/hf/run/moved",
    logFile: "/srv/hf/log/holdfast.log",
  });
});

test("an option goes before the environment, and the environment before the platform's places", () => {
  const env = { HOLDFAST_DIR: "/from/env", XDG_RUNTIME_DIR: "/run/user/1000" };
  assert.equal(placesFor({ ...linux, env, dir: "/from/option" }).root, "/from/option");
  assert.equal(placesFor({ ...linux, env }).root, "/from/env");
  assert.equal(placesFor({ ...linux, env: { ...env, HOLDFAST_DIR: "" } }).root, null);
});

test("on Linux the XDG directories are used, each with its default", () => {
  const env = {
    XDG_RUNTIME_DIR: "/run/user/1000",
    XDG_DATA_HOME: "/d",
    XDG_STATE_HOME: "/s",
    XDG_CONFIG_HOME: "/c",
  };
  const chosen = placesFor({ ...linux, env });
  assert.deepEqual(
    [chosen.root, chosen.database, chosen.socket, chosen.logFile, chosen.configDir],
    [null, "/d/holdfast/data.db", "/run/user/1000/holdfast/broker.sock", "/s/holdfast/holdfast.log", "/c/holdfast"],
  );
  const standard = placesFor(linux);
  assert.deepEqual(
    [standard.database, standard.socket, standard.logFile, standard.configDir],
    [
      "/home/ada/.local/share/holdfast/data.db",
      "/tmp/holdfast-1000/broker.sock",
      "/home/ada/.local/state/holdfast/holdfast.log",
      "/home/ada/.config/holdfast",
    ],
  );
});

test("an empty or relative XDG variable counts as none", () => {
  const env = { XDG_RUNTIME_DIR: "", XDG_DATA_HOME: "relative/data", XDG_STATE_HOME: "./s" };
  assert.deepEqual(placesFor({ ...linux, env }), placesFor(linux));
});

test("without XDG_RUNTIME_DIR a cron job finds the run directory of the same user's desktop", () => {
  const asked: string[] = [];
  const isDirectory = (path: string) => {
    asked.push(path);
    return true;
  };
  assert.equal(placesFor({ ...linux, isDirectory }).runDir, "/run/user/1000/holdfast");
  assert.deepEqual(asked, ["/run/user/1000"]);
  assert.equal(placesFor({ ...linux, isDirectory: () => false }).runDir, "/tmp/holdfast-1000");
});

test("on macOS the directories are those of the Library", () => {
  const { database, socket, logFile, configDir } = placesFor(mac);
  assert.deepEqual(
    [database, socket, logFile, configDir],
    [
      "/Users/ada/Library/Application Support/holdfast/data.db",
      "/Users/ada/Library/Caches/holdfast/broker.sock",
      "/Users/ada/Library/Logs/holdfast/holdfast.log",
      "/Users/ada/.config/holdfast",
    ],
  );
});

test("a database elsewhere takes the writer's lock along and nothing else", () => {
  const places = placesFor({ ...linux, dir: "/srv/hf", database: "/big/app.db" });
  assert.equal(places.database, "/big/app.db");
  assert.equal(places.writerLock, "/big/app.db.writer.lock");
  assert.equal(places.ledger, "/srv/hf/run/ledger.db");
  assert.equal(placesFor({ ...linux, env: { HOLDFAST_DATABASE: "/e.db" } }).database, "/e.db");
});

test("a relative choice is taken against the working directory, or refused without one", () => {
  assert.equal(placesFor({ ...linux, dir: "here/../there", cwd: () => "/w" }).root, "/w/there");
  assert.throws(() => placesFor({ ...linux, dir: "here" }), { code: "CONFIGURATION", message: /"here".*absolute/ });
  assert.throws(() => placesFor({ ...linux, env: { HOLDFAST_DIR: "x" } }), { message: /HOLDFAST_DIR/ });
});

function gone(): never {
  throw new Error("uv_cwd");
}

test("the working directory is asked for only where a path is relative to it, and may be gone", () => {
  assert.equal(placesFor({ ...linux, dir: "/srv/hf", cwd: gone }).root, "/srv/hf");
  assert.throws(() => placesFor({ ...linux, dir: "here", cwd: gone }), {
    code: "CONFIGURATION",
    message: /"here".*working directory.* gone/,
  });
});

test("a home directory is asked for only where it is needed, and must be an absolute path", () => {
  assert.equal(placesFor({ ...linux, home: gone, dir: "/srv/hf" }).root, "/srv/hf");
  for (const home of [gone, () => "", () => "ada"])
    for (const platform of ["linux", "darwin"])
      assert.throws(() => placesFor({ ...linux, platform, home }), { code: "CONFIGURATION", message: /HOME/ });
});

test("programs that differ in TMPDIR find the same broker", () => {
  const deep = `/${"deep/".repeat(30)}`;
  for (const dir of [deep, undefined]) {
    const places = placesFor({ ...linux, dir, env: { TMPDIR: "/mine" } });
    assert.deepEqual(places, placesFor({ ...linux, dir, env: { TMPDIR: "/other" } }));
  }
});

test("an empty path by option, a NUL in a path, and Windows are refused", () => {
  assert.throws(() => placesFor({ ...linux, dir: "" }), { code: "CONFIGURATION" });
  assert.throws(() => placesFor({ ...linux, database: "/a\0b" }), { code: "CONFIGURATION" });
  assert.throws(() => placesFor({ ...linux, platform: "win32" }), { code: "CONFIGURATION" });
});

test("a root that is too deep for a socket gets a short one, all else stays where it is", () => {
  const dir = `/${"deep/".repeat(30)}`;
  const places = placesFor({ ...linux, dir });
  assert.match(places.socket, /^\/tmp\/holdfast-1000\/[0-9a-f]{16}\.sock$/);
  assert.ok(places.brokerLock.startsWith(dir));
});
