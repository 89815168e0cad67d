/** What becomes of a request before the core hears of it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Conversation } from "../../src/front/conversation.js";
import type { RequestInHand, Routed } from "../../src/front/route.js";
import { Routes } from "../../src/front/routes.js";
import { UnansweredOfAll } from "../../src/front/unanswered-bytes.js";
import { secretText, sessionIdOf } from "../../src/protocol/index.js";
import { Planner, type StoreParams } from "../../src/store/index.js";
import { connectionId, instant, isRefusal, limitsWith } from "../../src/terms/index.js";
import type { Link } from "../../src/transport/index.js";

const limits = limitsWith();

function rig() {
  const lookedAt: number[] = [];
  const routes = new Routes({
    places: { database: "/data/data.db", dataDir: "/data" },
    limits,
    processes: {
      pidNamespace: undefined,
      startTimeOf: (pid) => {
        lookedAt.push(pid);
        return undefined;
      },
      fateOf: () => "unknown",
      residentBytesOf: () => undefined,
    },
    wallNow: () => 0,
    roleOf: () => "admin",
    status: () => assert.fail("nobody asked for the status"),
    stop: () => undefined,
  });
  const admitted: string[] = [];
  const link = { id: connectionId(1), encoding: "json", admitted: () => admitted.push("admitted") } as unknown as Link;
  const conversation = new Conversation(link, { limits, now: () => instant(0), all: new UnansweredOfAll(1) });
  const inHand = (request: number): RequestInHand => ({ conversation, request, raw: Buffer.alloc(0) });
  return { routes, conversation, inHand, admitted, lookedAt };
}

/** Where the request goes, in a word or two. */
function wayOf(routed: Routed): string {
  if (isRefusal(routed)) return routed.refused;
  if (!("command" in routed)) return "answered";
  const { command } = routed;
  return command.kind === "write" && command.alone ? "write alone" : command.kind;
}

test("what the front takes and refuses is what the child that runs it takes and refuses", () => {
  const { routes, inHand } = rig();
  const planner = new Planner(limits);
  const texts = [
    "select 1",
    "insert into t values (1)",
    "create table t (a)",
    "pragma defer_foreign_keys = on",
    "pragma foreign_keys = off",
    "pragma user_version = 3",
    "begin",
    "commit",
    "vacuum",
    "select 1; select 2",
    "",
  ];
  const requests = texts.flatMap((sql) => [
    ["db.execute", { sql }] as const,
    ["db.query", { sql }] as const,
    ["db.batch", { statements: [{ sql: "select 1" }, { sql }] }] as const,
    ["db.script", { sql }] as const,
    ["db.script", { sql, atomic: false }] as const,
  ]);
  for (const [method, params] of requests) {
    const planned = planner.plan(method, params as StoreParams);
    const expected = isRefusal(planned) ? planned.refused : `${planned.access}${planned.alone ? " alone" : ""}`;
    assert.equal(wayOf(routes.route(method, params as never, inHand(1))), expected, JSON.stringify([method, params]));
  }
});

test("a batch may defer its foreign keys, and then has a transaction of its own", () => {
  const { routes, inHand } = rig();
  const statements = [{ sql: "pragma defer_foreign_keys = on" }, { sql: "insert into child values (1)" }];
  assert.equal(wayOf(routes.route("db.batch", { statements }, inHand(1))), "write alone");
});

test("who only asks what became of an old session goes on counting as one who has not said hello", () => {
  const { routes, inHand, admitted } = rig();
  const secret = secretText(Buffer.alloc(32, 7));
  assert.equal(wayOf(routes.route("session.settle", { secret: "no secret", keys: [1] }, inHand(1))), "PARAMS_INVALID");
  assert.deepEqual(admitted, []);
  assert.equal(wayOf(routes.route("session.settle", { secret, keys: [1] }, inHand(2))), "settle");
  assert.deepEqual(admitted, []);
});

test("a hello that comes before the one before it is answered is refused, and does not change what that one is told", () => {
  const { routes, conversation, inHand, lookedAt } = rig();
  const secretOf = (byte: number) => secretText(Buffer.alloc(32, byte));
  const hello = (request: number) => {
    const process = { pid: request, startTime: "1" };
    const params = { protocol: { min: 1, max: 1 }, secret: secretOf(request), process };
    return routes.route("session.hello", params, inHand(request));
  };
  assert.equal(wayOf(hello(1)), "hello");
  assert.equal(wayOf(hello(2)), "INVALID_REQUEST");
  assert.equal(conversation.secret, secretOf(1));
  conversation.decided(2);
  assert.equal(wayOf(hello(3)), "INVALID_REQUEST", "the first is still unanswered");
  // The core has refused the first: another may be said.
  conversation.decided(1);
  const fourth = hello(4);
  assert.equal(wayOf(fourth), "hello");
  assert.equal(conversation.secret, secretOf(4));
  assert.equal(
    sessionIdOf(conversation.secret ?? ""),
    "command" in fourth && "session" in fourth.command && fourth.command.session,
  );
  assert.deepEqual(lookedAt, [1, 4], "for one that is refused the system is not asked");
});
