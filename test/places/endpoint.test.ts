import assert from "node:assert/strict";
import { test } from "node:test";
import { endpointFor, parseEndpoint } from "../../src/places/index.js";

const linux = { platform: "linux" };

test("a socket is written as a path, as unix:PATH or as unix://PATH", () => {
  for (const text of ["/run/x.sock", "unix:/run/x.sock", "unix:///run/x.sock"])
    assert.deepEqual(parseEndpoint(text, linux), { kind: "unix", path: "/run/x.sock", named: true });
  assert.equal(parseEndpoint("x.sock", { ...linux, cwd: () => "/run" }).path, "/run/x.sock");
});

test("anything else is refused with what is wanted", () => {
  for (const text of ["ws://localhost:1", "tcp:1", "", "unix:", "x.sock", "/a\0b", `/${"x".repeat(107)}`])
    assert.throws(() => parseEndpoint(text, linux), { code: "CONFIGURATION" }, text);
});

test("what was given goes before HOLDFAST_SOCKET, and that before the directory's own place", () => {
  const env = { HOLDFAST_SOCKET: "/env.sock" };
  const socket = "/own.sock";
  assert.equal(endpointFor({ ...linux, env, socket, given: "/given.sock" }).path, "/given.sock");
  assert.equal(endpointFor({ ...linux, env, socket }).path, "/env.sock");
  assert.equal(endpointFor({ ...linux, env: { HOLDFAST_SOCKET: "" }, socket }).path, "/own.sock");
});

test("a socket that somebody named is told from the directory's own, also at the same path", () => {
  const socket = "/own.sock";
  assert.equal(endpointFor({ ...linux, env: {}, socket }).named, false);
  assert.equal(endpointFor({ ...linux, env: {}, socket, given: socket }).named, true);
  assert.equal(endpointFor({ ...linux, env: { HOLDFAST_SOCKET: socket }, socket }).named, true);
});
