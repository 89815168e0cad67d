/** What a program says when it asks for locks, and what the broker hears of it. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AcquireOptions } from "../../src/client/index.js";
import { pair, rejection } from "./support/pair.js";

const sent: readonly (readonly [string, AcquireOptions, object])[] = [
  ["nothing more", {}, {}],
  ["shared", { mode: "shared" }, { mode: "shared" }],
  ["exclusive, which is the standard", { mode: "exclusive" }, {}],
  ["slots, which make it a semaphore", { slots: 4 }, { mode: "semaphore", slots: 4 }],
  ["some of the slots that there are", { take: 2 }, { mode: "semaphore", take: 2 }],
  ["a semaphore as it is remembered", { mode: "semaphore" }, { mode: "semaphore" }],
  [
    "further names",
    { also: ["b", { name: "c", mode: "shared" }, { name: "d", slots: 3 }] },
    { also: [{ name: "b" }, { name: "c", mode: "shared" }, { name: "d", mode: "semaphore", slots: 3 }] },
  ],
  ["no further names", { also: [] }, {}],
  ["for ever", { waitMs: Number.POSITIVE_INFINITY }, {}],
  ["a lease", { ttl: 5000 }, { ttlMs: 5000 }],
  ["a lease of the usual length", { ttl: true }, { ttlMs: 30_000 }],
  ["a reason", { reason: "release build" }, { reason: "release build" }],
  ["whom to tell of its place", { onQueued: () => {} }, { tell: ["place"] }],
  ["whom to tell of others", { onContended: () => {} }, { tell: ["contended"] }],
];

describe("a request for a lock", () => {
  for (const [what, options, more] of sent)
    it(`with ${what} says just that`, async (test) => {
      const { broker, fake } = await pair(test);
      await broker.acquire("a", options);
      const { key: _key, ack: _ack, ...params } = (await fake.request("lock.acquire")).params;
      assert.deepEqual(params, { name: "a", ...more });
    });

  const misuses: readonly (readonly [string, AcquireOptions, RegExp])[] = [
    ["an unknown mode", { mode: "upgradable" as never }, /mode must be exclusive, shared or semaphore/],
    ["slots of a shared lock", { mode: "shared", slots: 2 }, /slots is for semaphores, and a is shared/],
    ["half a slot", { slots: 1.5 }, /slots must be a whole number from 1, not 1.5/],
    ["no slot", { slots: 2, take: 0 }, /take must be a whole number from 1, not 0/],
    ["a wait into the past", { waitMs: -1 }, /waitMs/],
    ["a lease of nothing", { ttl: 0 }, /ttl/],
    ["a lease for ever", { ttl: Number.POSITIVE_INFINITY }, /ttl/],
    ["a lease that is a text", { ttl: "30s" as never }, /ttl/],
    ["an option that there is not", { ttlMs: 1000 } as never, /no option "ttlMs"; it has mode, .*ttl/],
    ["a wrong mode of a further name", { also: [{ name: "b", mode: "x" as never }] }, /mode/],
  ];
  for (const [what, options, message] of misuses)
    it(`with ${what} is refused before anything is sent`, async (test) => {
      const { broker, fake } = await pair(test);
      const error = await rejection(broker.acquire("a", options));
      assert.equal(error.code, "MISUSE");
      assert.match(error.message, message);
      assert.equal(fake.asked.length, 0);
    });

  it("with a further name that is none is refused as for the first", async (test) => {
    const { broker } = await pair(test);
    assert.equal((await rejection(broker.acquire("a", { also: [""] }))).code, "NAME_INVALID");
    assert.equal((await rejection(broker.locks.break(""))).code, "NAME_INVALID");
    assert.throws(() => broker.locks.watch(""), { code: "NAME_INVALID" });
  });
});
