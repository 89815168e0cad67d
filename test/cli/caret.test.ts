import assert from "node:assert/strict";
import { test } from "node:test";
import { caretLines, positionIn } from "../../src/cli/caret.js";

const marked = (sql: string, word: string, widthMax?: number) =>
  caretLines(sql, { offset: sql.indexOf(word), length: word.length }, widthMax);

test("the marks stand below the word", () => {
  assert.deepEqual(marked("select * form t", "form"), ["  select * form t", "           ^^^^"]);
});

test("a place without a length marks the word that begins there, or one sign", () => {
  assert.deepEqual(caretLines("select * form t", { offset: 9, length: 1 }), ["  select * form t", "           ^^^^"]);
  assert.deepEqual(caretLines("select (", { offset: 7, length: 0 }), ["  select (", "         ^"]);
});

test("of several lines the one is shown, with its number", () => {
  assert.deepEqual(marked("select *\nfrom t\nwhre x", "whre"), ["  line 3: whre x", "          ^^^^"]);
});

test("tabs and wide signs do not shift the marks", () => {
  assert.deepEqual(marked("\tselect '日本' form", "form"), ["   select '日本' form", "                 ^^^^"]);
});

test("a long line is shown around the place", () => {
  const lines = marked(`select ${"a, ".repeat(60)}oops, ${"b, ".repeat(60)}`, "oops", 60);
  assert.ok(lines !== undefined);
  const [line = "", marks = ""] = lines;
  assert.ok(line.length <= 60, line);
  assert.equal(line.slice(marks.indexOf("^"), marks.lastIndexOf("^") + 1), "oops");
  assert.match(line, /^ {2}….*…$/);
});

test("an error at the end of the text is marked behind it", () => {
  assert.deepEqual(caretLines("select", { offset: 6, length: 0 }), ["  select", "        ^"]);
});

test("marks do not run over the end of the line", () => {
  assert.deepEqual(caretLines("a 'b\nc", { offset: 2, length: 4 }), ["  line 1: a 'b", "            ^^"]);
});

test("a place outside the text is none", () => {
  assert.equal(caretLines("x", { offset: 2, length: 1 }), undefined);
  assert.equal(caretLines("x", { offset: -1, length: 1 }), undefined);
  assert.equal(caretLines("x", { offset: 0.5, length: 1 }), undefined);
});

test("a position is found in the details of a refusal, or not at all", () => {
  assert.deepEqual(positionIn({ position: { offset: 3, length: 2 } }), { offset: 3, length: 2 });
  assert.deepEqual(positionIn({ position: 7 }), { offset: 7, length: 1 });
  assert.equal(positionIn({}), undefined);
  assert.equal(positionIn({ position: { line: 3 } }), undefined);
});
