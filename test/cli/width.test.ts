import assert from "node:assert/strict";
import { test } from "node:test";
import { cut, cutPainted, padEnd, printable, widthOf } from "../../src/cli/width.js";

test("width is counted in columns of the terminal", () => {
  for (const [text, width] of [
    ["", 0],
    ["abc", 3],
    ["日本", 4],
    ["e\u0301", 1],
    ["🙂", 2],
    ["a\u200bb", 2],
  ] as const)
    assert.equal(widthOf(text), width, JSON.stringify(text));
});

test("text is cut between signs, never through one", () => {
  assert.equal(cut("abcdef", 6), "abcdef");
  assert.equal(cut("abcdef", 4), "abc…");
  assert.equal(cut("日本語", 4), "日…");
  assert.equal(widthOf(cut("🙂🙂🙂", 4)), 3);
});

test("colours take no place in a line that is cut, and those that end others stay", () => {
  const [bold, plain] = ["\u001b[1m", "\u001b[0m"];
  assert.equal(cutPainted(`${bold}ab${plain}cd`, 4), `${bold}ab${plain}cd`);
  assert.equal(cutPainted(`${bold}abc${plain}de`, 4), `${bold}abc${plain}…`);
  assert.equal(cutPainted(`${bold}abcd${plain}ef`, 3), `${bold}ab…${plain}`);
});

test("padding fills up to the width and takes nothing away", () => {
  assert.equal(padEnd("日", 4), "日  ");
  assert.equal(padEnd("abcdef", 2), "abcdef");
});

test("control and direction characters are written out", () => {
  assert.equal(printable("a\tb\u0007\u009b\u202ec"), "a\\tb\\x07\\x9b\\u202ec");
  assert.equal(printable("näh 日"), "näh 日");
});
