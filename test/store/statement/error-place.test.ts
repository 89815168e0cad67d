/** SQLite's sentence, and the place in the text that it speaks of, with SQLite itself as the judge. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { loadSqlite } from "../../../src/sqlite/index.js";
import { placeOf } from "../../../src/store/statement/error-place.js";

const database = new (loadSqlite())(":memory:");
database.exec("create table t (a, b)");

function complaintOf(sql: string): string | undefined {
  try {
    database.prepare(sql);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** The text with the found place in ⟨⟩. */
function shown(sql: string): string {
  const message = complaintOf(sql);
  assert.notEqual(message, undefined, `SQLite has nothing against ${sql}`);
  const place = placeOf(message ?? "", sql, complaintOf);
  if (place === undefined) return "nowhere";
  const { position, length } = place;
  return `${sql.slice(0, position)}⟨${sql.slice(position, position + length)}⟩${sql.slice(position + length)}`;
}

test("the word that the parser stopped at is found, also where it stands more than once", () => {
  const cases = [
    "select a form ⟨t⟩",
    "select a from t where a ⟨where⟩",
    "select a, b from t ⟨from⟩ t where a = 1",
    "select /* from */ 'from', a from t ⟨from⟩",
    "insert ⟨t⟩ values (1)",
    "update t set a = 1, ⟨where⟩ b = 2",
    "select '😀', a from t where a = ⟨=⟩ b",
    "select 1 ⟨1⟩",
  ];
  for (const expected of cases) assert.equal(shown(expected.replace(/[⟨⟩]/g, "")), expected);
});

test("a text that ends too early is told to end too early", () => {
  assert.equal(shown("select (1"), "select (1⟨⟩");
});

test("a name that SQLite does not know is found where it stands once", () => {
  assert.equal(shown("select nix from t"), "select ⟨nix⟩ from t");
  assert.equal(shown("select t.nix from t"), "select t.⟨nix⟩ from t");
  assert.equal(shown('select a from "nix"'), 'select a from ⟨"nix"⟩');
  assert.equal(shown("select NIX(a) from t"), "select ⟨NIX⟩(a) from t");
  assert.equal(shown("select nix, nix from t"), "nowhere");
});

test("an error that is not about a place has none", () => {
  assert.equal(shown("insert into t values (1)"), "nowhere");
});

test("a text in which the word stands very often is not searched", () => {
  assert.equal(shown(`select ${Array.from({ length: 30 }, () => "a").join(", ")}, a a a from t`), "nowhere");
});
