/** The library's socket against a server that uses what RFC 6455 allows and no broker of ours does. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { Socket as NetSocket } from "node:net";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { type WebSocket, WebSocketServer } from "ws";
import { Socket, type SocketEnd } from "../../src/client/socket.js";
import type { Encoding, Frame } from "../../src/protocol/index.js";
import { tempDir } from "../support/temp-dir.js";

interface Pair {
  readonly client: Socket;
  readonly server: WebSocket;
  /** Below the server's WebSocket. */
  readonly net: NetSocket;
  readonly frames: Frame[];
  /** Resolves when the client has so many frames. */
  readonly received: (count: number) => Promise<void>;
  readonly ended: Promise<SocketEnd>;
}

async function pair(test: TestContext, encoding: Encoding = "json", early?: Buffer): Promise<Pair> {
  const path = join(tempDir(test), "s");
  const http = createServer();
  const sockets = new WebSocketServer({ server: http, perMessageDeflate: false });
  http.listen(path);
  await once(http, "listening");
  test.after(() => http.close());
  const frames: Frame[] = [];
  let look = () => {};
  const accepted = once(sockets, "connection") as Promise<[WebSocket, { socket: NetSocket }]>;
  // Together with the answer to the upgrade.
  sockets.on("headers", (_, request) => request.socket.cork());
  sockets.on("connection", (_, request) => {
    if (early !== undefined) request.socket.write(early);
    request.socket.uncork();
  });
  let opened = () => {};
  let end: (ended: SocketEnd) => void = () => {};
  const isOpen = new Promise<void>((resolve) => {
    opened = resolve;
  });
  const ended = new Promise<SocketEnd>((resolve) => {
    end = resolve;
  });
  const client = new Socket(
    { path, encoding, purpose: "newcomer" },
    {
      onOpen: () => opened(),
      onFrame: (frame) => {
        frames.push(frame);
        look();
      },
      onEnd: (how) => end(how),
    },
  );
  test.after(() => client.drop());
  await isOpen;
  const [server, { socket: net }] = await accepted;
  test.after(() => server.terminate());
  const received = (count: number) =>
    new Promise<void>((resolve) => {
      look = () => {
        if (frames.length >= count) resolve();
      };
      look();
    });
  return { client, server, net, frames, received, ended };
}

const message = (n: number, text = "") => JSON.stringify({ jsonrpc: "2.0", method: `m${n}`, params: { text } });
const names = (frames: readonly Frame[]) => frames.map((frame) => (frame.kind === "notification" ? frame.method : "?"));

describe("the library's socket", () => {
  it("takes fragments, pings and large messages among plain ones, in their order", async (test) => {
    const { server, frames, received } = await pair(test);
    server.send(message(1));
    server.send(message(2, "x".repeat(300_000)));
    server.send(message(3));
    const pong = once(server, "pong");
    server.ping("are you there");
    server.send(message(4).slice(0, 10), { fin: false });
    server.send(message(4).slice(10));
    server.send(message(5));
    server.send(message(6, "y".repeat(70_000)));
    const [data] = (await pong) as [Buffer];
    assert.equal(data.toString(), "are you there");
    await received(6);
    assert.deepEqual(names(frames), ["m1", "m2", "m3", "m4", "m5", "m6"]);
  });

  it("takes what comes together with the answer to the upgrade", async (test) => {
    // Of the length's two bytes the second is what a frame begins with.
    const first = message(1, "x".repeat(0x81 - message(1).length));
    const { server, net, frames, received } = await pair(test, "json", Buffer.from([0x81, 126, 0]));
    net.write(Buffer.concat([Buffer.from([0x81]), Buffer.from(first)]));
    server.send(message(2));
    await received(2);
    assert.deepEqual(names(frames), ["m1", "m2"]);
  });

  it("tells with which code and word it was closed, after all that was said before", async (test) => {
    const { server, frames, ended } = await pair(test);
    server.send(message(1));
    server.close(4009, "you were replaced");
    const { reason, opened } = await ended;
    assert.equal(reason, "the broker closed the connection (4009: you were replaced)");
    assert.equal(opened, true);
    assert.deepEqual(names(frames), ["m1"]);
  });

  it("ends at a frame that breaks the protocol", async (test) => {
    const { server, net, frames, ended } = await pair(test);
    server.send(message(1));
    // A reserved bit.
    net.write(Buffer.from([0xc1, 1, 97]));
    assert.match((await ended).reason, /Invalid WebSocket frame/);
    assert.deepEqual(names(frames), ["m1"]);
  });

  for (const encoding of ["json", "msgpack"] as const)
    it(`sends small and large messages whole and in their order (${encoding})`, async (test) => {
      const { client, server } = await pair(test, encoding);
      const texts = ["a", "b".repeat(125), "c".repeat(126), "d".repeat(16_384), "e".repeat(16_385), "f".repeat(70_000)];
      const sent = [...texts, "ä€😀".repeat(10), "last"];
      const heard: [string, boolean][] = [];
      const all = new Promise<void>((resolve) => {
        server.on("message", (data: Buffer, isBinary: boolean) => {
          heard.push([data.toString(), isBinary]);
          if (heard.length === sent.length) resolve();
        });
      });
      for (const text of sent) client.send(/^[\0-\x7f]*$/.test(text) && encoding === "json" ? text : Buffer.from(text));
      await all;
      assert.deepEqual(
        heard,
        sent.map((text) => [text, encoding === "msgpack"]),
      );
    });

  it("sends what was said before it is dropped, and then says goodbye", async (test) => {
    const { client, server } = await pair(test);
    const heard: string[] = [];
    server.on("message", (data: Buffer) => heard.push(data.toString()));
    const closed = once(server, "close") as Promise<[number]>;
    client.send("one");
    client.drop();
    client.send("too late");
    assert.equal((await closed)[0], 1001);
    assert.deepEqual(heard, ["one"]);
  });
});
