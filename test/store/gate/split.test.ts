import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { splitScript, tokenize } from "../../../src/store/gate/index.js";
import { isRefusal } from "../../../src/terms/index.js";
import { sqlLike } from "./sql-like.js";

function texts(sql: string): string[] {
  const spans = splitScript(sql);
  if (isRefusal(spans)) assert.fail(spans.message);
  for (const { start, end, text } of spans) assert.equal(text, sql.slice(start, end));
  return spans.map(({ text }) => text);
}

test("semicolons divide statements, except in texts, names and comments", () => {
  assert.deepEqual(texts("select ';', \";\", `;`, [;] -- ;\n /* ; */ ; select 2"), [
    "select ';', \";\", `;`, [;]",
    "select 2",
  ]);
});

test("empty statements and what surrounds a statement are left out", () => {
  assert.deepEqual(texts(" ;; -- one\n select 1 /* after */ ;;\ufeff; select 2;"), ["select 1", "select 2"]);
  assert.deepEqual(texts(" /* nothing */ ; -- at all"), []);
});

const body = "create trigger x after insert on t begin update t set a = case when 1 then 2 end; select 1 end; end";

test("a trigger's body is not divided, with CASE, with END as a name, and however it is written", () => {
  assert.deepEqual(texts(`${body}; select 2`), [body, "select 2"]);
  for (const written of [
    body.toUpperCase(),
    body.replace("create", "create/**/temp"),
    body.replace("create", "create TEMPORARY"),
    body.replace("create", "explain create"),
    body.replace("create", "explain query plan create"),
    body.replace("; end", ";/* ; */end"),
    body.replace("trigger x", 'trigger if not exists main."end"'),
  ])
    assert.deepEqual(texts(`select 0; ${written} ; select 2`), ["select 0", written, "select 2"]);
});

test("a trigger without body ends at its first semicolon", () => {
  assert.deepEqual(texts("create trigger x; select 1"), ["create trigger x", "select 1"]);
});

test("a trigger whose body does not end takes the rest", () => {
  const open = "create trigger x after insert on t begin select 1; select 2;";
  assert.deepEqual(texts(open), [open]);
});

test("END ends a body only behind a semicolon, as in SQLite", () => {
  const named = "create trigger x after insert on t begin select 1 end; delete from t; end";
  assert.deepEqual(texts(`${named}; select 2`), [named, "select 2"]);
});

test("a table called trigger is no trigger", () => {
  assert.deepEqual(texts("create table trigger(a); begin; end"), ["create table trigger(a)", "begin", "end"]);
});

test("splitting loses nothing but spaces, comments and semicolons, and splitting again changes nothing", () => {
  fc.assert(
    fc.property(sqlLike, (sql) => {
      const spans = splitScript(sql);
      if (isRefusal(spans)) return;
      let end = 0;
      for (const span of [...spans, { start: sql.length, end: sql.length, text: "" }]) {
        const between = tokenize(sql.slice(end, span.start));
        if (isRefusal(between)) assert.fail(between.message);
        for (const { kind } of between) assert.ok(kind === "space" || kind === "comment" || kind === ";", kind);
        end = span.end;
      }
      const parts = spans.map(({ text }) => text);
      assert.deepEqual(texts(parts.join(";\n")), parts);
    }),
    { numRuns: 2000 },
  );
});
