import assert from "node:assert/strict";
import { test } from "node:test";
import { localTime, readableLogLine } from "../../src/cli/log-line.js";

test("a line of the log is told as time, level, words and fields", () => {
  const time = new Date(2026, 4, 17, 14, 3, 22, 123);
  const line = JSON.stringify({ level: 40, time: time.getTime(), pid: 1, msg: "slow", ms: 12, path: "/x y" });
  assert.equal(readableLogLine(line), "2026-05-17 14:03:22.123 warn  slow ms=12 path=/x y");
  assert.equal(localTime(time), "2026-05-17 14:03:22.123");
});

test("what is not a line of ours is shown as it is, without its control characters", () => {
  assert.equal(readableLogLine("plain \u001b[31mtext"), "plain \\x1b[31mtext");
  assert.equal(readableLogLine("{broken"), "{broken");
});
