import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { openLog } from "../../src/daemon/log.js";
import { tempDir } from "../support/temp-dir.js";

const room = new URL("../../src/daemon/log.js", import.meta.url).href;

test("a line is one JSON object with time, level, pid and the fields, and an error is told with its cause", (t) => {
  const path = join(tempDir(t), "log");
  const log = openLog({ kind: "file", path }, undefined);
  log.line("debug", {}, "not told at this level");
  log.line("info", { lock: "a\nb\u001b[31m" }, "hello");
  const cause = Object.assign(new Error("disk"), { code: "ENOSPC" });
  log.line("error", { error: new Error("no", { cause }) }, "failed");
  log.close();
  const text = readFileSync(path, "utf8");
  const lines = text.trimEnd().split("\n");
  assert.equal(lines.length, 2, text);
  const [first, second] = lines.map((line) => JSON.parse(line));
  assert.match(first.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.deepEqual([first.level, first.pid, first.msg, first.lock], ["info", process.pid, "hello", "a\nb\u001b[31m"]);
  assert.deepEqual([second.level, second.error.message, second.error.cause.code], ["error", "no", "ENOSPC"]);
});

test("a file that was moved away is begun anew after reopening", (t) => {
  const path = join(tempDir(t), "log");
  const log = openLog({ kind: "file", path }, "warn");
  log.reopen();
  log.line("warn", {}, "here");
  log.close();
  assert.match(readFileSync(path, "utf8"), /"here"/);
});

/** Runs the lines of program text with a log, and gives what came on standard error. */
async function onStderr(target: string, lines: string): Promise<string> {
  const program = `import { openLog } from ${JSON.stringify(room)}; const log = openLog({ kind: "${target}" }, undefined); ${lines}`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "inherit", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  await once(child, "close");
  return said;
}

test("on a terminal a line is for a person, and nothing in it moves the cursor", async () => {
  const said = await onStderr(
    "terminal",
    `log.line("info", {}, "not told"); log.line("warn", { lock: "a\\nb\\u001b[31m", ms: 5, who: "a b" }, "held \\r up");`,
  );
  assert.match(said, /^\d\d:\d\d:\d\d warn: held \\x0d up lock="a\\nb\\u001b\[31m" ms=5 who="a b"\n$/);
});

test("the last line before an end at once is there", async () => {
  assert.match(await onStderr("stderr", `log.line("error", {}, "last words"); process.exit(1);`), /"last words"/);
});

test("a reader of the log that has stalled holds up nobody, and memory stays bounded", async () => {
  const program = `
    import { openLog } from ${JSON.stringify(room)};
    const log = openLog({ kind: "stderr" }, undefined);
    for (let i = 0; i < 5000; i++) log.line("info", { text: "x".repeat(1000) }, "much");
    process.stdout.write(process.stderr.writableLength < 2 * 1024 * 1024 ? "bounded" : "unbounded");
    process.stdout.once("drain", () => process.exit(0));
    setImmediate(() => process.exit(0));`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], { stdio: ["ignore", "pipe", "pipe"] });
  child.stderr.pause();
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  const [code] = await once(child, "exit");
  child.stderr.destroy();
  assert.deepEqual([code, said], [0, "bounded"]);
});
