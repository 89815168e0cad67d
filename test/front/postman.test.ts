/** What leaves when, and for whom nothing more is made. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Letter, LockEvent } from "../../src/core/index.js";
import { Postman } from "../../src/front/postman.js";
import {
  type ConnectionId,
  connectionId,
  instant,
  type LockName,
  limitsWith,
  lockName,
  sessionId,
  wallTime,
} from "../../src/terms/index.js";
import type { Link } from "../../src/transport/index.js";

const MiB = 1024 * 1024;
const now = instant(0);

/** A link of a client that reads nothing. */
class Unread {
  readonly id: ConnectionId;
  readonly encoding = "json";
  readonly bytesRead = 0;
  readonly quietMs = 0;
  readonly said: string[] = [];
  messages = 0;
  static flushes = 0;
  /** Which of all flushes was its last. */
  flushedAt = 0;
  #queued = 0;
  #sent = 0;

  constructor(id: number) {
    this.id = connectionId(id);
  }

  get bufferedBytes(): number {
    return this.#queued + this.#sent;
  }

  send({ length }: Buffer): void {
    this.messages++;
    this.#queued += length;
  }

  flush(): void {
    this.flushedAt = ++Unread.flushes;
    this.#sent += this.#queued;
    this.#queued = 0;
  }

  close(): void {
    this.said.push("close");
  }

  terminate(): void {
    this.said.push("terminate");
  }

  pause(): void {
    this.said.push("pause");
  }

  putBack({ length }: Buffer): void {
    this.said.push(`put back ${length}`);
  }

  resume(): void {
    this.said.push("resume");
  }
}

function stage(limits: { readonly [name: string]: number } = {}) {
  const postman = new Postman({
    limits: limitsWith(limits),
    log: () => undefined,
    greeting: () => ({
      incarnation: "",
      epoch: 0,
      broker: { version: "", pid: 1, startTime: "" },
      runDir: "",
      limits: {},
    }),
    now: () => now,
    wallNow: () => wallTime(0),
    hold: () => undefined,
    takes: () => undefined,
  });
  const links = [1, 2].map((id) => new Unread(id)) as [Unread, Unread];
  for (const link of links) postman.open(link as unknown as Link);
  return { postman, links };
}

function events(to: ConnectionId, watch: number, reason: string): Letter {
  const event: LockEvent = {
    ...{ n: 1, at: now, kind: "granted", name: lockName("x", 512) as LockName, token: undefined, reason },
    ...{ session: sessionId("a".repeat(32)), program: "", pid: undefined },
  };
  return { kind: "events", to, watch, events: [event], now };
}

test("one event that is told to very many watches leaves bit by bit, and who does not read it is hung up on meanwhile", () => {
  const { postman, links } = stage({ outputBytesAllMax: 64 * MiB });
  const [flooded, other] = links;
  const reason = "x".repeat(MiB);
  const letters = Array.from({ length: 1000 }, (_, watch) => events(flooded.id, watch, reason));
  postman.deliver([...letters, events(other.id, 1, "")]);
  assert.deepEqual(flooded.said, ["close", "terminate"]);
  assert.ok(flooded.messages < 100, `${flooded.messages} messages were made`);
  assert.equal(other.messages, 1);
  assert.deepEqual(other.said, []);
});

test("what cannot be written down is refused, and the broker lives; who would watch it is hung up on", () => {
  const { postman, links } = stage();
  const [asking, other] = links;
  const locks = {
    map: () => {
      throw new RangeError("Invalid string length");
    },
  } as never;
  postman.touch(asking as unknown as Link)?.begun(1, "lock.list", {}, 100);
  postman.touch(other as unknown as Link)?.begun(1, "lock.watch", {}, 100);
  postman.deliver([
    { kind: "listing", to: asking.id, request: 1, locks, more: false, now },
    { kind: "watching", to: other.id, request: 1, upTo: 7, gap: false, locks, now },
  ]);
  assert.deepEqual([asking.messages, asking.said], [1, ["pause"]]);
  assert.deepEqual([other.messages, other.said], [1, ["pause", "close"]]);
});

test("who has asked for what shows locks is read on when the turn is over, and not before", () => {
  const { postman, links } = stage();
  const [asking, other] = links;
  postman.touch(asking as unknown as Link)?.begun(1, "lock.list", {}, 100);
  // So much is told that it leaves before the turn is over.
  postman.deliver(Array.from({ length: 20 }, (_, watch) => events(other.id, watch, "x".repeat(MiB))));
  assert.deepEqual(asking.said, ["pause"]);
  postman.flush(now);
  assert.deepEqual(asking.said, ["pause", "resume"]);
  postman.flush(now);
  assert.deepEqual(asking.said, ["pause", "resume"]);
});

test("who is told little is written to before those who are told much, in whatever order that came about", () => {
  const { postman, links } = stage();
  const [flooding, polite] = links;
  postman.deliver([...Array.from({ length: 50 }, (_, watch) => events(flooding.id, watch, "x".repeat(100)))]);
  postman.deliver([events(polite.id, 1, "")]);
  postman.flush(now);
  assert.ok(polite.flushedAt < flooding.flushedAt, `${polite.flushedAt} and ${flooding.flushedAt}`);
});

test("a hello is never put off, and what follows it is when the turn has had enough", () => {
  const { postman, links } = stage();
  const [asking, other] = links.map((link) => postman.touch(link as unknown as Link));
  if (asking === undefined || other === undefined) assert.fail("nobody is there");
  asking.saysHello(1, "secret");
  assert.equal(postman.putsOff(asking, Buffer.alloc(MiB)), false);
  assert.equal(postman.putsOff(other, Buffer.alloc(MiB)), false);
  other.saysHello(1, "secret");
  assert.equal(postman.putsOff(other, Buffer.alloc(100)), false);
  assert.equal(postman.putsOff(other, Buffer.alloc(MiB)), true);
  assert.deepEqual(links[1].said, ["pause", `put back ${MiB}`]);
  postman.flush(now);
  assert.deepEqual(links[1].said.slice(2), ["resume"]);
  assert.equal(postman.putsOff(other, Buffer.alloc(MiB)), false);
});
