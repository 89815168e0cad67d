import assert from "node:assert/strict";
import { test } from "node:test";
import { socketPath, socketPathBytes, socketPathBytesMax } from "../../src/places/index.js";

const linux = { platform: "linux", uid: 7 };
const padded = (bytes: number, name = "broker.sock") => `/${"d".repeat(bytes - name.length - 2)}/${name}`;

test("a path at the kernel's limit is kept, one byte more is replaced", () => {
  assert.equal(Buffer.byteLength(padded(107)), 107);
  assert.equal(socketPath(padded(107), linux), padded(107));
  assert.match(socketPath(padded(108), linux), /^\/tmp\/holdfast-7\/[0-9a-f]{16}\.sock$/);
  assert.equal(socketPath(padded(103), { ...linux, platform: "darwin" }), padded(103));
  assert.notEqual(socketPath(padded(104), { ...linux, platform: "darwin" }), padded(104));
  assert.equal(socketPathBytesMax("freebsd"), 103);
});

test("the length is counted in bytes, not in letters", () => {
  const path = `/${"ü".repeat(50)}/broker.sock`;
  assert.equal(socketPathBytes(path), 113);
  assert.notEqual(socketPath(path, linux), path);
});

test("a short name does not help when the private name beside it would not fit", () => {
  assert.equal(socketPathBytes("/run/s"), "/run/".length + 11);
  assert.notEqual(socketPath(padded(107, "s"), linux), padded(107, "s"));
});

test("the replacement depends on the path alone, and two paths get two", () => {
  const one = socketPath(padded(150), linux);
  assert.equal(socketPath(padded(150), linux), one);
  assert.notEqual(socketPath(padded(151), linux), one);
});
