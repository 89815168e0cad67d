import assert from "node:assert/strict";
import { test } from "node:test";
import { secretText, sessionIdOf } from "../../src/protocol/index.js";

test("the session's id is the front half of the hash of the secret's bytes", () => {
  // printf '\0%.0s' {1..32} | sha256sum
  assert.equal(sessionIdOf("A".repeat(43)), "66687aadf862bd776c8fc18b8e9f8e20");
  const bytes = Uint8Array.from({ length: 32 }, (_, index) => index * 8);
  assert.match(secretText(bytes), /^[A-Za-z0-9_-]{43}$/);
  assert.notEqual(sessionIdOf(secretText(bytes)), sessionIdOf("A".repeat(43)));
});

test("what is not 32 bytes in base64url is no secret", () => {
  for (const text of [
    "",
    "A".repeat(42),
    "A".repeat(44),
    `${"A".repeat(42)}=`,
    `${"A".repeat(42)}+`,
    `${"A".repeat(42)}\n`,
  ])
    assert.equal(sessionIdOf(text), undefined);
});
