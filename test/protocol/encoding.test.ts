import assert from "node:assert/strict";
import { test } from "node:test";
import { commonVersion, encodingOf, subprotocols } from "../../src/protocol/index.js";

test("a subprotocol chooses its encoding, and no other word does", () => {
  assert.equal(encodingOf(subprotocols.json), "json");
  assert.equal(encodingOf(subprotocols.msgpack), "msgpack");
  for (const word of ["", "holdfast", "holdfast.v2.json", "HOLDFAST.V1.JSON", "json"])
    assert.equal(encodingOf(word), undefined);
});

test("a peer that is newer or older is spoken to in a version that both know", () => {
  assert.equal(commonVersion({ min: 1, max: 1 }), 1);
  assert.equal(commonVersion({ min: 1, max: 9 }), 1);
  assert.equal(commonVersion({ min: 2, max: 9 }), undefined);
  assert.equal(commonVersion({ min: 2, max: 1 }), undefined);
});
