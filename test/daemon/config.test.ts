import assert from "node:assert/strict";
import { test } from "node:test";
import { configFrom, optionsFrom, readyFdFrom } from "../../src/daemon/config.js";
import { limitTable } from "../../src/terms/index.js";

const around = { env: {}, platform: "linux", uid: 7, home: () => "/home/ada", cwd: () => "/work" };
const version = "1.2.3";

test("without any setting everything is as the tables say", () => {
  const config = configFrom({ version }, around);
  assert.equal(config.places.database, "/home/ada/.local/share/holdfast/data.db");
  assert.equal(config.limits.frameBytesMax, limitTable.frameBytesMax.standard);
  assert.deepEqual(
    [config.version, config.spawned, config.logLevel, config.entryDir],
    [version, false, undefined, undefined],
  );
});

test("an option goes before the environment", () => {
  const env = {
    HOLDFAST_DIR: "/env",
    HOLDFAST_DATABASE: "/env.db",
    HOLDFAST_SOCKET: "/env.sock",
    HOLDFAST_LIMITS: "readersMax=3, writeMs=1000,",
    HOLDFAST_LOG_LEVEL: "error",
    HOLDFAST_ENTRY_DIR: "/entries",
  };
  const fromEnv = configFrom({ version }, { ...around, env });
  assert.deepEqual(
    [fromEnv.places.root, fromEnv.places.database, fromEnv.places.socket, fromEnv.logLevel, fromEnv.entryDir],
    ["/env", "/env.db", "/env.sock", "error", "/entries"],
  );
  assert.deepEqual([fromEnv.limits.readersMax, fromEnv.limits.writeMs], [3, 1000]);
  const options = { dir: "opt", database: "opt.db", socket: "opt.sock", limits: { readersMax: 4 }, logLevel: "debug" };
  const chosen = configFrom({ version, ...options }, { ...around, env });
  assert.deepEqual(
    [chosen.places.root, chosen.places.database, chosen.places.socket, chosen.logLevel],
    ["/work/opt", "/work/opt.db", "/work/opt.sock", "debug"],
  );
  assert.deepEqual([chosen.limits.readersMax, chosen.limits.writeMs], [4, 1000]);
});

test("with a directory given no variable leads out of it", () => {
  const env = { HOLDFAST_DATABASE: "/env.db", HOLDFAST_SOCKET: "/env.sock", HOLDFAST_LIMITS: "readersMax=3" };
  const chosen = configFrom({ version, dir: "/opt" }, { ...around, env });
  assert.deepEqual(
    [chosen.places.database, chosen.places.socket, chosen.limits.readersMax],
    ["/opt/data/data.db", "/opt/run/broker.sock", 3],
  );
});

test("a network file system is allowed by name, in the environment or as an option, several times", () => {
  assert.deepEqual(configFrom({ version }, around).allowFilesystem, []);
  const env = { HOLDFAST_ALLOW_FILESYSTEM: "nfs, cifs" };
  assert.deepEqual(configFrom({ version }, { ...around, env }).allowFilesystem, ["nfs", "cifs"]);
  const options = optionsFrom(["--allow-filesystem", "9p", "--allow-filesystem", "nfs4"], version);
  assert.deepEqual(configFrom(options, { ...around, env }).allowFilesystem, ["9p", "nfs4"]);
});

test("an errand is told by its option, and served is what names none", () => {
  const errandIn = (...args: string[]) => optionsFrom(args, version).errand;
  assert.equal(errandIn("--dir", "/d"), undefined);
  assert.deepEqual(errandIn("--import", "/a.db", "--force"), {
    kind: "import",
    file: "/a.db",
    after: undefined,
    force: true,
  });
  assert.deepEqual(errandIn("--restore", "/a.db", "--after", "7"), {
    ...{ kind: "restore", file: "/a.db" },
    after: { pid: 7, runDir: undefined },
  });
  assert.deepEqual(errandIn("--restore", "/a.db", "--after", "7", "--after-in", "/r"), {
    ...{ kind: "restore", file: "/a.db" },
    after: { pid: 7, runDir: "/r" },
  });
  assert.deepEqual(errandIn("--backup", "/b.db"), { kind: "backup", file: "/b.db", force: false });
  assert.deepEqual(errandIn("--check", "--quick"), { kind: "check", quick: true });
});

test("a spawned broker tells its readiness on descriptor 3, or on the one it was given", () => {
  assert.equal(readyFdFrom({}, true), 3);
  assert.equal(readyFdFrom({}, false), undefined);
  for (const spawned of [true, false]) {
    assert.equal(readyFdFrom({ HOLDFAST_READY_FD: "9" }, spawned), 9);
    for (const text of ["1", "-3", "x", "3.5"])
      assert.equal(readyFdFrom({ HOLDFAST_READY_FD: text }, spawned), undefined, text);
  }
});

test("a setting that does not exist, or is out of range, is refused by its name", () => {
  for (const [limits, message] of [
    [{ readersMax: 1000 }, /readersMax.*from 1 to 64/],
    [{ readerMax: 1 }, /no limit "readerMax"/],
    [{ toString: 1 }, /no limit "toString"/],
  ] as const)
    assert.throws(() => configFrom({ version, limits }, around), { code: "CONFIGURATION", message });
  for (const text of ["readersMax", "readersMax=x", "=3", "readersMax=-1", "readersMax=1.5"])
    assert.throws(() => configFrom({ version }, { ...around, env: { HOLDFAST_LIMITS: text } }), {
      code: "CONFIGURATION",
      message: /HOLDFAST_LIMITS/,
    });
  assert.throws(() => configFrom({ version, logLevel: "loud" }, around), { code: "CONFIGURATION", message: /loud/ });
  assert.throws(() => configFrom({ version, socket: "tcp://x" }, around), { code: "CONFIGURATION" });
});

test("a broker signals unless it is told not to", () => {
  assert.equal(configFrom({ version }, around).signals, true);
  assert.equal(configFrom(optionsFrom(["--no-signals"], version), around).signals, false);
});

test("the options of front.js are those of serve, and an unknown one is misuse", () => {
  const args = ["--dir", "/d", "--limit", "readersMax=3", "--limit", "writeMs=50", "--spawned", "--log-level", "info"];
  assert.deepEqual(optionsFrom(args, version), {
    version,
    dir: "/d",
    limits: { readersMax: 3, writeMs: 50 },
    spawned: true,
    logLevel: "info",
  });
  for (const wrong of [["--port", "80"], ["serve"], ["--dir"], ["--spawned=yes"]])
    assert.throws(() => optionsFrom(wrong, version), { code: "MISUSE" }, wrong.join(" "));
  assert.throws(() => optionsFrom(["--limit", "x"], version), { code: "CONFIGURATION" });
});
