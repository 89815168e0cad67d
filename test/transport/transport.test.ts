/**
 * The door as a whole, over real sockets: what comes before a WebSocket, what does not become one, and the end.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { openTransport } from "./open-transport.js";
import { Passes } from "./passes.js";
import { frame, Innocent, RawClient, upgradeText } from "./raw-client.js";

test("a client that connects and says nothing is ended, and so is one that says it byte by byte", async (t) => {
  const { path } = await openTransport(t, { headMs: 1000 });
  const innocent = await Innocent.start(path);
  const silent = await RawClient.connect(path);
  const slow = await RawClient.connect(path);
  const text = upgradeText();
  let sent = 0;
  const drip = setInterval(() => slow.write(text.slice(sent, ++sent)), 20);
  t.after(() => clearInterval(drip));
  assert.match(await slow.rest(), /^HTTP\/1\.1 408 /);
  await silent.closed();
  await innocent.stop();
});

test("a head that is too large is refused with 431, a thousand small headers are not", async (t) => {
  const { path } = await openTransport(t);
  const innocent = await Innocent.start(path);
  const large = await RawClient.connect(path);
  large.write(upgradeText({ headers: { "X-Large": "x".repeat(17 * 1024) } }));
  assert.match(await large.rest(), /^HTTP\/1\.1 431 /);
  const many = await RawClient.connect(path);
  const headers = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`x${i.toString(36)}`, ""]));
  many.write(upgradeText({ headers }));
  assert.match(await many.head(), /^HTTP\/1\.1 101 /);
  await innocent.stop();
});

test("a Host or Origin that cannot be read harms nobody", async (t) => {
  const { path } = await openTransport(t);
  const innocent = await Innocent.start(path);
  for (const headers of [{ Origin: "http://[::" }, { Host: "[::", Origin: "null" }]) {
    const client = await RawClient.connect(path);
    client.write(upgradeText({ headers }));
    assert.match(await client.rest(), /^HTTP\/1\.1 403 /);
  }
  await innocent.stop();
});

test("rubbish instead of HTTP is answered with 400 and the end", async (t) => {
  const { path } = await openTransport(t);
  const client = await RawClient.connect(path);
  client.write("\0\x01\x02 what?\r\n\r\n");
  assert.match(await client.rest(), /^HTTP\/1\.1 400 /);
});

for (const [request, expected] of [
  ["GET / HTTP/1.1", /^HTTP\/1\.1 426 [\s\S]*Upgrade: websocket[\s\S]*holdfast status/],
  ["POST / HTTP/1.1", /^HTTP\/1\.1 405 [\s\S]*Allow: GET/],
  ["GET /livez HTTP/1.1", /^HTTP\/1\.1 200 [\s\S]*alive\n$/],
  ["GET /readyz HTTP/1.1", /^HTTP\/1\.1 200 [\s\S]*ready\n$/],
  ["POST /livez HTTP/1.1", /^HTTP\/1\.1 405 /],
  ["GET /etc/passwd HTTP/1.1", /^HTTP\/1\.1 404 /],
  ["GET http://[::/ HTTP/1.1", /^HTTP\/1\.1 404 /],
  ["OPTIONS * HTTP/1.1", /^HTTP\/1\.1 405 /],
] as const) {
  test(`"${request}" is answered and the connection ended`, async (t) => {
    const { path } = await openTransport(t);
    const client = await RawClient.connect(path);
    client.write(`${request}\r\nHost: x\r\nContent-Length: 0\r\n\r\n`);
    const answer = await client.rest();
    assert.match(answer, expected);
    if (!answer.startsWith("HTTP/1.1 200")) assertRefusal(answer);
  });
}

/** Whatever the door refuses, its body says the same three things. */
function assertRefusal(answer: string): void {
  assert.match(answer, /^Content-Type: application\/json\r$/m);
  const body = JSON.parse(answer.slice(answer.indexOf("\r\n\r\n")));
  assert.deepEqual(Object.keys(body), ["code", "message", "remedy"]);
}

test("a request to upgrade that says so in one header of two is told what is spoken here", async (t) => {
  const { path } = await openTransport(t);
  const client = await RawClient.connect(path);
  client.write(upgradeText({ headers: { Connection: "close" } }));
  const answer = await client.rest();
  assert.match(answer, /^HTTP\/1\.1 426 /);
  assertRefusal(answer);
});

test("CONNECT is not served", async (t) => {
  const { path } = await openTransport(t);
  const client = await RawClient.connect(path);
  client.write("CONNECT example.com:80 HTTP/1.1\r\nHost: x\r\n\r\n");
  assert.equal(await client.rest(), "");
});

test("readyz says what the broker says", async (t) => {
  const { path } = await openTransport(t, { ready: () => false });
  const client = await RawClient.connect(path);
  client.write("GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n");
  assert.match(await client.rest(), /^HTTP\/1\.1 503 [\s\S]*not ready\n$/);
});

for (const [what, options, status] of [
  ["another path", { path: "/x" }, 404],
  ["no subprotocol of ours", { subprotocol: "chat" }, 400],
  ["another version", { headers: { "Sec-WebSocket-Version": "12" } }, 426],
  ["the version of a draft", { headers: { "Sec-WebSocket-Version": "8" } }, 426],
  ["a subprotocol that is offered twice", { subprotocol: "holdfast.v1.json, holdfast.v1.json" }, 400],
  ["a key that is none", { headers: { "Sec-WebSocket-Key": "short" } }, 400],
  ["another protocol", { headers: { Upgrade: "h2c" } }, 426],
] as const) {
  test(`an upgrade with ${what} is refused with ${status}`, async (t) => {
    const { path, transport } = await openTransport(t);
    const client = await RawClient.connect(path);
    client.write(upgradeText(options));
    const answer = await client.rest();
    assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `));
    assertRefusal(answer);
    if (status === 426) assert.match(answer, /^Sec-WebSocket-Version: 13\r$/m);
    assert.equal(transport.counts.open, 0);
  });
}

test("compression is not agreed to", async (t) => {
  const { path } = await openTransport(t);
  const client = await RawClient.connect(path);
  client.write(upgradeText({ headers: { "Sec-WebSocket-Extensions": "permessage-deflate" } }));
  const head = await client.head();
  assert.match(head, /^HTTP\/1\.1 101 /);
  assert.doesNotMatch(head, /Sec-WebSocket-Extensions/i);
});

test("when newcomers have filled their allowance the next is told to come back, and those who resume get in", async (t) => {
  const { after: afterInput } = new Passes();
  const { path, links, nextClose } = await openTransport(t, { limits: { unauthenticatedMax: 2 }, afterInput });
  const first = await RawClient.open(path);
  await RawClient.open(path);
  const third = await RawClient.connect(path);
  third.write(upgradeText());
  const answer = await third.rest();
  assert.match(answer, /^HTTP\/1\.1 503 [\s\S]*Retry-After: 1/);
  assert.match(answer, /CONNECTIONS_FULL/);
  await RawClient.open(path, { headers: { "Holdfast-Purpose": "resuming" } });
  links[0]?.admitted();
  await RawClient.open(path);
  const closed = nextClose();
  links[1]?.terminate();
  await closed;
  await RawClient.open(path);
  first.write(frame("still served"));
  assert.equal(await first.text(), "still served");
});

test("when those who say no hello have filled the allowance, the longest silent is told so and ended for who comes", async (t) => {
  const passes = new Passes();
  const limits = { unauthenticatedMax: 2 };
  const { path, transport } = await openTransport(t, { limits, afterInput: passes.after });
  const oldest = await RawClient.open(path);
  const other = await RawClient.open(path);
  passes.all();
  await RawClient.open(path);
  assert.equal(await oldest.closeCode(), 4408);
  other.write(frame("still served"));
  assert.equal(await other.text(), "still served");
  assert.deepEqual(transport.counts, { open: 2, waiting: { newcomer: 2, resuming: 0, operator: 0 } });
});

test("however many sockets send no request, who comes to speak gets in; who came last is refused until they have had their chances", async (t) => {
  const passes = new Passes();
  const limits = { connectionsMax: 4, connectionsKept: 0, unauthenticatedMax: 1 };
  const { path, links } = await openTransport(t, { limits, afterInput: passes.after });
  const innocent = await Innocent.start(path);
  links[0]?.admitted();
  passes.all();
  const silent: RawClient[] = [];
  while (!passes.wanted) silent.push(await RawClient.connect(path).then(settled));
  const early = await RawClient.connect(path);
  early.write(upgradeText());
  assert.equal(await early.rest(), "");
  passes.all();
  await RawClient.open(path);
  await silent[0]?.closed();
  await innocent.stop();

  /** So that it is accepted before the next one comes. */
  async function settled(client: RawClient): Promise<RawClient> {
    await new Promise((resolve) => setImmediate(resolve));
    return client;
  }
});

test("a link that ends in any way gives its place back", async (t) => {
  const { path, transport, links, nextClose } = await openTransport(t);
  const ends = [
    (client: RawClient) => client.destroy(),
    (client: RawClient) => client.socket.end(),
    (client: RawClient) => client.write(frame("", { opcode: 8 })),
    (client: RawClient) => client.write("rubbish"),
    () => links.at(-1)?.terminate(),
    (client: RawClient) => {
      links.at(-1)?.close(1000, "");
      client.destroy();
    },
  ];
  for (const end of ends) {
    const closed = nextClose();
    const client = await RawClient.open(path);
    assert.equal(transport.counts.open, 1);
    end(client);
    await closed;
    assert.deepEqual(transport.counts, { open: 0, waiting: { newcomer: 0, resuming: 0, operator: 0 } });
  }
  assert.equal(transport.accepted, ends.length);
});

test("a broker that is ending tells newcomers to come back, and keeps its socket so that nobody starts another", async (t) => {
  const { path, transport } = await openTransport(t);
  const client = await RawClient.open(path);
  transport.refuseNew();
  const late = await RawClient.connect(path);
  late.write(upgradeText());
  assert.match(await late.rest(), /^HTTP\/1\.1 503 [\s\S]*SHUTTING_DOWN/);
  const health = await RawClient.connect(path);
  health.write("GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n");
  assert.match(await health.rest(), /^HTTP\/1\.1 503 /);
  client.write(frame("still served"));
  assert.equal(await client.text(), "still served");
  transport.closeLinks(1012, "stopping");
  assert.equal(await client.closeCode(), 1012);
  await transport.close();
  assert.equal(existsSync(path), false);
});

test("closing ends whoever is there, in whatever state, and resolves", async (t) => {
  const { path, transport } = await openTransport(t);
  const open = await RawClient.open(path);
  const silent = await RawClient.connect(path);
  const halfway = await RawClient.connect(path);
  halfway.write("GET / HT");
  await transport.close();
  for (const client of [open, silent, halfway]) await client.closed();
});

test("five hundred clients that come at once all get in", async (t) => {
  const { path, transport } = await openTransport(t);
  const headers = { "Holdfast-Purpose": "resuming" };
  const clients = await Promise.all(Array.from({ length: 500 }, () => RawClient.open(path, { headers })));
  assert.equal(transport.counts.open, 500);
  for (const client of clients) client.destroy();
});
