/** The scripts that `npm start`, `npm test` and the like call, in a copy of the clone with an empty house in it. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { isGone, kill, known } from "../support/processes.js";
import type { TestLife } from "../support/temp-dir.js";
import { roomNames } from "./rooms.js";
import { emptyHouse, plant, root } from "./tree.js";

/** The empty house as a clone: scripts, lock file, one test; the packages are those of the real clone. */
function clone(t: TestLife): string {
  const place = emptyHouse(t);
  for (const part of ["scripts", "package-lock.json", ".npmrc", "test/tsconfig.json", "bench/tsconfig.json"]) {
    cpSync(join(root, part), join(place, part), { recursive: true });
  }
  plant(place, "bench/run.ts", tool);
  plant(place, "test/core/good.test.ts", 'import { test } from "node:test";\n\ntest("the good", () => undefined);\n');
  plant(place, "src/cli/cli.main.ts", broker);
  for (const main of ["daemon/front", "store/reader/reader", "store/writer/writer"]) {
    plant(place, `src/${main}.main.ts`, "export {};\n");
  }
  for (const door of ["client/testing", "daemon/run-front"]) plant(place, `src/${door}.ts`, "export {};\n");
  return place;
}

/** Stands for a tool of the developers: says what it was given, and knows one option. */
const tool = `/**
 * npm run bench [-- --known]     what a newcomer asks for
 */
import { parseArgs } from "node:util";

parseArgs({ options: { known: { type: "boolean" } }, allowPositionals: true });
process.stdout.write(\`bench \${process.argv.slice(2).join(" ")}\\n\`);
`;

/** Stands for the broker: says what it was given, and serves until it is told to end, with an exit code of its own. */
const broker = `process.stdout.write(\`\${process.argv.slice(2).join(" ")} \${process.pid}\\n\`);
process.stdin.on("data", (bytes) => process.stdout.write(\`heard \${bytes}\`));
process.on("SIGTERM", () => process.exit(7));
process.on("SIGINT", () => process.exit(8));
`;

/** Stands for a torture: a broker that its client has started knows its directory from its environment only. */
const torture = `import { spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const own = mkdtempSync(join(tmpdir(), "torture-"));
const idle = "setInterval(() => undefined, 1 << 30)";
const env = { HOLDFAST_DIR: own };
const child = spawn(process.execPath, ["-e", idle], { detached: true, stdio: "ignore", env });
process.stdout.write(\`\${child.pid} \${own}\\n\`);
await new Promise(() => setInterval(() => undefined, 1 << 30));
`;

function environment(): NodeJS.ProcessEnv {
  const { NODE_TEST_CONTEXT: _runner, CI: _ci, ...rest } = process.env;
  return rest;
}

function run(place: string, ...args: string[]) {
  return runWith(place, {}, ...args);
}

function runWith(place: string, env: { readonly [name: string]: string }, ...args: string[]) {
  return spawnSync(process.execPath, ["scripts/run.mjs", ...args], {
    cwd: place,
    encoding: "utf8",
    env: { ...environment(), ...env },
    timeout: 300_000,
  });
}

function begin(t: TestLife, place: string, ...args: string[]): ChildProcess {
  const child = spawn(process.execPath, ["scripts/run.mjs", ...args], { cwd: place, env: environment() });
  t.after(() => child.kill("SIGKILL"));
  return child;
}

/** What a process writes to stdout, until it matches. */
function said(child: ChildProcess, wanted: RegExp): Promise<RegExpExecArray> {
  return new Promise((settle, reject) => {
    let text = "";
    child.stdout?.setEncoding("utf8").on("data", (part: string) => {
      text += part;
      const match = wanted.exec(text);
      if (match !== null) {
        settle(match);
      }
    });
    child.once("exit", (code) => reject(new Error(`ended with ${code} before saying ${wanted}; said: ${text}`)));
  });
}

function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((settle) => child.once("exit", (code) => settle(code)));
}

function endedBy(child: ChildProcess): Promise<NodeJS.Signals | null> {
  return new Promise((settle) => child.once("exit", (_, signal) => settle(signal)));
}

test("a build says one line, and nothing when nothing changed", (t) => {
  const place = clone(t);
  const first = run(place, "build");
  assert.match(first.stderr, /^holdfast: built 16 projects and 7 bundles in [\d.]+ s\n$/);
  assert.equal(first.stdout, "");
  assert.equal(first.status, 0);
  assert.deepEqual(readdirSync(join(place, "dist")).sort(), [
    "THIRD-PARTY-LICENSES.txt",
    "cli.js",
    "client",
    "front.js",
    "reader.js",
    "run-front.cjs",
    "types",
    "writer.js",
  ]);
  const second = run(place, "build");
  assert.equal(second.stderr + second.stdout, "");

  plant(place, "dist/of-before.js", "");
  plant(place, "dist/of-before.cjs.v1-x64.kept", "");

  plant(place, "src/terms/index.ts", "export const terms = 2;\n");
  assert.match(run(place, "build").stderr, /built/);
  assert.deepEqual(
    readdirSync(join(place, "dist")).filter((name) => name.startsWith("of-before")),
    [],
  );
  assert.equal(run(place, "build").stderr, "");

  rmSync(join(place, "dist/front.js"));
  assert.match(run(place, "build").stderr, /built/);
  assert.ok(existsSync(join(place, "dist/front.js")));
});

test("a type error fails the build, every time it is asked", (t) => {
  const place = clone(t);
  plant(place, "src/front/wrong.ts", "export const wrong: string = 1;\n");
  for (const _ of [1, 2]) {
    const { stderr, status } = run(place, "build");
    assert.match(stderr, /src\/front\/wrong\.ts/);
    assert.match(stderr, /The types do not hold/);
    assert.equal(status, 1);
  }
});

test("a missing entry point fails the build", (t) => {
  const place = clone(t);
  rmSync(join(place, "src/store/reader/reader.main.ts"));
  const { stderr, status } = run(place, "build");
  assert.match(stderr, /Entry points are missing: src\/store\/reader\/reader\.main\.ts/);
  assert.equal(status, 1);
});

test("the broker started by the script is the script's own process: stdio, signals, exit code", async (t) => {
  const place = clone(t);
  const child = begin(t, place, "start", "--tcp", "0");
  const [, pid] = await said(child, /^serve --tcp 0 (\d+)\n/);
  assert.equal(Number(pid), child.pid);
  child.stdin?.write("a line\n");
  await said(child, /heard a line\n/);
  child.kill("SIGINT");
  assert.equal(await ended(child), 8);
  assert.ok(!existsSync(join(place, "out/lock")), "the lock of the clone is free while the broker runs");
});

test("two builds at once in one clone both succeed", async (t) => {
  const place = clone(t);
  const both = [begin(t, place, "build"), begin(t, place, "build")];
  const lines: string[] = [];
  for (const child of both) {
    child.stderr?.setEncoding("utf8").on("data", (text: string) => lines.push(text));
  }
  assert.deepEqual(await Promise.all(both.map(ended)), [0, 0]);
  const built = lines.join("").match(/built 16 projects/g);
  assert.equal(built?.length, 1, lines.join(""));
});

test("a lock left behind by a dead process is taken over", (t) => {
  const place = clone(t);
  const dead = spawnSync(process.execPath, ["-e", "process.stdout.write(String(process.pid))"], { encoding: "utf8" });
  mkdirSync(join(place, "out/lock"), { recursive: true });
  writeFileSync(join(place, "out/lock/pid"), dead.stdout);
  assert.equal(run(place, "build").status, 0);
  assert.ok(!existsSync(join(place, "out/lock")));
});

test("the tests run by name of file, and an empty list fails", (t) => {
  const place = clone(t);
  const good = run(place, "test", "core");
  assert.match(good.stdout, /✔ the good/);
  assert.match(good.stdout, /^ℹ pass 1$/m);
  assert.equal(good.status, 0, good.stderr);

  const none = run(place, "test", "no-such-room");
  assert.match(none.stderr, /No test file's path contains no-such-room/);
  assert.equal(none.status, 1);

  plant(
    place,
    "test/core/bad.test.ts",
    'import { test } from "node:test";\n\ntest("the bad", () => Promise.reject());\n',
  );
  const bad = run(place, "test");
  assert.match(bad.stdout, /✖ the bad/);
  assert.match(bad.stdout, /^ℹ fail 1$/m);
  assert.equal(bad.status, 1);

  plant(place, "test/core/bad.test.ts", "export {};\n");
  const empty = run(place, "test");
  assert.match(empty.stderr, /There is no test in out\/test\/core\/bad\.test\.js/);
  assert.equal(empty.status, 1);

  rmSync(join(place, "test/core/bad.test.ts"));
  rmSync(join(place, "test/core/good.test.ts"));
  const stale = run(place, "test");
  assert.match(stale.stderr, /There are no tests/);
  assert.equal(stale.status, 1);
  assert.ok(!existsSync(join(place, "out/test/core")), "what was emitted for a source that is gone goes too");
});

test("what a test leaves behind, a file or a process, is named, removed and fails the run", (t) => {
  const place = clone(t);
  plant(
    place,
    "test/core/messy.test.ts",
    `import { spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

test("the messy", () => {
  const own = mkdtempSync(join(tmpdir(), "mess-"));
  const idle = "setInterval(() => undefined, 1 << 30)";
  spawn(process.execPath, ["-e", idle, own], { detached: true, stdio: "ignore" }).unref();
});
`,
  );
  const { stdout, stderr, status } = run(place, "test");
  assert.match(stdout, /^ℹ fail 0$/m);
  const [, pid, own] = /left behind by the tests: process (\d+): .* (\S+mess-\S+)$/m.exec(stderr) ?? [];
  assert.match(stderr, /left behind by the tests: \S+mess-\S+: empty/);
  assert.equal(status, 1);
  assert.ok(own !== undefined && !existsSync(own), stderr);
  assert.ok(!existsSync(`/proc/${pid}`) || isGone(known(Number(pid))), "the process is there still");
});

const waits = "await new Promise(() => setInterval(() => undefined, 1 << 30));";
const stuck = { "in a test": `test("the stuck", async () => {\n  ${waits}\n});`, "beside its tests": waits };

for (const [where, waiting] of Object.entries(stuck))
  test(`a file that is stuck ${where} ends the run, though something that it started holds its output`, (t) => {
    const place = clone(t);
    plant(
      place,
      "test/core/stuck.test.ts",
      `import { spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

test("the good", () => {
  const own = mkdtempSync(join(tmpdir(), "stuck-"));
  spawn(process.execPath, ["-e", "setInterval(() => undefined, 1 << 30)", own], { stdio: "inherit" });
});
${waiting}
`,
    );
    const impatient = { HOLDFAST_TEST_QUIET_MS: "8000" };
    const { stdout, stderr, status } = runWith(place, impatient, "test");
    assert.match(stderr, /nothing was heard of the tests for 8000 ms/);
    assert.match(stdout, /✖ .*stuck\.test\.js/);
    assert.match(stderr, /left behind by the tests: process/);
    assert.equal(status, 1);
  });

for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const)
  test(`a torture that is ended by ${signal} takes what it has begun along, and ends by that signal`, async (t) => {
    const place = clone(t);
    plant(place, "test/torture/torture.main.ts", torture);
    const child = begin(t, place, "torture");
    const [, pid, own] = await said(child, /^(\d+) (\S+)$/m);
    assert.ok(own !== undefined && existsSync(own));
    const begun = known(Number(pid));
    t.after(() => kill(begun, "SIGKILL"));
    child.kill(signal);
    assert.equal(await endedBy(child), signal);
    assert.ok(isGone(begun), "the process is there still");
    assert.ok(!existsSync(own), "the directory is there still");
    assert.ok(!existsSync(dirname(own)), "the directory of the run is there still");
  });

test("what the linter refuses fails the tests", (t) => {
  const place = clone(t);
  plant(place, "src/core/clock.ts", "export const found = Date.now();\n");
  const { stdout, stderr, status } = run(place, "test");
  assert.match(stdout + stderr, /A pure room has no clock/);
  assert.equal(status, 1);
});

test("arguments reach the benchmark, and an unknown word is told what there is", (t) => {
  const place = clone(t);
  assert.equal(run(place, "bench", "write", "--known").stdout, "bench write --known\n");
  const { stderr, status } = run(place, "tset");
  assert.match(stderr, /usage: node scripts\/run\.mjs start \|/);
  assert.equal(status, 64);
});

test("a tool tells what its options are, and an option that it does not know ends it with a line and no stack", (t) => {
  const place = clone(t);
  const asked = run(place, "bench", "--help");
  assert.match(asked.stdout, /^npm run bench \[-- --known\] {5}what a newcomer asks for\n/m);
  assert.equal(asked.status, 0);
  const unknown = run(place, "bench", "--unknown");
  assert.match(unknown.stderr, /^holdfast: Unknown option '--unknown'/m);
  assert.doesNotMatch(unknown.stderr, /^ +at /m);
  assert.equal(unknown.status, 64);
});

test("the root project names every room, so that nothing stays uncompiled", () => {
  const text = readFileSync(join(root, "tsconfig.json"), "utf8").replace(/^\s*\/\/.*$/gm, "");
  const named: string[] = JSON.parse(text).references.map(({ path }: { path: string }) => path);
  assert.deepEqual(named.sort(), [...roomNames.map((room) => `src/${room}`), "bench", "test"].sort());
});

test("what npm packs in a clone that was not built yet has all that is built", (t) => {
  const place = clone(t);
  const { stdout, stderr, status } = spawnSync("npm", ["pack", "--json", "--dry-run"], {
    cwd: place,
    env: environment(),
    encoding: "utf8",
  });
  assert.equal(status, 0, stderr);
  assert.match(stdout, /"dist\/cli\.js"/);
});
