/**
 * Frames that no library would send, each beside an innocent client that must notice nothing.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Link } from "../../src/transport/index.js";
import { until, within } from "../support/patience.js";
import { openTransport } from "./open-transport.js";
import { frame, Innocent, opcodes, RawClient } from "./raw-client.js";

const kibi = 1024;

test("messages are echoed in both encodings, of every length that has a form of its own", async (t) => {
  const { path, links } = await openTransport(t);
  for (const [subprotocol, opcode] of [
    ["holdfast.v1.json", opcodes.text] as const,
    ["holdfast.v1.msgpack", opcodes.binary] as const,
  ]) {
    const client = await RawClient.open(path, { subprotocol });
    for (const length of [0, 1, 125, 126, 65_535, 65_536, 300_000]) {
      client.write(frame("x".repeat(length), { opcode }));
      const echoed = await client.next();
      assert.deepEqual([echoed?.opcode, echoed?.payload.length], [opcode, length]);
    }
    client.destroy();
  }
  assert.deepEqual(
    links.map(({ id, encoding }) => [id, encoding]),
    [
      [1, "json"],
      [2, "msgpack"],
    ],
  );
});

test("a message in fragments with a ping between them arrives whole, and the ping is answered", async (t) => {
  const { path } = await openTransport(t);
  const client = await RawClient.open(path);
  client.write(
    frame("hel", { fin: false }),
    frame("you there?", { opcode: opcodes.ping }),
    frame("lo", { opcode: opcodes.continuation }),
  );
  assert.deepEqual(await client.next(), { opcode: opcodes.pong, payload: Buffer.from("you there?") });
  assert.equal(await client.text(), "hello");
});

const small = { limits: { frameBytesMax: 64 * kibi } };

for (const [what, bytes, code] of [
  ["an unmasked frame", frame("x", { masked: false }), 1002],
  ["a reserved bit", frame("x", { rsv: 4 }), 1002],
  ["another reserved bit", frame("x", { rsv: 1 }), 1002],
  ["an opcode that is none", frame("x", { opcode: 3 }), 1002],
  ["a control opcode that is none", frame("x", { opcode: 11 }), 1002],
  ["a ping that is too long", frame("x".repeat(126), { opcode: opcodes.ping }), 1002],
  ["a ping in fragments", frame("x", { opcode: opcodes.ping, fin: false }), 1002],
  ["a continuation of nothing", frame("x", { opcode: opcodes.continuation }), 1002],
  ["a message within a message", Buffer.concat([frame("x", { fin: false }), frame("y")]), 1002],
  ["a close frame of one byte", frame("x", { opcode: opcodes.close }), 1002],
  ["a close code that is none", frame(Buffer.from([0, 5]), { opcode: opcodes.close }), 1002],
  ["text that is not UTF-8", frame(Buffer.from([0xff, 0xfe])), 1007],
  ["a message over the limit", frame("x".repeat(64 * kibi + 1)), 1009],
  [
    "a message over the limit in two fragments",
    Buffer.concat([
      frame("x".repeat(60 * kibi), { fin: false }),
      frame("x".repeat(5 * kibi), { opcode: opcodes.continuation }),
    ]),
    1009,
  ],
  ["a claim of 2^40 bytes", frame("x", { length: 2 ** 40 }), 1009],
  ["a binary frame where text is spoken", frame("x", { opcode: opcodes.binary }), 1003],
  [
    "a hundred thousand fragments",
    Buffer.concat([
      frame("x", { fin: false }),
      ...Array.from({ length: 100_000 }, () => frame("x", { opcode: opcodes.continuation, fin: false })),
    ]),
    1008,
  ],
] as const) {
  test(`${what} closes the connection with ${code}, and nobody else notices`, async (t) => {
    const { path, nextClose, transport } = await openTransport(t, small);
    const innocent = await Innocent.start(path);
    const client = await RawClient.open(path);
    const closed = nextClose();
    client.write(frame("before"), bytes);
    assert.equal(await client.text(), "before");
    assert.equal(await client.closeCode(), code);
    client.destroy();
    await closed;
    await innocent.stop();
    assert.equal(transport.counts.open <= 1, true);
  });
}

test("messages keep their order through every kind of frame, wherever the bytes are cut", async (t) => {
  const { path } = await openTransport(t);
  const bytes = Buffer.concat([
    frame("one"),
    frame("two"),
    frame("?", { opcode: opcodes.ping }),
    frame("three"),
    frame("fo", { fin: false }),
    frame("!", { opcode: opcodes.pong }),
    frame("ur", { opcode: opcodes.continuation }),
    frame("five"),
    frame("six", { opcode: opcodes.text }),
    frame(Buffer.from([15, 160]), { opcode: opcodes.close }),
    frame("after the end"),
  ]);
  const expected = ["one", "two", "?", "three", "four", "five", "six"];
  for (let cut = 1; cut < bytes.length; cut++) {
    const client = await RawClient.open(path);
    client.write(bytes.subarray(0, cut));
    // What was sent is read before the rest is: the echo of what is whole says so.
    const heard: string[] = [];
    if (cut >= frame("one").length) heard.push((await client.next())?.payload.toString() ?? "");
    client.write(bytes.subarray(cut));
    for (let next = await client.next(); next !== undefined; next = await client.next()) {
      if (next.opcode !== opcodes.close) heard.push(next.payload.toString());
      else assert.equal(next.payload.readUInt16BE(0), 4000);
    }
    assert.deepEqual(heard.toSorted(), expected.toSorted());
    assert.deepEqual(
      heard.filter((text) => text !== "?"),
      expected.filter((text) => text !== "?"),
    );
  }
});

test("text where MessagePack is spoken closes the connection with 1003", async (t) => {
  const { path } = await openTransport(t);
  const client = await RawClient.open(path, { subprotocol: "holdfast.v1.msgpack" });
  client.write(frame("{}"));
  assert.equal(await client.closeCode(), 1003);
});

test("a message that stays unfinished ends its connection after ten looks without a byte, not before", async (t) => {
  const { path, transport } = await openTransport(t);
  const innocent = await Innocent.start(path);
  const client = await RawClient.open(path);
  const half = frame("never finished");
  client.write(frame("whole"), half.subarray(0, 5));
  assert.equal(await client.text(), "whole");
  for (let look = 0; look < 10; look++) transport.look();
  // A byte starts the count anew; the pong shows that it was read.
  client.write(half.subarray(5, 6));
  client.write(half.subarray(6), frame("alive", { opcode: opcodes.ping }), half.subarray(0, 1));
  assert.equal(await client.text(), "never finished");
  assert.equal((await client.next())?.opcode, opcodes.pong);
  for (let look = 0; look < 10; look++) transport.look();
  client.write(frame("still open?").subarray(1));
  client.write(half.subarray(0, 1));
  for (let look = 0; look < 11; look++) transport.look();
  assert.equal(await client.closeCode(), 4408);
  await innocent.stop();
});

test("a connection that says nothing between messages is not ended", async (t) => {
  const { path, transport } = await openTransport(t);
  const client = await RawClient.open(path);
  client.write(frame("one"));
  assert.equal(await client.text(), "one");
  for (let look = 0; look < 100; look++) transport.look();
  client.write(frame("two"));
  assert.equal(await client.text(), "two");
});

// rule 11: any byte is a sign of life
test("a link knows how much has come before a frame is handed on, and since how many looks nothing came", async (t) => {
  const seen: number[] = [];
  const { path, links, transport } = await openTransport(t, {
    onFrame: (link, data) => {
      seen.push(link.bytesRead);
      link.send(data);
      link.flush();
    },
  });
  const client = await RawClient.open(path);
  const [whole, half] = [frame("whole"), frame("never finished").subarray(0, 5)];
  client.write(whole, half);
  assert.equal(await client.text(), "whole");
  const [link] = links;
  assert.ok(link !== undefined);
  // What came in the same piece as the frame was counted with it.
  assert.deepEqual([seen, link.bytesRead], [[whole.length + half.length], whole.length + half.length]);
  for (let look = 0; look < 3; look++) transport.look();
  // Two seconds at least, and three at most: the last byte may have come right before the first look.
  assert.equal(link.quietMs, 2000);
  client.write(frame("never finished").subarray(5), frame("alive?", { opcode: opcodes.ping }));
  assert.equal(await client.text(), "never finished");
  assert.equal(link.quietMs, 0);
});

test("a link that is paused is not quiet", async (t) => {
  const { path, links, transport } = await openTransport(t);
  const client = await RawClient.open(path);
  client.write(frame("one"));
  assert.equal(await client.text(), "one");
  const [link] = links;
  transport.look();
  link?.pause();
  for (let look = 0; look < 3; look++) transport.look();
  assert.equal(link?.quietMs, 0);
  link?.resume();
  transport.look();
  assert.equal(link?.quietMs, 0);
  transport.look();
  assert.equal(link?.quietMs, 1000);
});

test("a link that is paused learns with a look that its client is gone", async (t) => {
  const { path, links, transport, nextClose } = await openTransport(t);
  const client = await RawClient.open(path);
  client.write(frame("one"));
  assert.equal(await client.text(), "one");
  const [link] = links;
  link?.pause();
  transport.look();
  assert.equal((await within("a pong", client.next()))?.opcode, opcodes.pong);
  let closed: Link | undefined;
  void nextClose().then((one) => {
    closed = one;
  });
  client.write(frame("never read"));
  client.destroy();
  await until("the link to be closed", () => {
    transport.look();
    return closed === link;
  });
});

test("a flood of pings ends its connection, some pings a second do not", async (t) => {
  const { path, transport } = await openTransport(t);
  const innocent = await Innocent.start(path);
  const client = await RawClient.open(path);
  const pings = (times: number) =>
    Buffer.concat(Array.from({ length: times }, () => frame("", { opcode: opcodes.ping })));
  for (let second = 0; second < 5; second++) {
    client.write(pings(900), frame("alive"));
    assert.equal(await client.text(), "alive");
    transport.look();
  }
  client.write(pings(2000));
  assert.equal(await client.closeCode(), 1008);
  await innocent.stop();
});

test("pings of somebody who does not read the answers do not fill the broker's memory", async (t) => {
  let received: (() => void) | undefined;
  const { path, links, transport } = await openTransport(t, { onFrame: () => received?.() });
  const client = await RawClient.open(path);
  client.socket.pause();
  const ping = frame("x".repeat(125), { opcode: opcodes.ping });
  const pings = Buffer.concat(Array.from({ length: 999 }, () => ping));
  for (let second = 0; second < 30; second++) {
    const allRead = new Promise<void>((resolve) => {
      received = resolve;
    });
    client.write(pings, frame("that was all"));
    await allRead;
    assert.ok((links[0]?.bufferedBytes ?? 0) < 256 * kibi);
    transport.look();
  }
});

test("a paused link hands on nothing, not even what was read already, and goes on in order when it is resumed", async (t) => {
  const seen: string[] = [];
  let reading: ((link: Link) => void) | undefined;
  const { path, nextOpen } = await openTransport(t, {
    onFrame: (link, data) => {
      seen.push(data.toString());
      link.pause();
      reading?.(link);
    },
  });
  const opening = nextOpen();
  const client = await RawClient.open(path);
  const link = await opening;
  const first = new Promise<Link>((resolve) => {
    reading = resolve;
  });
  client.write(...Array.from({ length: 50 }, (_, i) => frame(String(i))));
  await first;
  assert.deepEqual(seen, ["0"]);
  while (seen.length < 50) {
    const next = new Promise<Link>((resolve) => {
      reading = resolve;
    });
    const before = seen.length;
    link.resume();
    await next;
    assert.equal(seen.length, before + 1);
  }
  assert.deepEqual(
    seen,
    Array.from({ length: 50 }, (_, i) => String(i)),
  );
});

test("a frame that is put back is handed on again before all that is behind it, read already or not", async (t) => {
  const seen: string[] = [];
  let putBack: (() => void) | undefined;
  const { path, links } = await openTransport(t, {
    onFrame: (link, data) => {
      const text = data.toString();
      // Every other time, each frame once.
      if (seen.at(-1) === `not ${text}`) seen.push(text);
      else {
        seen.push(`not ${text}`);
        link.pause();
        link.putBack(data);
        putBack?.();
      }
    },
  });
  const client = await RawClient.open(path);
  const long = "x".repeat(300_000);
  for (const payload of ["a", "b", long, "c", long, "d"]) client.write(frame(payload));
  const expected = ["a", "b", long, "c", long, "d"].flatMap((text) => [`not ${text}`, text]);
  while (seen.length < expected.length) {
    if (seen.at(-1)?.startsWith("not ") !== true)
      await new Promise<void>((resolve) => {
        putBack = resolve;
      });
    links[0]?.resume();
  }
  assert.ok(seen.every((text, i) => text === expected[i]));
});

test("a paused link lets its client's bytes wait in the kernel instead of in memory", async (t) => {
  const { path, nextOpen } = await openTransport(t);
  const opening = nextOpen();
  const client = await RawClient.open(path);
  const link = await opening;
  link.pause();
  client.write(frame("x".repeat(8 * kibi * kibi)));
  const innocent = await Innocent.start(path);
  const other = await RawClient.open(path);
  // As much again goes through another link meanwhile, and nothing of the paused one's.
  other.write(frame("y".repeat(8 * kibi * kibi)));
  await other.text();
  await innocent.stop();
  assert.ok(client.socket.writableLength > 7 * kibi * kibi);
  link.resume();
  assert.equal((await client.text()).length, 8 * kibi * kibi);
});

test("what a client does not read is told as buffered, and terminate frees it", async (t) => {
  const { path, nextOpen, nextClose } = await openTransport(t);
  const opening = nextOpen();
  const client = await RawClient.open(path);
  client.socket.pause();
  const link = await opening;
  link.send(Buffer.alloc(1000));
  assert.equal(link.bufferedBytes, 4 + 1000, "with the frame's head");
  for (let i = 0; i < 64; i++) link.send(Buffer.alloc(64 * kibi));
  link.flush();
  assert.ok(link.bufferedBytes > 1024 * kibi);
  const closed = nextClose();
  link.terminate();
  assert.equal(await closed, link);
  link.send(Buffer.from("late"));
  link.flush();
  link.close(1000, "late");
  link.terminate();
});

test("it is told when a client has read what could not be sent at once", async (t) => {
  const { path, nextOpen, nextDrain } = await openTransport(t);
  const opened = nextOpen();
  const client = await RawClient.open(path);
  const link = await opened;
  client.socket.pause();
  const drained = nextDrain();
  link.send(Buffer.alloc(4 * kibi * kibi, "x"));
  link.flush();
  assert.ok(link.bufferedBytes > 0);
  client.socket.resume();
  assert.equal((await drained).id, link.id);
  assert.equal(link.bufferedBytes, 0);
  client.destroy();
});

test("what a client has read of much that waits is seen before it has read all, and it is told once, at the end", async (t) => {
  const { path, nextOpen, nextDrain } = await openTransport(t);
  const opened = nextOpen();
  const client = await RawClient.open(path);
  const link = await opened;
  client.socket.pause();
  for (let i = 0; i < 8; i++) link.send(Buffer.alloc(2 * kibi * kibi, "x"));
  link.flush();
  const atFirst = link.bufferedBytes;
  let least = atFirst;
  const drained = nextDrain();
  while (least > 0 && least > atFirst / 2) {
    client.socket.resume();
    await new Promise((resolve) => setImmediate(resolve));
    client.socket.pause();
    least = link.bufferedBytes;
  }
  assert.ok(least > 0, `from ${atFirst} to ${least}`);
  client.socket.resume();
  assert.equal((await drained).id, link.id);
  assert.equal(link.bufferedBytes, 0);
  client.destroy();
});

test("closing sends what was queued, then the code, and hands on nothing more", async (t) => {
  const { path, nextOpen, nextClose } = await openTransport(t);
  const opening = nextOpen();
  const client = await RawClient.open(path);
  const link = await opening;
  const closed = nextClose();
  link.send(Buffer.from("last words"));
  link.close(1012, `stopping ${"ü".repeat(200)}`);
  link.send(Buffer.from("never seen"));
  link.flush();
  assert.equal(await client.text(), "last words");
  const close = await client.next();
  assert.deepEqual([close?.opcode, close?.payload.readUInt16BE(0)], [opcodes.close, 1012]);
  assert.match(close?.payload.subarray(2).toString() ?? "", /^stopping ü+$/);
  client.write(frame("a question"), frame(Buffer.from([3, 244]), { opcode: opcodes.close }));
  assert.equal(await client.next(), undefined);
  await closed;
});

test("a paused link can be closed, and its client's answer is seen", async (t) => {
  const { path, nextOpen, nextClose } = await openTransport(t);
  const opening = nextOpen();
  const client = await RawClient.open(path);
  const link = await opening;
  link.pause();
  const closed = nextClose();
  link.close(1013, "slow");
  assert.equal(await client.closeCode(), 1013);
  client.write(frame(Buffer.from([3, 245]), { opcode: opcodes.close }));
  await closed;
});

test("a client that goes in the middle of an answer ends its own link and nothing else", async (t) => {
  const { path, nextOpen, nextClose } = await openTransport(t);
  const innocent = await Innocent.start(path);
  const opening = nextOpen();
  const client = await RawClient.open(path);
  const link = await opening;
  const closed = nextClose();
  for (let i = 0; i < 100; i++) link.send(Buffer.alloc(64 * kibi));
  link.flush();
  client.socket.destroy();
  assert.equal(await closed, link);
  await innocent.stop();
});
