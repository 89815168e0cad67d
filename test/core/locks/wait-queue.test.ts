import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Mode } from "../../../src/core/index.js";
import { Lock } from "../../../src/core/locks/lock.js";
import { LockRequest, type Place } from "../../../src/core/locks/request.js";
import { WaitQueue } from "../../../src/core/locks/wait-queue.js";
import type { Session } from "../../../src/core/sessions/session.js";
import { at, key, name } from "../support/values.js";

const lock = new Lock(name("x"), 0);
const terms = { ttlMs: undefined, guarded: false, tell: { place: false, contended: false } };

/** A place in the queue of one name; nothing of its session is looked at here. */
function place(arrival: number, mode: Mode = "exclusive", take = 1): Place {
  const claims = [{ name: lock.name, mode, take }];
  const asked = { session: {} as Session, key: key(arrival + 1000), reason: "", terms, claims, locks: [lock] };
  return new LockRequest(asked, arrival, at(0)).first;
}

function arrivals(queue: WaitQueue): number[] {
  return [...queue].map(({ request }) => request.arrival);
}

function present(queue: WaitQueue): number[] {
  const found: number[] = [];
  for (let one = queue.first; one !== undefined; one = one.presentBehind) found.push(one.request.arrival);
  return found;
}

test("waiters stand in the order of their arrival, whoever leaves from wherever", () => {
  const queue = new WaitQueue();
  const [a, b, c, d] = [place(1), place(2), place(3), place(4)];
  for (const one of [a, b, c, d]) queue.push(one, true);
  queue.remove(b);
  queue.check();
  assert.deepEqual(arrivals(queue), [1, 3, 4]);
  queue.remove(a);
  queue.remove(d);
  queue.check();
  assert.deepEqual([arrivals(queue), queue.length, queue.first], [[3], 1, c]);
  queue.remove(c);
  queue.check();
  assert.deepEqual([arrivals(queue), queue.length, queue.first], [[], 0, undefined]);
});

test("one that goes to the head stands before all others", () => {
  const queue = new WaitQueue();
  const [a, b] = [place(1), place(2)];
  queue.push(a, true);
  queue.push(b, true);
  const head = place(-1);
  queue.push(head, true);
  queue.check();
  assert.deepEqual(
    [arrivals(queue), present(queue)],
    [
      [-1, 1, 2],
      [-1, 1, 2],
    ],
  );
});

test("those who are away keep their place, and are not among those who are there", () => {
  const queue = new WaitQueue();
  const [a, b, c] = [place(1), place(2), place(3)];
  for (const one of [a, b, c]) queue.push(one, true);
  queue.vanish(a);
  queue.vanish(b);
  queue.check();
  assert.deepEqual([arrivals(queue), present(queue)], [[1, 2, 3], [3]]);
  queue.appear(b);
  queue.appear(a);
  queue.check();
  assert.deepEqual(present(queue), [1, 2, 3]);
});

test("nobody can share a name before the first who wants it alone", () => {
  const queue = new WaitQueue();
  const [a, b, c, d] = [place(1, "shared"), place(2), place(3, "shared"), place(4)];
  for (const one of [a, b, c, d]) queue.push(one, true);
  assert.deepEqual(
    [a, c].map((one) => queue.isBeforeBarrier(one)),
    [true, false],
  );
  queue.vanish(b);
  assert.equal(queue.barrier, d);
  assert.ok(queue.isBeforeBarrier(c));
  queue.remove(d);
  assert.equal(queue.barrier, undefined);
  queue.appear(b);
  queue.check();
  assert.equal(queue.barrier, b);
});

test("slots go round in the order of arrival", () => {
  const queue = new WaitQueue();
  const [a, b, c] = [place(1, "semaphore", 2), place(2, "semaphore", 3), place(3, "semaphore", 1)];
  for (const one of [a, b, c]) queue.push(one, true);
  assert.deepEqual(
    [a, b, c].map((one) => queue.fits(one, 5)),
    [true, true, false],
  );
  assert.deepEqual(
    [a, b, c].map((one) => queue.fits(one, 6)),
    [true, true, true],
  );
  queue.vanish(b);
  assert.ok(queue.fits(c, 3));
  assert.equal(queue.takes, 3);
});

test("the place of one is how many stand before it, and is not counted beyond what is wanted", () => {
  const queue = new WaitQueue();
  const all = [1, 2, 3].map((arrival) => place(arrival));
  for (const one of all) queue.push(one, arrival(one) !== 2);
  assert.deepEqual(
    all.map((one) => queue.placeOf(one, 10)),
    [1, 2, 3],
  );
  assert.equal(queue.placeOf(all[2] as Place, 2), undefined);
});

function arrival({ request }: Place): number {
  return request.arrival;
}

test("whoever comes, leaves, is away and is back in whatever order, the rows are those of a plain list", () => {
  const step = fc.record({
    what: fc.constantFrom("push", "head", "remove", "vanish", "appear"),
    whom: fc.nat(100),
    mode: fc.constantFrom<Mode>("exclusive", "shared"),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const queue = new WaitQueue();
      const all: { one: Place; here: boolean }[] = [];
      let [last, first] = [0, 0];
      for (const { what, whom, mode } of steps) {
        const known = all[whom % Math.max(1, all.length)];
        if (what === "push" || what === "head") {
          const one = place(what === "push" ? ++last : --first, mode);
          const here = whom % 3 > 0;
          queue.push(one, here);
          all.push({ one, here });
        } else if (known === undefined) continue;
        else if (what === "remove") {
          queue.remove(known.one);
          all.splice(all.indexOf(known), 1);
        } else {
          known.here = what === "appear";
          if (known.here) queue.appear(known.one);
          else queue.vanish(known.one);
        }
        queue.check();
        all.sort((a, b) => arrival(a.one) - arrival(b.one));
        assert.deepEqual(
          arrivals(queue),
          all.map(({ one }) => arrival(one)),
        );
        assert.deepEqual(
          present(queue),
          all.filter(({ here }) => here).map(({ one }) => arrival(one)),
        );
      }
    }),
  );
});

test("a queue that was tampered with says so", () => {
  const queue = new WaitQueue();
  const [a, b] = [place(2), place(3)];
  queue.push(a, true);
  queue.push(b, true);
  b.request.arrival = 1;
  assert.throws(() => queue.check(), /order of arrival/);
});

test("who fits into so many slots is known for each, whoever comes and goes and however many there are", () => {
  const step = fc.record({
    what: fc.constantFrom("push", "remove", "appear", "vanish", "ask"),
    which: fc.nat(11),
    take: fc.nat(4),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const queue = new WaitQueue();
      const places: Place[] = [];
      for (const [number, { what, which, take }] of steps.entries()) {
        const one = places[which % Math.max(places.length, 1)];
        // In the middle now and then, as who comes back after a restart.
        const made = place(number % 3 === 0 ? -number : number, "semaphore", take + 1);
        if (what === "push" || one === undefined) {
          queue.push(made, which % 2 === 0);
          places.push(made);
        } else if (what === "remove") {
          queue.remove(one);
          places.splice(places.indexOf(one), 1);
        } else if (what === "appear") queue.appear(one);
        else if (what === "vanish") queue.vanish(one);
        else {
          let wanted = 0;
          for (let at = queue.first; at !== undefined; at = at.presentBehind) {
            wanted += at.take;
            if (at === one) assert.equal(queue.fits(one, which + take), wanted <= which + take);
          }
        }
        queue.check();
      }
    }),
    { seed: 3 },
  );
});
