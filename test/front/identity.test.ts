import assert from "node:assert/strict";
import { test } from "node:test";
import { identityOf } from "../../src/front/identity.js";
import type { ProcessTable } from "../../src/front/processes.js";
import { isRefusal, limitsWith } from "../../src/terms/index.js";

const limits = limitsWith();
const hello = { protocol: { min: 1, max: 1 }, program: "make", version: "1" };

function table(known: { readonly [pid: number]: string }): ProcessTable {
  return {
    pidNamespace: "pid:[1]",
    startTimeOf: (pid) => known[pid],
    fateOf: () => "unknown",
    residentBytesOf: () => undefined,
  };
}

// rule 12: death, seen wrongly
test("a process that can be read with the claimed start time counts", () => {
  const identity = identityOf({ ...hello, process: { pid: 7, startTime: "100" } }, table({ 7: "100" }), limits);
  assert.deepEqual(identity, { program: "make", version: "1", process: { pid: 7, startTime: "100" }, bound: false });
});

test("a pid that was used again does not count", () => {
  const identity = identityOf({ ...hello, process: { pid: 7, startTime: "100" } }, table({ 7: "200" }), limits);
  assert.ok(!isRefusal(identity));
  assert.equal(identity.process, undefined);
});

test("a pid of another namespace does not count, whatever the process of that number here is", () => {
  const process = { pid: 7, startTime: "100", pidNamespace: "pid:[2]" };
  const identity = identityOf({ ...hello, process }, table({ 7: "100" }), limits);
  assert.ok(!isRefusal(identity));
  assert.equal(identity.process, undefined);
});

test("a session cannot be bound to a process that nobody can look at", () => {
  const identity = identityOf({ ...hello, bound: true, process: { pid: 7, startTime: "100" } }, table({}), limits);
  assert.ok(isRefusal(identity));
  assert.equal(identity.refused, "PARAMS_INVALID");
});

test("a program's name over the limit is refused", () => {
  const identity = identityOf({ ...hello, program: "x".repeat(limits.metaBytesMax + 1) }, table({}), limits);
  assert.ok(isRefusal(identity));
  assert.equal(identity.refused, "META_TOO_LARGE");
});

test("a program's name that would come back as another one is refused", () => {
  for (const field of ["program", "version"]) {
    const identity = identityOf({ ...hello, [field]: "a\ud800" }, table({}), limits);
    assert.ok(isRefusal(identity));
    assert.deepEqual([identity.refused, identity.details?.["path"]], ["PARAMS_INVALID", `params.${field}`]);
  }
});
