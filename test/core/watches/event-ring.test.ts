import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { LockEvent } from "../../../src/core/index.js";
import { EventRing } from "../../../src/core/watches/event-ring.js";
import { at, name, session } from "../support/values.js";

function event(n: number): LockEvent {
  const who = { session: session(1), program: "", pid: undefined, token: undefined, reason: undefined };
  return { n, at: at(0), kind: "granted", name: name("x"), ...who };
}

test("from any event on that is kept all later ones are given, and from no other", () => {
  fc.assert(
    fc.property(fc.nat(8), fc.nat(30), fc.nat(40), (max, count, asked) => {
      const ring = new EventRing(max);
      for (let n = 1; n <= count; n++) ring.push(event(n));
      ring.check();
      const expected = asked <= count && (asked === count || asked >= count - max);
      const events = ring.after(asked, count)?.map(({ n }) => n);
      const all = Array.from({ length: Math.max(0, count - asked) }, (_, i) => asked + 1 + i);
      assert.deepEqual(events, expected ? all : undefined);
    }),
  );
});

test("events with a gap between them are not kept", () => {
  const ring = new EventRing(4);
  ring.push(event(1));
  ring.push(event(3));
  assert.throws(() => ring.check(), /gap/);
});
