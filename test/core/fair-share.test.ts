import assert from "node:assert/strict";
import { test } from "node:test";
import { FairShare } from "../../src/core/fair-share.js";

interface Item {
  readonly what: string;
  readonly parcel: { readonly size: number };
}

const quantum = 1000;

function item(what: string, size = 1000): Item {
  return { what, parcel: { size } };
}

function filled(lines: { readonly [owner: string]: readonly Item[] }): FairShare<Item> {
  const share = new FairShare<Item>(quantum);
  for (const [owner, items] of Object.entries(lines)) for (const one of items) share.push(owner, one);
  return share;
}

function taken(share: FairShare<Item>, may?: (owner: string) => boolean): string[] {
  const whats: string[] = [];
  for (let one = share.take(may); one !== undefined; one = share.take(may)) {
    whats.push(one.what);
    share.check();
  }
  return whats;
}

test("sessions take turns, and each is served in its own order", () => {
  const share = filled({ a: [item("a1"), item("a2"), item("a3")], b: [item("b1")], c: [item("c1"), item("c2")] });
  assert.deepEqual(taken(share).join(" "), "a1 b1 c1 a2 c2 a3");
  assert.equal(share.length, 0);
  assert.equal(share.owners, 0);
});

test("a session that sends large requests gets no more bytes than one that sends small ones", () => {
  const large = Array.from({ length: 10 }, (_, i) => item(`L${i}`, 4000));
  const small = Array.from({ length: 40 }, (_, i) => item(`s${i}`, 1000));
  const order = taken(filled({ large, small }));
  const lastLarge = order.lastIndexOf("L4");
  const before = order.slice(0, lastLarge).filter((what) => what.startsWith("s")).length;
  assert.ok(before >= 16 && before <= 24, `${before} small ones before the fifth large one`);
});

test("ten thousand tiny requests are not free", () => {
  const tiny = Array.from({ length: 100 }, (_, i) => item(`t${i}`, 1));
  const order = taken(
    filled({ tiny, other: [item("o", 1), item("o", 1), item("o", 1), item("o", 1), item("last", 1)] }),
  );
  assert.ok(order.indexOf("last") <= 12, `the other waited for ${order.indexOf("last")} of them`);
});

test("whoever may not be served is passed over and loses nothing", () => {
  const share = filled({ a: [item("a1")], b: [item("b1")] });
  assert.deepEqual(
    taken(share, (owner) => owner === "b"),
    ["b1"],
  );
  assert.deepEqual(
    taken(share, () => false),
    [],
  );
  assert.deepEqual(taken(share), ["a1"]);
});

test("a large request is served though nobody else may be", () => {
  const share = filled({ b: [item("b1")], a: [item("a1", 50_000)], c: [item("c1")] });
  assert.deepEqual(
    taken(share, (owner) => owner === "a"),
    ["a1"],
  );
});

test("what is put back comes before everything else of its session", () => {
  const share = filled({ a: [item("a1"), item("a2"), item("a3")] });
  const [first, second] = [share.take(), share.take()] as [Item, Item];
  share.putBack("a", [first, second]);
  share.putBack("a", []);
  share.check();
  assert.deepEqual(taken(share), ["a1", "a2", "a3"]);
  share.putBack("b", [first]);
  assert.deepEqual([...share.waiting()], ["b"]);
  assert.deepEqual(taken(share), ["a1"]);
});

test("what is dropped or picked out is gone, and the rest stays in order", () => {
  const share = filled({ a: [item("a1"), item("a2"), item("a3")], b: [item("b1")] });
  share.take();
  assert.equal(share.firstOf("a")?.what, "a2");
  assert.equal(share.lengthOf("a"), 2);
  assert.deepEqual(
    share.dropSome("a", ({ what }) => what === "a2").map(({ what }) => what),
    ["a2"],
  );
  assert.deepEqual(
    share.dropSome("a", ({ what }) => what === "a2"),
    [],
  );
  share.check();
  assert.deepEqual(
    share.drop("b").map(({ what }) => what),
    ["b1"],
  );
  assert.deepEqual(share.drop("b"), []);
  assert.deepEqual(
    share.dropSome("a", () => true).map(({ what }) => what),
    ["a3"],
  );
  share.check();
  assert.equal(share.firstOf("a"), undefined);
  assert.equal(share.length, 0);
});

test("a long line stays quick and keeps its order", () => {
  const share = new FairShare<Item>(quantum);
  for (let i = 0; i < 5000; i++) share.push("a", item(`${i}`));
  const order = taken(share);
  assert.deepEqual(
    order,
    Array.from({ length: 5000 }, (_, i) => `${i}`),
  );
});
