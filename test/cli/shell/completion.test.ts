import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { completeSql } from "../../../src/cli/shell/completion.js";
import { completeDot } from "../../../src/cli/shell/dot-completion.js";
import { tempDir } from "../../support/temp-dir.js";

const tables = [
  { name: "customer", columns: ["id", "name", "first name"] },
  { name: "invoice", columns: ["id", "customer", "paid"] },
  { name: "Order", columns: ["nr"] },
];

const at = (line: string, before = "") => completeSql({ before, line, tables })[0];

test("behind FROM and its like come the tables", () => {
  assert.deepEqual(at("select * from c"), ["customer"]);
  assert.deepEqual(at("insert into "), ["customer", "invoice", '"Order"']);
  assert.deepEqual(at("select * from customer join inv"), ["invoice"]);
});

test("behind a table's name and a point come its columns", () => {
  assert.deepEqual(at("select customer."), ["id", "name", '"first name"']);
  assert.deepEqual(at("select invoice.p"), ["paid"]);
  assert.deepEqual(at("select c.na"), ["name"], "of a name that the statement gave, all tables' columns");
});

test("elsewhere come columns, then tables, then keywords", () => {
  assert.deepEqual(at("select pa"), ["paid", "partition"]);
  assert.deepEqual(at("select na"), ["name", "natural"]);
  assert.deepEqual(at("i").slice(0, 3), ["id", "invoice", "if"]);
  assert.deepEqual(at("sel"), ["select"]);
});

test("keywords come in the case in which they were begun", () => {
  assert.deepEqual(at("SEL"), ["SELECT"]);
  assert.deepEqual(at("Sel"), ["select"]);
});

test("of tables that are named the columns come alone, also when they are named in a line before", () => {
  assert.ok(!at("f", "select * from invoice where").includes('"first name"'));
  assert.ok(at("f", "select * from customer where").includes('"first name"'));
});

test("inside a text, a quoted name and a comment nothing is completed", () => {
  for (const line of ["select 'sel", 'select "sel', "/* sel", "-- sel"]) assert.deepEqual(at(line), [], line);
  assert.deepEqual(at("sel", "select 'a\n"), []);
  assert.deepEqual(at("sel", "-- a\n"), ["select"]);
});

test("an empty word is completed only where one sort of thing can stand", () => {
  assert.deepEqual(at(""), []);
  assert.deepEqual(at("select "), []);
});

test("dot commands, what they take, files and tables", (t) => {
  const cwd = tempDir(t);
  writeFileSync(join(cwd, "rows.csv"), "");
  writeFileSync(join(cwd, ".hidden"), "");
  mkdirSync(join(cwd, "rest"));
  const dot = (line: string) => completeDot(line, tables, cwd)[0];
  assert.deepEqual(dot(".t"), [".tables", ".timer"]);
  assert.deepEqual(dot(".mode js"), ["json", "jsonl"]);
  assert.deepEqual(dot(".timer "), ["on", "off"]);
  assert.deepEqual(dot(".schema inv"), ["invoice"]);
  assert.deepEqual(dot(".read r"), ["rest/", "rows.csv"]);
  assert.deepEqual(dot(".read "), ["rest/", "rows.csv"]);
  assert.deepEqual(dot(".read nowhere/x"), []);
  assert.deepEqual(dot(".read rows.csv "), []);
  assert.deepEqual(dot(".quit "), []);
});
