import assert from "node:assert/strict";
import { test } from "node:test";
import { isBlank, isWhole, oneLine, statementsIn } from "../../../src/cli/shell/statements.js";

test("a statement is whole when its semicolon is there, and not before", () => {
  for (const whole of ["select 1;", "select 1; -- one", "select 1;\n\n", ";", "select ';';", "a; b;"])
    assert.ok(isWhole(whole), whole);
  for (const part of ["select 1", "select ';", 'select "a;', "select [a;", "select `a;", "/* ; ", "-- ;", "a; b", ""])
    assert.ok(!isWhole(part), part);
});

test("the semicolons in a trigger's body do not end it", () => {
  const head = "create trigger g after insert on t begin\n  insert into log values (1);";
  assert.ok(!isWhole(head));
  assert.ok(isWhole(`${head}\nend;`));
  assert.ok(isWhole("create table begin_t(a);"));
});

test("what can be no SQL is whole with its semicolon, so that somebody says so", () => {
  assert.ok(isWhole("select # from t;"));
  assert.ok(!isWhole("select # from t"));
});

test("spaces and comments are nothing, the beginning of one is something", () => {
  assert.ok(isBlank(" \t"));
  assert.ok(isBlank("-- a word\n/* and more */"));
  assert.ok(!isBlank("/* and"));
  assert.ok(!isBlank(";"));
});

test("a text is cut into its statements, each with the line on which it begins", () => {
  const text = "select 1;\n-- two\nselect\n 2; begin immediate;";
  assert.deepEqual(
    statementsIn(text).map(({ text: sql, line, control, reads }) => [sql, line, control?.action, reads]),
    [
      ["select 1", 1, undefined, true],
      ["select\n 2", 3, undefined, true],
      ["begin immediate", 4, "begin", false],
    ],
  );
});

test("whether a statement may run twice is seen from its words", () => {
  const reads = (sql: string) => statementsIn(sql)[0]?.reads;
  assert.equal(reads("with a as (select 1) select * from a"), true);
  assert.equal(reads("with a as (select 1) insert into t select * from a"), false);
  assert.equal(reads("attach 'x' as y"), false);
});

test("a text that cannot be cut is one statement", () => {
  assert.deepEqual(
    statementsIn("select 'a; select 2").map(({ text }) => text),
    ["select 'a; select 2"],
  );
});

test("several lines become one to be called back, unless a line break in them means something", () => {
  assert.equal(oneLine("select a,\n\t\tb\nfrom t;"), "select a, b from t;");
  assert.equal(oneLine("select 1; "), "select 1;");
  assert.equal(oneLine("select 'a\nb';"), undefined);
  assert.equal(oneLine("select 1 -- one\n, 2;"), undefined);
  assert.equal(oneLine("select 1 /* one\n */, 2;"), undefined);
});
