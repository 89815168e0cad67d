import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { tokenize } from "../../../src/store/gate/index.js";
import { isRefusal } from "../../../src/terms/index.js";
import { sqlLike } from "./sql-like.js";

/** "kind text" for each token that is no space. */
function cut(sql: string): string[] {
  const tokens = tokenize(sql);
  if (isRefusal(tokens)) assert.fail(`${sql}: ${tokens.message}`);
  return tokens
    .filter(({ kind }) => kind !== "space")
    .map(({ kind, start, end }) => (kind === sql.slice(start, end) ? kind : `${kind} ${sql.slice(start, end)}`));
}

function fault(sql: string): { message: string; at: string } {
  const tokens = tokenize(sql);
  if (!isRefusal(tokens)) assert.fail(`${JSON.stringify(sql)} was cut into tokens`);
  assert.equal(tokens.refused, "SQL_INVALID_TEXT");
  const { position, length } = tokens.details;
  return { message: tokens.message, at: sql.slice(position, position + length) };
}

test("a statement is cut into words, names, numbers, texts and marks", () => {
  assert.deepEqual(cut("select t.a1, 'x', 1 from t;"), [
    "word select",
    "word t",
    ".",
    "name a1",
    ",",
    "string 'x'",
    ",",
    "number 1",
    "word from",
    "word t",
    ";",
  ]);
});

test("a quote inside a quotation is written twice, in brackets it cannot be written", () => {
  assert.deepEqual(cut('\'it\'\'s\' "a""b" `c``d` [e"f]'), [
    "string 'it''s'",
    'quoted "a""b"',
    "quoted `c``d`",
    'quoted [e"f]',
  ]);
  assert.deepEqual(cut("'' \"\" `` []"), ["string ''", 'quoted ""', "quoted ``", "quoted []"]);
});

test("comments end at the line's end or at the first */ and do not nest", () => {
  assert.deepEqual(cut("1--2'\n3/*4;--*/5/**/6/* /* */7"), [
    "number 1",
    "comment --2'",
    "number 3",
    "comment /*4;--*/",
    "number 5",
    "comment /**/",
    "number 6",
    "comment /* /* */",
    "number 7",
  ]);
  assert.deepEqual(cut("1 -- to the end"), ["number 1", "comment -- to the end"]);
  assert.deepEqual(cut("-- a return\r does not end it\n2"), ["comment -- a return\r does not end it", "number 2"]);
});

test("numbers have digits, underscores, fractions, exponents and hexadecimal digits", () => {
  const numbers = ["12", "1_000", "0x1F", "0XaB_c", "1.5", "1.", ".5", "2e3", "2E-3", "1.e+5", "00x".slice(0, 2)];
  for (const number of numbers) assert.deepEqual(cut(number), [`number ${number}`]);
  assert.deepEqual(cut("1.2.3"), ["number 1.2", "number .3"]);
  assert.deepEqual(cut("1+2"), ["number 1", "operator +", "number 2"]);
});

test("a letter behind a number makes it nothing", () => {
  assert.equal(fault("select 12abc").at, "12abc");
  assert.equal(fault("select 0x").at, "0x");
  assert.equal(fault("select 1e").at, "1e");
  assert.equal(fault("select 0xfg").at, "0xfg");
  assert.equal(fault("select 1é").at, "1é");
});

test("a blob has pairs of hexadecimal digits, and x without a quote is a word", () => {
  assert.deepEqual(cut("x'0aFF' X'' x ax'00'"), ["blob x'0aFF'", "blob X''", "word x", "word ax", "string '00'"]);
  assert.equal(fault("x'0'").at, "x'0'");
  assert.equal(fault("x'0g'").at, "x'0g");
  assert.equal(fault("x'00").at, "x'00");
});

test("parameters are ?, ?NNN, :name, @name and $name", () => {
  assert.deepEqual(cut("? ?12 :a1 @é $x$y :1 $$"), [
    "variable ?",
    "variable ?12",
    "variable :a1",
    "variable @é",
    "variable $x$y",
    "variable :1",
    "variable $$",
  ]);
  assert.equal(fault("select :").at, ":");
  assert.equal(fault("select @ a").at, "@");
});

test("the longer parameter names of other builds of SQLite are refused and not read half", () => {
  assert.equal(fault("select $a::b").at, "$a:");
  assert.equal(fault("select $a(;drop table t)").at, "$a(");
  assert.equal(fault("select #a").at, "#");
});

test("operators are cut as long as they can be", () => {
  const marks = "-> ->> - < <= <> << > >= >> = == != | || & ~ + * / %".split(" ");
  for (const mark of marks) assert.deepEqual(cut(`1${mark} 2`), ["number 1", `operator ${mark}`, "number 2"]);
  assert.deepEqual(cut("a->>>b"), ["word a", "operator ->>", "operator >", "word b"]);
  for (const sql of ["!", "^", "\\", "{", "]", "#"]) assert.equal(fault(sql).at, sql);
});

test("a keyword is a word of letters and underscores only; all other identifiers are names", () => {
  assert.deepEqual(cut("select select1 sele$ct é _x a_b"), [
    "word select",
    "name select1",
    "name sele$ct",
    "name é",
    "word _x",
    "word a_b",
  ]);
  // Not letters for SQLite's keywords, though Unicode's upper case of ſ is S.
  assert.deepEqual(cut("ſelect"), ["name ſelect"]);
});

test("a byte order mark is a space where a token begins and a letter inside a name", () => {
  assert.deepEqual(cut("\ufeffselect \ufeff 1"), ["word select", "number 1"]);
  assert.deepEqual(cut("select\ufeff1"), ["name select\ufeff1"]);
});

test("a vertical tab is a space behind a space and nothing elsewhere", () => {
  assert.deepEqual(cut("select \v 1"), ["word select", "number 1"]);
  assert.equal(fault("select\v1").at, "\v");
  assert.equal(fault("select \ufeff\v1").at, "\v");
});

test("what is opened and not closed is refused from its beginning", () => {
  for (const rest of ["'abc", '"abc', "`abc", "[abc", "/* abc", "'it''", "/*/"])
    assert.equal(fault(`select ${rest}`).at, rest);
  assert.match(fault("select 'abc").message, /does not end/);
});

test("NUL and half a surrogate pair are refused anywhere, also in texts and comments", () => {
  assert.equal(fault("select 1\0; drop table t").at, "\0");
  assert.equal(fault("select '\0'").at, "\0");
  assert.equal(fault("select 1 -- \ud800").at, "\ud800");
  assert.equal(fault("select '😀\udc00'").at, "\udc00");
  assert.deepEqual(cut("'😀'"), ["string '😀'"]);
});

test("tokens cover the text exactly, and no string makes the tokenizer throw", () => {
  const check = (sql: string) => {
    const tokens = tokenize(sql);
    if (isRefusal(tokens)) return;
    let end = 0;
    for (const token of tokens) {
      assert.equal(token.start, end);
      assert.ok(token.end > token.start);
      end = token.end;
    }
    assert.equal(end, sql.length);
  };
  fc.assert(fc.property(sqlLike, check), { numRuns: 2000 });
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 60 }), check), { numRuns: 500 });
});
