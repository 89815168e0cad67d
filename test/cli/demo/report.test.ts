import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { test } from "node:test";
import type { ActResult } from "../../../src/cli/demo/act.js";
import type { Difference } from "../../../src/cli/demo/check.js";
import type { Member } from "../../../src/cli/demo/crew.js";
import type { Role } from "../../../src/cli/demo/messages.js";
import { actLines, besideLines, succeeded, verdictLines } from "../../../src/cli/demo/report.js";

const large = { count: 1_234_567, p50Ms: 12_345, p99Ms: 123_456, maxMs: 1_234_567 };

function member(role: Role, number: number, more: Partial<Member> = {}): Member {
  const indexes = role === "indexer" || role === "direct-indexer";
  return {
    role,
    number,
    child: {} as ChildProcess,
    pid: 4_194_304,
    fate: "done",
    indexed: indexes
      ? { files: 234_567, bytes: 2 ** 40, directories: 9, waits: 12_345, waitedMs: 3_599_000, writes: large, busy: 0 }
      : undefined,
    asked: indexes ? undefined : { files: 1_234_567, queries: large, wentBack: 0 },
    holding: new Map(),
    ...more,
  };
}

const exact: Difference = { filesInTree: 3, rowsInTable: 3, missing: [], surplus: [], changed: [] };

function act(members: readonly Member[], more: Partial<ActResult> = {}): ActResult {
  return { members, elapsedMs: 12_345, indexerKill: undefined, brokerKill: undefined, difference: exact, ...more };
}

const eight = (indexer: Role, asker: Role, more: Partial<Member> = {}) => [
  ...Array.from({ length: 8 }, (_, i) => member(indexer, i + 1, more)),
  member(asker, 1),
];

test("no line is wider than 80 columns, however large the figures", () => {
  const members = eight("indexer", "asker", { fate: "killed" });
  const [victim, heir] = members;
  assert.ok(victim !== undefined && heir !== undefined);
  const broker = act(members, {
    indexerKill: { victim, heir, directory: "x".repeat(200), recoveryMs: 123_456 },
    brokerKill: { pid: 4_194_304, recoveryMs: 123_456 },
  });
  const direct = act(eight("direct-indexer", "direct-asker"));
  for (const line of [...actLines(broker), ...besideLines(broker, direct), ...verdictLines(broker)])
    assert.ok(line.length <= 80, `${line.length}: ${line}`);
});

test("the verdict says exact, or what differs, and only exact counts as success", () => {
  const good = act(eight("indexer", "asker"));
  assert.match(verdictLines(good).join("\n"), /file by file: exact$/);
  assert.equal(succeeded(good), true);
  const bad = act(eight("indexer", "asker"), { difference: { ...exact, rowsInTable: 2, missing: ["a/b"] } });
  assert.match(verdictLines(bad).join("\n"), /3 files in the tree, 2 rows in the table; 1 not in the table: a\/b$/);
  assert.equal(succeeded(bad), false);
});

test("a process that failed and rows that vanished spoil the success, a process that was killed does not", () => {
  assert.equal(succeeded(act(eight("indexer", "asker", { fate: "killed" }))), true);
  const failed = act(eight("indexer", "asker", { fate: "failed" }));
  assert.equal(succeeded(failed), false);
  assert.match(verdictLines(failed).join("\n"), /indexer 1 !: the process failed/);
  const vanished = act([member("asker", 1, { asked: { files: 1, queries: large, wentBack: 2 } })]);
  assert.equal(succeeded(vanished), false);
  assert.match(verdictLines(vanished).join("\n"), /rows vanish 2 times/);
});

test("kills that the tree was too small for are said to be missing", () => {
  assert.match(
    verdictLines(act(eight("indexer", "asker"))).join("\n"),
    /no indexer was killed, the broker was not killed/,
  );
  assert.doesNotMatch(verdictLines(act(eight("direct-indexer", "direct-asker"))).join("\n"), /killed/);
});
