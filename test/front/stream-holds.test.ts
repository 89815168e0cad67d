/** Who does not read holds back the processes that send to him, and nobody else's. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { StreamHolds, unreadBytesMax } from "../../src/front/stream-holds.js";
import { snapshotProcessId } from "../../src/terms/index.js";

class Client {
  readonly link = { bufferedBytes: 0 };
}

const [first, second, third] = [1, 2, 3].map(snapshotProcessId) as [
  ReturnType<typeof snapshotProcessId>,
  ReturnType<typeof snapshotProcessId>,
  ReturnType<typeof snapshotProcessId>,
];

function stage() {
  const held = new Set<number>();
  const holds = new StreamHolds<Client>((process, hold) => {
    assert.notEqual(held.has(process), hold, `process ${process} is told what it knows`);
    if (hold) held.add(process);
    else held.delete(process);
  });
  return { held, holds };
}

test("a client that reads holds nothing back", () => {
  const { held, holds } = stage();
  const client = new Client();
  client.link.bufferedBytes = unreadBytesMax;
  holds.sent(client, first);
  holds.look();
  assert.deepEqual([...held], []);
});

test("a client that does not read holds back all its streams, until it has read", () => {
  const { held, holds } = stage();
  const [slow, quick] = [new Client(), new Client()];
  slow.link.bufferedBytes = unreadBytesMax + 1;
  holds.sent(slow, first);
  holds.sent(slow, second);
  holds.sent(quick, third);
  holds.look();
  assert.deepEqual([...held], [first, second]);
  holds.sent(slow, second);
  holds.look();
  assert.deepEqual([...held], [first, second]);
  holds.release(quick);
  assert.deepEqual([...held], [first, second]);
  holds.release(slow);
  assert.deepEqual([...held], []);
  holds.release(slow);
});

test("only what was sent since the last look counts", () => {
  const { held, holds } = stage();
  const client = new Client();
  holds.sent(client, first);
  holds.look();
  client.link.bufferedBytes = unreadBytesMax + 1;
  holds.look();
  assert.deepEqual([...held], []);
});
