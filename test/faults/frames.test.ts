/**
 * What is not a request gets an answer of its own code, or ends its own connection with a code of its own; the client
 * beside it notices nothing.
 *
 * Real broker, real socket. Broken WebSocket frames are the transport's own tests.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, afterEach, before, test } from "node:test";
import { encode } from "@msgpack/msgpack";
import { Home } from "../support/broker.js";
import { Canary } from "../support/canary.js";
import { within } from "../support/patience.js";
import { kill, stop } from "../support/processes.js";

const home = new Home({ after });
let canary: Canary;

before(async () => {
  await home.start({ limits: { frameBytesMax: 65_536 } });
  canary = await Canary.start(home);
});

// The innocent one has noticed nothing.
afterEach(() => canary.goesOn());

const ping = { jsonrpc: "2.0", id: 1, method: "session.ping", params: {} };

/** What is sent, and the answer: the number of JSON-RPC, our word, the id under which it comes. */
const unreadable: readonly {
  readonly what: string;
  readonly frame: string;
  readonly number: number;
  readonly code: string;
  readonly id?: string | number;
}[] = [
  { what: "half a JSON text", frame: '{"jsonrpc":"2.0"', number: -32700, code: "PARSE_ERROR" },
  { what: "no text at all", frame: "", number: -32700, code: "PARSE_ERROR" },
  { what: "a NUL behind the JSON text", frame: `${JSON.stringify(ping)}\0`, number: -32700, code: "PARSE_ERROR" },
  { what: "an array of requests", frame: JSON.stringify([ping, ping]), number: -32600, code: "ARRAY_REFUSED" },
  { what: "an empty array", frame: "[]", number: -32600, code: "ARRAY_REFUSED" },
  { what: "a number", frame: "42", number: -32600, code: "INVALID_REQUEST" },
  { what: "null", frame: "null", number: -32600, code: "INVALID_REQUEST" },
  { what: "a text", frame: '"session.ping"', number: -32600, code: "INVALID_REQUEST" },
  {
    what: "a request without jsonrpc",
    frame: JSON.stringify({ ...ping, jsonrpc: undefined }),
    number: -32600,
    code: "INVALID_REQUEST",
    id: 1,
  },
  {
    what: "a request of JSON-RPC 1.0",
    frame: JSON.stringify({ ...ping, jsonrpc: "1.0", id: "old" }),
    number: -32600,
    code: "INVALID_REQUEST",
    id: "old",
  },
  {
    what: "a request without a method",
    frame: JSON.stringify({ ...ping, method: undefined }),
    number: -32600,
    code: "INVALID_REQUEST",
    id: 1,
  },
  {
    what: "a method that is a number",
    frame: JSON.stringify({ ...ping, method: 7 }),
    number: -32600,
    code: "INVALID_REQUEST",
    id: 1,
  },
  {
    what: "an id that is an object",
    frame: JSON.stringify({ ...ping, id: {} }),
    number: -32600,
    code: "INVALID_REQUEST",
  },
  {
    what: "brackets without end behind an id that is no number of JSON",
    frame: `{"jsonrpc":"2.0","id":048,"method":"session.ping","params":${"[".repeat(100)}`,
    number: -32600,
    code: "INVALID_REQUEST",
  },
  {
    what: "brackets without end behind an id that is no text of JSON",
    frame: `{"jsonrpc":"2.0","id":"a\n","method":"session.ping","params":${"[".repeat(100)}`,
    number: -32600,
    code: "INVALID_REQUEST",
  },
  {
    what: "an id with a fraction",
    frame: JSON.stringify({ ...ping, id: 1.5 }),
    number: -32600,
    code: "INVALID_REQUEST",
  },
  { what: "an id that is null", frame: JSON.stringify({ ...ping, id: null }), number: -32600, code: "INVALID_REQUEST" },
  {
    what: "an id of 65 characters",
    frame: JSON.stringify({ ...ping, id: "x".repeat(65) }),
    number: -32600,
    code: "INVALID_REQUEST",
  },
  {
    what: "a request without an id",
    frame: JSON.stringify({ ...ping, id: undefined }),
    number: -32600,
    code: "INVALID_REQUEST",
  },
  {
    what: "an answer, which nobody has asked for",
    frame: JSON.stringify({ jsonrpc: "2.0", id: 9, result: {} }),
    number: -32600,
    code: "INVALID_REQUEST",
    id: 9,
  },
  {
    what: "arrays that lie 10,000 deep",
    frame: `{"jsonrpc":"2.0","id":1,"method":"session.ping","params":${"[".repeat(10_000)}${"]".repeat(10_000)}}`,
    number: -32600,
    code: "INVALID_REQUEST",
    id: 1,
  },
  {
    what: "a method that does not exist",
    frame: JSON.stringify({ ...ping, method: "db.drop" }),
    number: -32601,
    code: "METHOD_UNKNOWN",
    id: 1,
  },
  {
    what: "a method named like something that every object has",
    frame: JSON.stringify({ ...ping, method: "constructor" }),
    number: -32601,
    code: "METHOD_UNKNOWN",
    id: 1,
  },
  {
    what: "params that are an array",
    frame: JSON.stringify({ ...ping, params: [] }),
    number: -32602,
    code: "PARAMS_INVALID",
    id: 1,
  },
  {
    what: "params that are a text",
    frame: JSON.stringify({ ...ping, params: "x" }),
    number: -32602,
    code: "PARAMS_INVALID",
    id: 1,
  },
];

for (const { what, frame, number, code, id } of unreadable)
  test(`${what} is refused with ${code}, and the connection goes on`, async () => {
    const wire = await home.wire();
    const answer = id === undefined ? undefined : wire.answerTo(id);
    wire.send(frame);
    const error = answer === undefined ? await wire.stray() : (await within("the refusal", answer)).error;
    assert.deepEqual([error?.code, error?.data.code, error?.data.outcome], [number, code, "none"]);
    assert.equal(typeof (await wire.call("session.ping", {})).now, "number");
  });

test("a notification gets no answer, whatever is wrong with it, and does not count among the frames that end a connection", async () => {
  const wire = await home.wire();
  const unknown = { jsonrpc: "2.0", method: "client.later", params: {} };
  const wrong = { jsonrpc: "2.0", method: "session.ack", params: { below: "x" } };
  for (const notification of [unknown, wrong]) for (let i = 0; i < 10; i++) wire.send(JSON.stringify(notification));
  assert.equal(typeof (await wire.call("session.ping", {})).now, "number");
  assert.deepEqual(wire.strays, []);
});

/** Parameters of the wrong type or size, by method; the refusal names the path. */
const wrongParams: readonly (readonly [method: string, params: unknown, path: RegExp])[] = [
  ["db.execute", {}, /sql/],
  ["db.execute", { sql: 1 }, /sql/],
  ["db.execute", { sql: "select 1", args: { a: 1 } }, /args/],
  ["db.execute", { sql: "select 1", args: "abc" }, /args/],
  ["db.execute", { sql: "select 1", named: [1] }, /named/],
  ["db.execute", { sql: "select 1", key: 0 }, /key/],
  ["db.execute", { sql: "select 1", key: -1 }, /key/],
  ["db.execute", { sql: "select 1", key: 1.5 }, /key/],
  ["db.execute", { sql: "select 1", key: 2 ** 53 }, /key/],
  ["db.execute", { sql: "select 1", key: "" }, /key/],
  ["db.execute", { sql: "select 1", key: ["1"] }, /key/],
  ["db.execute", { sql: "select 1", timeoutMs: 0 }, /timeoutMs/],
  ["db.execute", { sql: "select 1", timeoutMs: 1e9 }, /timeoutMs/],
  ["db.execute", { sql: "select 1", fence: [{ name: "a" }] }, /fence/],
  ["db.execute", { sql: "select 1", fence: [{ name: "a", token: 0 }] }, /fence/],
  ["db.query", { sql: "select 1", rowsMax: 0 }, /rowsMax/],
  ["db.batch", { statements: [] }, /statements/],
  ["db.batch", { statements: [{ sql: null }] }, /statements/],
  ["db.batch", { statements: new Array(1025).fill({ sql: "select 1" }) }, /statements/],
  ["db.script", { sql: "select 1", atomic: "yes" }, /atomic/],
  ["lock.acquire", { name: "a" }, /key/],
  ["lock.acquire", { name: 7, key: 1 }, /name/],
  ["lock.acquire", { name: "", key: 1 }, /name/],
  ["lock.acquire", { name: "a", key: 1, waitMs: -1 }, /waitMs/],
  ["lock.release", { name: "a", token: "1", key: 1 }, /token/],
  ["lock.cancel", { key: 1 }, /of/],
  ["session.settle", { secret: "short", keys: [1] }, /secret/],
  ["session.settle", { secret: "A".repeat(43), keys: [] }, /keys/],
];

test("parameters of the wrong type or size are refused with PARAMS_INVALID, and the message names them", async () => {
  const wire = await home.wire();
  for (const [method, params, path] of wrongParams) {
    const error = await wire.refusal(method, params);
    assert.deepEqual([error.code, error.data.code], [-32602, "PARAMS_INVALID"], `${method} ${JSON.stringify(params)}`);
    assert.match(error.message, path);
  }
});

test("times that no limit allows are refused with PARAMS_INVALID", async () => {
  const wire = await home.wire();
  for (const ms of [0, -1, 1.5, 2 ** 31, 1e18])
    for (const [method, params] of [
      ["lock.acquire", { name: "a", key: 1, ttlMs: ms }],
      ["db.query", { sql: "select 1", timeoutMs: ms }],
      ["db.execute", { sql: "select 1", timeoutMs: ms }],
      ["db.execute", { sql: "create table never (a)", key: "own", keepMs: ms }],
    ] as const)
      assert.equal((await wire.refusal(method, params)).data.code, "PARAMS_INVALID", `${method} ${ms}`);
  assert.deepEqual(
    (await wire.call("lock.list", {})).locks.filter(({ name }) => name === "a"),
    [],
  );
});

test("a field that no method knows is ignored", async () => {
  const wire = await home.wire();
  const answer = await wire.post("db.query", { sql: "select 1 as one", __proto__: { polluted: true }, unheardOf: [1] });
  assert.deepEqual((answer.result as { rows: unknown }).rows, [[1]]);
});

test("before hello only hello, ping and settle are served; the rest is NOT_READY", async () => {
  const wire = await home.silent();
  for (const [method, params] of [
    ["db.query", { sql: "select 1" }],
    ["lock.acquire", { name: "early", key: 1 }],
    ["lock.list", {}],
    ["admin.status", {}],
    ["admin.stop", {}],
    ["session.goodbye", {}],
  ] as const)
    assert.equal((await wire.refusal(method, params)).data.code, "NOT_READY", method);
  await wire.call("session.ping", {});
  await wire.hello();
});

test("a hello in a version that the broker does not speak is refused with PROTOCOL_VERSION, and another may follow", async () => {
  const wire = await home.silent();
  const { data } = await wire.refusal("session.hello", { protocol: { min: 99, max: 100 } });
  assert.equal(data.code, "PROTOCOL_VERSION");
  await wire.hello();
});

test("a second hello on a connection is refused with INVALID_REQUEST, and the first one holds", async () => {
  const wire = await home.wire();
  const { data } = await wire.refusal("session.hello", { protocol: { min: 1, max: 1 } });
  assert.equal(data.code, "INVALID_REQUEST");
  assert.deepEqual((await wire.call("db.query", { sql: "select 1" })).rows, [[1]]);
});

test("of two hellos in one breath the first is answered with its own secret, and the second is refused", async () => {
  const wire = await home.silent();
  const [own, other] = [randomBytes(32).toString("base64url"), randomBytes(32).toString("base64url")];
  const protocol = { min: 1, max: 1 };
  // So that it reads both at once.
  const front = await home.processOf("front");
  await stop(front);
  const first = wire.post("session.hello", { protocol, secret: own });
  const second = wire.post("session.hello", { protocol, secret: other });
  kill(front, "SIGCONT");
  assert.equal((await first).result?.secret, own);
  assert.equal((await second).error?.data.code, "INVALID_REQUEST");
  assert.deepEqual((await wire.call("db.query", { sql: "select 1" })).rows, [[1]]);
});

test("a binary frame on a JSON connection ends it with 1003", async () => {
  const wire = await home.wire();
  wire.send(Buffer.from(JSON.stringify(ping)));
  assert.equal((await within("the end of the connection", wire.closed)).code, 1003);
});

test("a text frame on a MessagePack connection ends it with 1003", async () => {
  const wire = await home.silent({ subprotocol: "holdfast.v1.msgpack" });
  wire.send(JSON.stringify(ping));
  assert.equal((await within("the end of the connection", wire.closed)).code, 1003);
});

test("bytes that are no MessagePack are refused, and ten such frames end the connection with 1008", async () => {
  const wire = await home.silent({ subprotocol: "holdfast.v1.msgpack" });
  for (let n = 0; n < 10; n++) wire.send(Buffer.from([0xc1, 0xff, n]));
  assert.equal((await within("the end of the connection", wire.closed)).code, 1008);
});

test("a MessagePack frame that promises more than it has is refused, whatever it promises", async () => {
  const wire = await home.silent({ subprotocol: "holdfast.v1.msgpack" });
  const promises = [
    Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff]),
    Buffer.from([0xdf, 0xff, 0xff, 0xff, 0xff]),
    Buffer.from([0xc6, 0xff, 0xff, 0xff, 0xff]),
    Buffer.from(encode({ jsonrpc: "2.0", id: 1, method: "session.ping" }).subarray(0, 20)),
  ];
  for (const promise of promises) wire.send(promise);
  for (let n = 0; n < 6; n++) wire.send(Buffer.from([0xc1]));
  assert.equal((await within("the end of the connection", wire.closed)).code, 1008);
});

test("ten frames that cannot be read end their connection with 1008", async () => {
  const wire = await home.wire();
  for (let n = 0; n < 10; n++) wire.send("{");
  assert.equal((await within("the end of the connection", wire.closed)).code, 1008);
  assert.equal(wire.strays.length, 10);
});

test("text that is not UTF-8 ends its connection with 1007", async () => {
  const wire = await home.wire();
  wire.send(Buffer.from([0x22, 0xff, 0xfe, 0x22]), false);
  assert.equal((await within("the end of the connection", wire.closed)).code, 1007);
});

test("a frame over the limit ends its connection with 1009", async () => {
  const wire = await home.wire();
  wire.say({ ...ping, padding: "x".repeat(65_536) });
  assert.equal((await within("the end of the connection", wire.closed)).code, 1009);
});

test("a frame just below the limit is served", async () => {
  const wire = await home.wire();
  assert.equal(typeof (await wire.call("session.ping", { padding: "x".repeat(65_000) })).now, "number");
});
