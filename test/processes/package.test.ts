/**
 * What is published is what works: the packed tarball is installed into an empty directory with npm, as a stranger
 * would, and its command line and library are used from there, on this Node and on Node 24.
 *
 * The one thing that is not done anew is compiling better-sqlite3 where it has no ready binary: the one that this clone
 * has is offered to its install script as if it came from the network. It takes it if version, Node and system are the
 * same and it can be loaded, and compiles otherwise.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { tempDir } from "../support/temp-dir.js";

const run = promisify(execFile);
const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..");
/** A module that must be compiled takes a minute on a quiet machine. */
const installMs = 280_000;

const program = `
import { connect, LockTimeoutError } from "holdfast";
import { ephemeralBroker } from "holdfast/testing";
const broker = await connect();
await broker.execute("insert into t values (?)", [2]);
const sum = await broker.withLock("sum", (lock) => lock.get("select sum(a) as sum from t"));
await broker.close();
const other = await ephemeralBroker();
const client = await other.connect();
const one = await client.get("select 1 as one");
const held = await client.acquire("x");
const next = await other.connect();
const late = await next.acquire("x", { waitMs: 1 }).catch((error) => error instanceof LockTimeoutError);
await held.release();
await next.close();
await client.close();
await other.stop();
console.log(JSON.stringify({ ...sum, ...one, late }));
`;

interface Installed {
  readonly dir: string;
  readonly node: string;
  readonly env: NodeJS.ProcessEnv;
}

let tarball: string;
/** A folder with what the install script of better-sqlite3 looks for before it downloads or compiles. */
let prebuilds: string;

/** npm as a program of the given Node. */
function npm(node: string, args: readonly string[], cwd: string) {
  const cli =
    process.env["npm_execpath"] ??
    join(dirname(process.execPath), "..", "lib", "node_modules", "npm", "bin", "npm-cli.js");
  const path = `${dirname(node)}:${process.env["PATH"] ?? ""}`;
  const { HOLDFAST_TEST_CA_CERTS: certificates } = process.env;
  const env = {
    ...process.env,
    ...(certificates === undefined ? {} : { NODE_EXTRA_CA_CERTS: certificates }),
    PATH: path,
    npm_config_audit: "false",
    npm_config_fund: "false",
    npm_config_update_notifier: "false",
    npm_config_better_sqlite3_local_prebuilds: prebuilds,
    JOBS: "max",
  };
  return run(node, [cli, ...args], { cwd, env, timeout: installMs });
}

async function install(parent: string, node: string): Promise<Installed> {
  const dir = join(parent, "app");
  mkdirSync(dir);
  writeFileSync(join(dir, "package.json"), JSON.stringify({ name: "app", private: true, type: "module" }));
  await npm(node, ["install", tarball], dir);
  writeFileSync(join(dir, "program.js"), program);
  const path = `${dirname(node)}:${process.env["PATH"] ?? ""}`;
  const { HOLDFAST_START: _, ...inherited } = process.env;
  return { dir, node, env: { ...inherited, PATH: path, HOLDFAST_DIR: join(parent, "broker") } };
}

function holdfast({ dir, node, env }: Installed, ...args: readonly string[]) {
  return run(node, [join(dir, "node_modules", ".bin", "holdfast"), ...args], { cwd: dir, env, timeout: installMs });
}

async function useIt(installed: Installed): Promise<void> {
  await holdfast(installed, "sql", "create table t(a)");
  await holdfast(installed, "sql", "insert into t values (?)", "1");
  const { stdout: rows } = await holdfast(installed, "sql", "select * from t");
  assert.equal(rows, "1\n");
  const { dir, node, env } = installed;
  const { stdout } = await run(node, ["program.js"], { cwd: dir, env, timeout: installMs });
  assert.deepEqual(JSON.parse(stdout), { sum: 3, one: 1, late: true });
  const { stdout: status } = await holdfast(installed, "status");
  assert.match(status, /runs: pid \d+/);
  await holdfast(installed, "stop");
  await assert.rejects(holdfast(installed, "status"), (error: { code?: unknown }) => error.code === 69);
}

/** What the clone itself runs on, packed as its authors pack it. Nothing where it brought its binaries along. */
async function offerBinary(dir: string): Promise<void> {
  const module = join(root, "node_modules", "better-sqlite3");
  const binary = join("build", "Release", "better_sqlite3.node");
  if (!existsSync(join(module, binary))) return;
  const { platform, arch, versions } = process;
  const name = `better-sqlite3-v${versionOf(root, "better-sqlite3")}-node-v${versions.modules}-${platform}-${arch}.tar.gz`;
  await run("tar", ["-czf", join(dir, name), "-C", module, binary]);
}

function versionOf(dir: string, name: string): string {
  return (JSON.parse(readFileSync(join(dir, "node_modules", name, "package.json"), "utf8")) as { version: string })
    .version;
}

describe("the packed tarball in an empty directory", () => {
  before(async () => {
    const dir = tempDir({ after: (clean) => process.once("exit", clean) });
    prebuilds = join(dir, "prebuilds");
    mkdirSync(prebuilds);
    await offerBinary(prebuilds);
    const { stdout } = await npm(
      process.execPath,
      ["pack", "--json", "--ignore-scripts", "--pack-destination", dir],
      root,
    );
    const [packed] = JSON.parse(stdout) as { filename: string }[];
    assert.ok(packed);
    tarball = join(dir, packed.filename);
  });

  test("works on the Node at hand, and says what to do when the native module does not fit it", async (t) => {
    const installed = await install(tempDir(t), process.execPath);
    await useIt(installed);
    if (Number(process.versions.node.split(".")[0]) >= 22) return;
    // Version 13 of better-sqlite3 needs Node 22: here it would end the process in the middle of loading it.
    await npm(process.execPath, ["install", "--force", "better-sqlite3@13.2.0"], installed.dir);
    assert.equal(versionOf(installed.dir, "better-sqlite3"), "13.2.0");
    await assert.rejects(holdfast(installed, "sql", "select 1"), (error: { code?: unknown; stderr?: unknown }) => {
      assert.equal(typeof error.code, "number", `it ended by a signal: ${String(error.stderr)}`);
      assert.match(String(error.stderr), /better-sqlite3@12/);
      return true;
    });
  });

  test("works on Node 24", async (t) => {
    const { platform, arch } = process;
    if (platform !== "linux") return t.skip(`there is no package with Node 24 for ${platform} that this test knows of`);
    const parent = tempDir(t);
    const home = join(parent, "node24");
    mkdirSync(home);
    await npm(process.execPath, ["install", "--prefix", home, `node-linux-${arch}@24`], home);
    const installed = await install(parent, join(home, "node_modules", `node-linux-${arch}`, "bin", "node"));
    await useIt(installed);
  });
});
