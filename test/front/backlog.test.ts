import assert from "node:assert/strict";
import { test } from "node:test";
import { Backlog } from "../../src/front/backlog.js";
import { instant, limitsWith } from "../../src/terms/index.js";

const MiB = 1024 * 1024;
const limits = limitsWith({ outputBytesMax: 16 * MiB, outputBytesAllMax: 64 * MiB });

interface Client {
  readonly link: { bufferedBytes: number };
}

function rig() {
  const told: string[] = [];
  const backlog = new Backlog<Client>(limits, (_, takes) => told.push(takes));
  const client = (bytes: number): Client => {
    const one = { link: { bufferedBytes: bytes } };
    backlog.note(one);
    return one;
  };
  return { backlog, client, told, slowAt: (ms: number) => backlog.takeSlow(instant(ms)) };
}

// promise 10: slow reading
test("who stays over the limit is hung up on, once", () => {
  const { client, slowAt, backlog } = rig();
  const one = client(17 * MiB);
  assert.deepEqual(slowAt(0), []);
  assert.ok(backlog.mustLook);
  assert.deepEqual(slowAt(4999), []);
  assert.deepEqual(slowAt(5000), [one]);
  assert.deepEqual(slowAt(5001), []);
});

test("who has asked for much at once and takes it is left alone", () => {
  const { client, slowAt, backlog } = rig();
  const one = client(40 * MiB);
  slowAt(0);
  one.link.bufferedBytes = 10 * MiB;
  slowAt(3000);
  assert.ok(!backlog.mustLook);
  one.link.bufferedBytes = 40 * MiB;
  backlog.note(one);
  assert.deepEqual([...slowAt(3001), ...slowAt(8000)], []);
});

test("who is over the limit and reads, however slowly, is not hung up on, and is given no more until he has less", () => {
  const { client, slowAt, told, backlog } = rig();
  const one = client(20 * MiB);
  for (let seconds = 0; one.link.bufferedBytes > 16 * MiB; seconds += 4) {
    assert.deepEqual(slowAt(1000 * seconds), []);
    one.link.bufferedBytes -= MiB / 2;
  }
  assert.deepEqual(told, ["nothing"]);
  assert.deepEqual(slowAt(100_000), []);
  assert.deepEqual(told, ["nothing", "slowly"]);
  one.link.bufferedBytes = 17 * MiB;
  slowAt(100_001);
  assert.deepEqual(slowAt(105_001), [one]);
  const other = client(17 * MiB);
  slowAt(105_001);
  other.link.bufferedBytes = 0;
  slowAt(105_002);
  assert.deepEqual(told.slice(2), ["nothing", "nothing", "all"]);
  assert.ok(!backlog.mustLook);
});

test("when all together have too much the largest goes first, and only as many as must", () => {
  const { client, slowAt } = rig();
  const [, largest, second] = [client(4 * MiB), client(48 * MiB), client(40 * MiB), client(15 * MiB)];
  assert.deepEqual(slowAt(0), [largest]);
  const another = client(50 * MiB);
  assert.deepEqual(slowAt(1), [another]);
  assert.ok(second !== undefined);
});

test("in a time in which the broker stood still nobody could have read", () => {
  const { backlog, client, slowAt } = rig();
  const one = client(17 * MiB);
  slowAt(0);
  backlog.paused(60_000);
  assert.deepEqual(slowAt(60_000), []);
  assert.deepEqual(slowAt(65_000), [one]);
});

test("who is gone is not hung up on", () => {
  const { backlog, client, slowAt } = rig();
  const one = client(17 * MiB);
  slowAt(0);
  backlog.gone(one);
  assert.deepEqual(slowAt(9000), []);
  assert.ok(!backlog.mustLook);
});
