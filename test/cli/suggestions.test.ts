import assert from "node:assert/strict";
import { test } from "node:test";
import { nearest } from "../../src/cli/suggestions.js";

const words = ["serve", "status", "stop", "sql", "lock", "locks", "acquire", "release"];

test("a slip of the fingers finds its word", () => {
  assert.equal(nearest("stauts", words), "status");
  assert.equal(nearest("serv", words), "serve");
  assert.equal(nearest("SQL", words), "sql");
  assert.equal(nearest("aquire", words), "acquire");
  assert.equal(nearest("lokc", words), "lock");
});

test("a word that is like none finds nothing", () => {
  assert.equal(nearest("frobnicate", words), undefined);
  assert.equal(nearest("xyz", words), undefined);
});
