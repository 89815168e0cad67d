import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, fstatSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { test } from "node:test";
import { Readiness } from "../../src/daemon/readiness.js";
import { tempDir } from "../support/temp-dir.js";

const rooms = {
  readiness: new URL("../../src/daemon/readiness.js", import.meta.url).href,
  terms: new URL("../../src/terms/index.js", import.meta.url).href,
};

/** What comes through the pipe when the lines of program text are run. */
async function told(lines: string): Promise<string> {
  const program = `
    import { Readiness } from ${JSON.stringify(rooms.readiness)};
    import { HoldfastError } from ${JSON.stringify(rooms.terms)};
    const readiness = new Readiness(3);
    ${lines}`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "inherit", "inherit", "pipe"],
  });
  let said = "";
  (child.stdio[3] as Readable).on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  await once(child.stdio[3] as Readable, "close");
  child.kill("SIGKILL");
  await once(child, "close");
  return said;
}

test("who waits hears READY once, and then the end of the pipe while the broker lives", async () => {
  assert.equal(await told("readiness.ready(); readiness.ready(); readiness.failed(new Error());"), "READY\n");
  // Resolves by the end of the pipe: the process itself waits until it is killed.
  assert.equal(await told("readiness.ready(); setInterval(() => {}, 1e6);"), "READY\n");
});

test("who waits hears why it failed, by code and message", async () => {
  assert.deepEqual(JSON.parse(await told(`readiness.failed(new HoldfastError("PERMISSION", "chmod 700 x"));`)), {
    error: { code: "PERMISSION", message: "chmod 700 x" },
  });
  assert.equal(JSON.parse(await told(`readiness.failed(new TypeError("odd"));`)).error.code, "INTERNAL");
});

test("a descriptor that is not a pipe was meant for something else, and stays as it is", (t) => {
  const path = join(tempDir(t), "file");
  const fd = openSync(path, "w");
  const readiness = new Readiness(fd);
  readiness.ready();
  assert.ok(fstatSync(fd).isFile());
  closeSync(fd);
  assert.equal(readFileSync(path, "utf8"), "");
  new Readiness(fd).ready();
  new Readiness(undefined).ready();
});

test("a client that has gone meanwhile does no harm", async () => {
  const program = `
    import { Readiness } from ${JSON.stringify(rooms.readiness)};
    const readiness = new Readiness(3);
    process.stdin.on("data", () => { readiness.ready(); process.stdout.write("alive"); process.stdin.destroy(); });`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["pipe", "pipe", "inherit", "pipe"],
  });
  const pipe = child.stdio[3] as Readable;
  pipe.destroy();
  await once(pipe, "close");
  child.stdin?.write("now");
  const [said] = await once(child.stdout as Readable, "data");
  assert.equal(String(said), "alive");
  await once(child, "close");
});
