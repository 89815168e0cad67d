import assert from "node:assert/strict";
import { test } from "node:test";
import { type HttpRefusal, httpRefusalText, judgeUpgrade } from "../../src/transport/upgrade.js";

const good = {
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-protocol": "holdfast.v1.json",
  host: "localhost",
};

function judge(headers: { [name: string]: string }, url = "/", method = "GET") {
  return judgeUpgrade({ method, url, headers });
}

function status(headers: { [name: string]: string }, url?: string, method?: string): number {
  const judged = judge(headers, url, method);
  return "status" in judged ? judged.status : 101;
}

test("a request for one of our subprotocols at the root may become a WebSocket", () => {
  assert.deepEqual(judge(good), { purpose: "newcomer" });
  assert.equal(status({ ...good, upgrade: "WebSocket", "sec-websocket-protocol": "other, holdfast.v1.msgpack" }), 101);
});

test("any Origin is refused, also one that cannot be read and one that looks like ours", () => {
  for (const origin of ["http://localhost", "null", "http://[::", "", "file://", "https://evil.example"])
    assert.equal(status({ ...good, origin }), 403, origin);
  assert.equal(status({ ...good, "sec-websocket-origin": "http://localhost" }), 403);
});

test("a Host that cannot be read does no harm: it is not read", () => {
  assert.equal(status({ ...good, host: "http://[::" }), 101);
});

test("another path, method, protocol or subprotocol is refused, each with its own status", () => {
  assert.equal(status(good, "/admin"), 404);
  assert.equal(status(good, "/?token=1"), 404);
  assert.equal(status(good, "/", "POST"), 405);
  assert.equal(status({ ...good, upgrade: "h2c" }), 426);
  const { "sec-websocket-protocol": _, ...none } = good;
  assert.equal(status(none), 400);
  for (const offered of ["", "holdfast.v2.json", "toString", "__proto__", "holdfast.v1.jsonx"])
    assert.equal(status({ ...good, "sec-websocket-protocol": offered }), 400, offered);
});

test("a client may say that it resumes or is the command line; anything else is a newcomer", () => {
  assert.deepEqual(judge({ ...good, "holdfast-purpose": "resuming" }), { purpose: "resuming" });
  assert.deepEqual(judge({ ...good, "holdfast-purpose": "operator" }), { purpose: "operator" });
  assert.deepEqual(judge({ ...good, "holdfast-purpose": "root" }), { purpose: "newcomer" });
});

test("a refusal is a whole HTTP answer in JSON that names the code and what to do, and gives nothing back", () => {
  const judged = judge({ ...good, origin: "http://evil.example" }) as HttpRefusal;
  const [head, body] = httpRefusalText(judged).split("\r\n\r\n");
  assert.match(head ?? "", /^HTTP\/1\.1 403 Forbidden\r\n/);
  assert.match(head ?? "", /Connection: close/);
  assert.equal(Number(/Content-Length: (\d+)/.exec(head ?? "")?.[1]), Buffer.byteLength(body ?? ""));
  assert.equal(JSON.parse(body ?? "").code, "PERMISSION");
  assert.doesNotMatch(body ?? "", /evil/);
});
