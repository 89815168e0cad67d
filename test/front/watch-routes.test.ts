import assert from "node:assert/strict";
import { test } from "node:test";
import type { RequestInHand } from "../../src/front/route.js";
import { watchRoutes } from "../../src/front/watch-routes.js";
import type { WatchTablesParams } from "../../src/protocol/index.js";
import { isRefusal, limitsWith } from "../../src/terms/index.js";

const routes = watchRoutes(limitsWith({ tablesPerWatchMax: 2, nameBytesMax: 8 }));
const incoming = { conversation: { id: 1 }, request: 5, raw: Buffer.alloc(0) } as unknown as RequestInHand;

function open(params: Partial<WatchTablesParams>) {
  return routes["watch.open"]({ watch: 1, tables: ["job"], ...params }, incoming);
}

test("what is asked for goes on as it was asked", () => {
  const asker = { connection: 1, request: 5 };
  assert.deepEqual(open({ tables: ["Job", "x y"] }), {
    command: { kind: "watch-tables", ...asker, watch: 1, tables: ["Job", "x y"], keys: false, after: undefined },
  });
  assert.deepEqual(open({ keys: true, after: 7, source: "s" }), {
    command: { kind: "watch-tables", ...asker, watch: 1, tables: ["job"], keys: true, after: { seq: 7, source: "s" } },
  });
  assert.deepEqual(routes["watch.close"]({ watch: 3 }, incoming), {
    command: { kind: "unwatch-tables", ...asker, watch: 3 },
  });
});

test("of a source that is nobody's nothing is kept", () => {
  const routed = open({ after: 7, source: "s".repeat(65) });
  assert.ok("command" in routed && routed.command.kind === "watch-tables");
  assert.deepEqual(routed.command.after, { seq: 7, source: "" });
});

for (const [what, params, words] of [
  ["too many tables", { tables: ["a", "b", "c"] }, /3 names, at most 2/],
  ["a number without its source", { after: 7 }, /params\.source is missing/],
  ["a name that is too long", { tables: ["a", "ääääää"] }, /params\.tables\[1\] is longer than 8 bytes/],
  ["a name with a NUL", { tables: ["a\0b"] }, /NUL/],
  ["a name with half a surrogate pair", { tables: ["a", "b\ud800"] }, /params\.tables\[1\] has a surrogate/],
  ["a source with half a surrogate pair", { after: 7, source: "\udc00" }, /params\.source has a surrogate/],
  ["SQLite's own", { tables: ["SQLite_x"] }, /SQLite's own/],
] as const)
  test(`${what} is refused`, () => {
    const routed = open(params);
    assert.ok(isRefusal(routed) && words.test(routed.message), JSON.stringify(routed));
  });

test("the broker's own tables are not to be watched", () => {
  const routed = watchRoutes(limitsWith())["watch.open"]({ watch: 1, tables: ["_HOLDFAST_meta"] }, incoming);
  assert.ok(isRefusal(routed) && /broker's own/.test(routed.message));
});
