import assert from "node:assert/strict";
import { test } from "node:test";
import { readablePragmas } from "../../../src/store/gate/index.js";
import { letIn, refusalOf, refusedAt } from "./verdict.js";

const withSubject = readablePragmas.filter((name) => /^table|^index|^foreign|check$/.test(name));
const withNumber = ["user_version", "application_id"];
const plain = readablePragmas.filter((name) => !withSubject.includes(name) && !withNumber.includes(name));

test("the list of readable PRAGMAs is the one that is promised", () => {
  assert.deepEqual([...readablePragmas].sort(), [
    "application_id",
    "collation_list",
    "compile_options",
    "encoding",
    "foreign_key_check",
    "foreign_key_list",
    "function_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "page_count",
    "quick_check",
    "table_info",
    "table_list",
    "table_xinfo",
    "user_version",
  ]);
});

test("a readable PRAGMA is read in every writing of its name", () => {
  for (const name of readablePragmas)
    for (const sql of [
      `pragma ${name}`,
      `PRAGMA/**/main . ${name.toUpperCase()} -- a`,
      `pragma "${name}"`,
      `pragma [main].'${name}'`,
    ]) {
      const { access, alone, verb, returnsRows } = letIn(sql);
      assert.deepEqual([verb, access, alone, returnsRows], ["PRAGMA", "read", false, true], sql);
    }
});

test("a PRAGMA that takes a table, an index or a number takes one of them", () => {
  for (const name of withSubject)
    for (const argument of ["t", '"a b"', "'t'", "[t]", "10"])
      for (const sql of [`pragma ${name}(${argument})`, `pragma ${name} = ${argument}`])
        assert.equal(letIn(sql).access, "read", sql);
  for (const argument of ["-1", "a.b", "?", "t, u", "(t)", ""])
    assert.equal(refusalOf(`pragma table_info(${argument})`).refused, "STATEMENT_REFUSED", argument);
});

test("an argument that would set something is refused", () => {
  for (const name of plain)
    for (const argument of ["1", "'UTF-16'", "t"])
      for (const sql of [`pragma ${name}(${argument})`, `pragma main.${name}/**/=${argument}`])
        assert.equal(refusedAt(sql, "STATEMENT_REFUSED"), argument);
});

test("user_version and application_id are set to an integer of 32 bits and nothing else", () => {
  for (const name of withNumber) {
    for (const value of ["0", "7", "+7", "-7", "- 7", "2147483647", "-2147483648", "0x7fffFFFF", "007"])
      for (const sql of [`pragma ${name} = ${value}`, `pragma main.${name}(${value})`]) {
        const { access, alone, returnsRows } = letIn(sql);
        assert.deepEqual([access, alone, returnsRows], ["write", true, false], sql);
      }
    for (const value of [
      "2147483648",
      "-2147483649",
      "0x80000000",
      "-0x1",
      "1.0",
      "1e3",
      "1_0",
      "'7'",
      "x",
      "on",
      "?",
      "* 7",
      "~7",
    ])
      assert.match(refusalOf(`pragma ${name} = ${value}`).message, /integer of 32 bits/, value);
  }
});

test("every other PRAGMA is refused, with and without an argument, and the list is told", () => {
  for (const name of [
    "journal_mode",
    "synchronous",
    "cache_size",
    "writable_schema",
    "wal_checkpoint",
    "query_only",
    "optimize",
    "temp_store",
    "hard_heap_limit",
    "ẗable_info",
    "user_version2",
  ])
    for (const rest of ["", " = 1", "(1)", " = delete"]) {
      assert.equal(refusedAt(`PRAGMA/**/main . ${name}${rest}`, "STATEMENT_REFUSED"), name);
      assert.match(refusalOf(`pragma "${name}"${rest}`).message, /table_info.*user_version/);
    }
});

test("another schema than main is refused", () => {
  for (const schema of ["temp", '"temp"', "x", "'aux'"])
    assert.equal(refusedAt(`pragma ${schema}.table_info(t)`, "STATEMENT_REFUSED"), schema);
});

test("what is not written like a PRAGMA is refused", () => {
  for (const sql of [
    "pragma",
    "pragma main.",
    "pragma 1",
    "pragma user_version 1",
    "pragma user_version =",
    "pragma user_version == 1",
    "pragma user_version = 1 2 3",
    "pragma user_version(1",
    "pragma user_version = (1)",
    "pragma user_version; 1".replace(";", ""),
    "pragma main.main.user_version",
  ])
    assert.equal(refusalOf(sql).refused, "STATEMENT_REFUSED", sql);
});

test("defer_foreign_keys is set inside a transaction and nowhere else", () => {
  for (const value of ["on", "ON", "'on'", "1", "true", "yes", "off", "0", "false", "no"])
    for (const sql of [`pragma defer_foreign_keys = ${value}`, `pragma main.defer_foreign_keys(${value})`]) {
      const { kind, access, alone } = letIn(sql, { inTransaction: true });
      assert.deepEqual([kind, access, alone], ["statement", "write", true], sql);
      assert.match(refusalOf(sql).message, /needs a transaction/);
    }
  assert.match(refusalOf("pragma defer_foreign_keys = 2", { inTransaction: true }).message, /ON or OFF/);
  assert.match(refusalOf("pragma defer_foreign_keys", { inTransaction: true }).message, /not read/);
});

test("foreign_keys is a setting of the session, and only where there is one", () => {
  const allowed = { allowForeignKeysSetting: true };
  for (const [sql, on] of [
    ["pragma foreign_keys = off", false],
    ["PRAGMA foreign_keys(1)", true],
    ['pragma "foreign_keys" = "ON"', true],
  ] as const) {
    const found = letIn(sql, allowed);
    assert.equal(found.kind === "session-setting" && found.name === "foreign_keys" && found.on === on, true, sql);
    assert.match(refusalOf(sql).message, /shared/);
    assert.match(refusalOf(sql, { ...allowed, inTransaction: true }).message, /inside a transaction/);
  }
  assert.match(refusalOf("pragma foreign_keys", allowed).message, /not read/);
});
