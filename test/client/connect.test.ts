/** The start protocol with the real broker and real programs. */
import assert from "node:assert/strict";
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, connect as netConnect, type Socket } from "node:net";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { describe, it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { connect, type HoldfastError, isHoldfastError } from "../../src/client/index.js";
import { ephemeralBroker } from "../../src/client/testing.js";
import { type TestLife, tempDir } from "../support/temp-dir.js";

const starter = fileURLToPath(new URL("./support/starter-program.js", import.meta.url));

/** Ends whatever broker was started in the directory. */
function broom(test: TestContext, dir: string): void {
  test.after(async () => {
    const broker = await connect({ dir, start: false, env: {} }).catch(() => undefined);
    await broker?.call("admin.stop", {});
    await broker?.close();
  });
}

async function rejection(promise: Promise<unknown>): Promise<HoldfastError> {
  const error: unknown = await promise.then(
    () => assert.fail("it did not reject"),
    (reason: unknown) => reason,
  );
  assert.ok(isHoldfastError(error), String(error));
  return error;
}

/** A program that stands for the broker's and misbehaves. */
function entry(test: TestLife, script: string): string {
  const path = join(tempDir(test), "front.mjs");
  writeFileSync(path, script);
  return path;
}

describe("programs that connect", () => {
  it("fifty at once, where no broker runs, find one and the same, and none sees an error", async (test) => {
    const dir = tempDir(test);
    broom(test, dir);
    const programs: ChildProcessByStdio<Writable, Readable, null>[] = [];
    for (let i = 0; i < 50; i++) {
      const program = spawn(process.execPath, [starter, dir], { stdio: ["pipe", "pipe", "inherit"] });
      programs.push(program);
      await once(program.stdout, "data");
    }
    const outputs = programs.map((program) => text(program.stdout));
    for (const program of programs) program.stdin.end("go\n");
    const pids = new Set(await Promise.all(outputs));
    assert.equal(pids.size, 1, [...pids].join());
    assert.match([...pids][0] ?? "", /^\d+\n$/);
    const broker = await connect({ dir, start: false, env: {} });
    assert.deepEqual(await broker.get("select count(*) as n, count(distinct pid) as programs from arrivals"), {
      n: 50,
      programs: 50,
    });
    await broker.close();
  });

  it("find the broker that runs, also after it was killed and its socket lies about", async (test) => {
    const own = await ephemeralBroker();
    test.after(() => own[Symbol.asyncDispose]());
    const before = own.pid;
    await own.kill();
    const refused = await rejection(own.connect({ start: false }));
    assert.equal(refused.code, "NO_BROKER");
    const broker = await own.connect();
    assert.notEqual((await broker.status()).pid, before);
    await broker.close();
  });

  it("start none when HOLDFAST_START forbids it, whatever the options say", async (test) => {
    const error = await rejection(connect({ dir: tempDir(test), start: true, env: { HOLDFAST_START: "never" } }));
    assert.equal(error.code, "NO_BROKER");
  });

  it("find the directory in the environment, and an option goes before it", async (test) => {
    const own = await ephemeralBroker();
    test.after(() => own[Symbol.asyncDispose]());
    const byEnvironment = await connect({ start: false, env: { HOLDFAST_DIR: own.dir } });
    await byEnvironment.close();
    const env = { HOLDFAST_DIR: "/nowhere", HOLDFAST_SOCKET: "/nowhere/s", HOLDFAST_DATABASE: "/nowhere/d" };
    const byOption = await connect({ dir: own.dir, start: false, env });
    await byOption.close();
  });
});

describe("a start that fails", () => {
  it("is told in the broker's own words", async (test) => {
    const script = `import { writeSync } from "node:fs";
      writeSync(3, JSON.stringify({ error: { code: "PERMISSION", message: "the directory belongs to root" } }) + "\\n");
      process.exit(77);`;
    const error = await rejection(connect({ dir: tempDir(test), env: {}, broker: { entry: entry(test, script) } }));
    assert.equal(error.code, "START_FAILED");
    assert.match(error.message, /the directory belongs to root/);
    assert.equal(error.details["cause"], "PERMISSION");
    assert.match(error.stack ?? "", /connect\.test/);
  });

  it("without a word on the pipe is told with the end of the log", async (test) => {
    const script = `console.error("something is rotten"); process.exit(3);`;
    const error = await rejection(connect({ dir: tempDir(test), env: {}, broker: { entry: entry(test, script) } }));
    assert.match(error.message, /ended with exit code 3 before it was ready[\s\S]*something is rotten/);
  });

  it("because nothing becomes ready ends in time, and the broker is not left behind", async (test) => {
    const dir = tempDir(test);
    const server = createServer();
    server.listen(join(dir, "witness"));
    await once(server, "listening");
    test.after(() => void server.close());
    const script = `import { connect } from "node:net"; connect(${JSON.stringify(join(dir, "witness"))});`;
    const arrived = once(server, "connection") as Promise<[Socket]>;
    const connecting = rejection(
      connect({ dir, env: {}, startTimeoutMs: 15_000, broker: { entry: entry(test, script) } }),
    );
    const [witness] = await arrived;
    const gone = once(witness, "close");
    witness.resume();
    const error = await connecting;
    assert.match(error.message, /was not ready within 13500 ms/);
    await gone;
  });

  it("fails all that waited for it, and is not tried by each in turn", async (test) => {
    const dir = tempDir(test);
    const count = join(tempDir(test), "starts");
    const script = `import { appendFileSync } from "node:fs";
      appendFileSync(${JSON.stringify(count)}, "x");
      setTimeout(() => { console.error("broken"); process.exit(1); }, 300);`;
    const broker = { entry: entry(test, script) };
    const errors = await Promise.all(Array.from({ length: 8 }, () => rejection(connect({ dir, env: {}, broker }))));
    for (const error of errors) assert.match(error.message, /broken/);
    assert.equal(readFileSync(count, "utf8"), "x");
  });

  it("because another was quicker is no failure", async (test) => {
    const own = await ephemeralBroker();
    test.after(() => own[Symbol.asyncDispose]());
    const dir = own.dir;
    await own.kill();
    // Steps back as the real one does, and lets the real one begin instead.
    const mark = join(tempDir(test), "mark");
    const script = `import { spawn } from "node:child_process";
      import { existsSync, writeFileSync } from "node:fs";
      if (!existsSync(${JSON.stringify(mark)}))
        spawn(process.execPath, [${JSON.stringify(realFront())}, "--dir", ${JSON.stringify(dir)}], { detached: true, stdio: "ignore" }).unref();
      writeFileSync(${JSON.stringify(mark)}, "");
      process.exit(75);`;
    const broker = await connect({ dir, env: {}, broker: { entry: entry(test, script) } });
    assert.ok(await broker.ping());
    await broker.close();
  });
});

function realFront(): string {
  return fileURLToPath(new URL("../../src/daemon/front.main.js", import.meta.url));
}

describe("a broker that has no time", () => {
  it("is waited for, and not taken for dead: nothing is started", async (test) => {
    const dir = tempDir(test);
    const path = join(dir, "run", "broker.sock");
    mkdirSync(join(dir, "run"), { mode: 0o700 });
    const listen = `require("node:net").createServer().listen({ path: ${JSON.stringify(path)}, backlog: 1 }, () => console.log("here"))`;
    const busy = spawn(process.execPath, ["-e", listen], { stdio: ["ignore", "pipe", "inherit"] });
    test.after(() => void busy.kill("SIGKILL"));
    await once(busy.stdout, "data");
    busy.kill("SIGSTOP");
    // As many as fit into its backlog, until the kernel says EAGAIN.
    for (let full = false; !full; ) {
      const socket = netConnect(path);
      test.after(() => void socket.destroy());
      full = await new Promise<boolean>((resolve) => {
        socket.once("connect", () => resolve(false));
        socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code === "EAGAIN"));
      });
    }
    const started = join(dir, "started");
    const script = `import { writeFileSync } from "node:fs"; writeFileSync(${JSON.stringify(started)}, "");`;
    const error = await rejection(
      connect({ dir, env: {}, startTimeoutMs: 500, broker: { entry: entry(test, script) } }),
    );
    assert.equal(error.code, "NO_BROKER");
    assert.match(error.message, /EAGAIN/);
    assert.ok(!existsSync(started));
  });
});

describe("a broker that is started", () => {
  it("gets of the environment what is on the list, and stands in the root directory", async (test) => {
    const script = `import { writeSync } from "node:fs";
      const seen = JSON.stringify({ env: process.env, cwd: process.cwd(), args: process.argv.slice(2) });
      writeSync(3, JSON.stringify({ error: { code: "INTERNAL", message: seen } }) + "\\n");`;
    const dir = tempDir(test);
    const env = {
      PATH: "/bin",
      LC_ALL: "C",
      SECRET: "x",
      NODE_OPTIONS: "--bad",
      HOLDFAST_START: "auto",
      HOLDFAST_LIMITS: "readersMax=2",
      HOLDFAST_LOCK_TOKEN: "3",
    };
    const error = await rejection(
      connect({ dir, env, broker: { entry: entry(test, script), args: ["--limit", "a=1"] } }),
    );
    const {
      env: got,
      cwd,
      args,
    } = JSON.parse(error.message.replace(/^[^{]*/, "")) as { env: object; cwd: string; args: string[] };
    assert.deepEqual(got, { PATH: "/bin", LC_ALL: "C", HOLDFAST_LIMITS: "readersMax=2", HOLDFAST_DIR: dir });
    assert.equal(cwd, "/");
    assert.deepEqual(args, ["--spawned", "--limit", "a=1"]);
  });
});
