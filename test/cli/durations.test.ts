import assert from "node:assert/strict";
import { test } from "node:test";
import { count, formatBytes, formatCount, formatDuration, parseDuration } from "../../src/cli/durations.js";

test("a bare number is seconds, a unit says otherwise", () => {
  for (const [text, ms] of [
    ["30", 30_000],
    ["0", 0],
    ["0.5", 500],
    [".5", 500],
    ["30s", 30_000],
    ["500ms", 500],
    ["2m", 120_000],
    ["2min", 120_000],
    ["1h", 3_600_000],
    ["1.5 h", 5_400_000],
    ["1d", 86_400_000],
  ] as const)
    assert.equal(parseDuration(text), ms, text);
});

test("what is not a length of time is not taken for one", () => {
  for (const text of ["", "soon", "-1", "1x", "1,5", "1m30", "1e3", "s", "9".repeat(30)])
    assert.equal(parseDuration(text), undefined, text);
});

test("a length of time is told in about two digits", () => {
  for (const [ms, text] of [
    [0, "0.0 ms"],
    [0.83, "0.8 ms"],
    [9.94, "9.9 ms"],
    [9.96, "10 ms"],
    [999.4, "999 ms"],
    [999.6, "1.0 s"],
    [1234, "1.2 s"],
    [9949, "9.9 s"],
    [9951, "10 s"],
    [59_499, "59 s"],
    [59_500, "1 min"],
    [185_000, "3 min 5 s"],
    [180_000, "3 min"],
    [1_234_000, "20 min"],
    [3_600_000, "1 h"],
    [7_500_000, "2 h 5 min"],
    [90_000_000, "1 d 1 h"],
    [172_800_000, "2 d"],
    [-1, "0 ms"],
    [Number.NaN, "0 ms"],
  ] as const)
    assert.equal(formatDuration(ms), text, String(ms));
});

test("sizes and counts read alike on every machine", () => {
  assert.equal(formatBytes(1), "1 byte");
  assert.equal(formatBytes(812), "812 bytes");
  assert.equal(formatBytes(3482), "3.4 KiB");
  assert.equal(formatBytes(120 * 1024 * 1024), "120 MiB");
  assert.equal(formatCount(1234567), "1,234,567");
  assert.equal(formatCount(123), "123");
  assert.equal(count(1, "row"), "1 row");
  assert.equal(count(0, "row"), "0 rows");
  assert.equal(count(1000, "entry", "entries"), "1,000 entries");
});
