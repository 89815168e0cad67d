import assert from "node:assert/strict";
import { test } from "node:test";
import { type DotHost, inColumns, runDotCommand, type View } from "../../../src/cli/shell/dot-commands.js";
import { dotWords } from "../../../src/cli/shell/dot-words.js";

function host() {
  const lines: string[] = [];
  const views: Partial<View>[] = [];
  const files: string[] = [];
  const asked: (readonly string[])[] = [];
  const dots: DotHost = {
    view: { mode: "table", header: undefined, timer: false },
    columns: 40,
    show: (view) => views.push(view),
    ask: async (_sql, args = []) => {
      asked.push(args);
      return [
        ["t", "t", "CREATE TABLE t(\n  a)"],
        ["_holdfast_meta", "_holdfast_meta", "CREATE TABLE _holdfast_meta(a)"],
      ];
    },
    line: (text) => lines.push(text),
    read: async (file) => void files.push(file),
    importFile: async (...words) => void files.push(...words),
  };
  return { dots, lines, views, files, asked };
}

test("a command is known by its name or by as much of it as is clear", async () => {
  const { dots } = host();
  for (const name of [".quit", ".q", ".exit", ".QUIT"]) assert.equal(await runDotCommand(dots, [name]), "quit", name);
  assert.equal(await runDotCommand(dots, [".help"]), "on");
  await assert.rejects(runDotCommand(dots, [".t"]), /"\.t" may be \.tables, \.timer/);
  await assert.rejects(runDotCommand(dots, [".tabels"]), /there is no "\.tabels"; did you mean \.tables\?/);
  await assert.rejects(runDotCommand(dots, ["."]), /\.help lists/);
});

test("the view changes by words that are known, and by no others", async () => {
  const { dots, views } = host();
  for (const words of [
    [".mode", "csv"],
    [".mode", "box"],
    [".headers", "OFF"],
    [".timer", "on"],
  ])
    await runDotCommand(dots, words);
  assert.deepEqual(views, [{ mode: "csv" }, { mode: "table" }, { header: false }, { timer: true }]);
  await assert.rejects(runDotCommand(dots, [".mode", "html"]), /"html" is no mode; there are table, tabs/);
  await assert.rejects(runDotCommand(dots, [".timer", "perhaps"]), /usage: \.timer on\|off/);
  await assert.rejects(runDotCommand(dots, [".timer"]), /usage: \.timer on\|off/);
  await assert.rejects(runDotCommand(dots, [".import", "x"]), /usage: \.import FILE TABLE/);
  await assert.rejects(runDotCommand(dots, [".read"]), /usage: \.read FILE/);
});

test("tables and schema leave the broker's own out, and take a pattern", async () => {
  const { dots, lines, asked } = host();
  await runDotCommand(dots, [".tables"]);
  await runDotCommand(dots, [".schema", "t%"]);
  assert.deepEqual(lines, ["t", "CREATE TABLE t(\n  a);"]);
  assert.deepEqual(asked, [["%"], ["t%"]]);
});

test("names stand in columns that go down, then to the right", () => {
  assert.deepEqual(inColumns(["aa", "b", "c", "d", "e"], 8), ["aa  d", "b   e", "c"]);
  assert.deepEqual(inColumns(["long name"], 4), ["long name"]);
  assert.deepEqual(inColumns([], 80), []);
});

test("words are apart by spaces unless quotes hold them together", () => {
  assert.deepEqual(dotWords('.read  \'my file.sql\' "a \\"b\\""  '), [".read", "my file.sql", 'a "b"']);
  assert.deepEqual(dotWords(".tables it's"), [".tables", "it's"]);
  assert.throws(() => dotWords(".read 'my file"), /the quote in 'my file does not end/);
});
