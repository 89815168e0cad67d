/** The judge is shown histories that no order explains, one of each kind, and one that is well. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { History, Micro, Operation } from "./history.js";
import { contradictions } from "./judge.js";

function append(key: string, value: number): Micro {
  return { kind: "append", key, value };
}

function read(key: string, ...values: number[]): Micro {
  return { kind: "read", key, values };
}

/** Each operation overlaps all others, on a connection of its own, unless it says otherwise. */
function history(
  said: readonly (Partial<Operation> & { readonly micros: readonly Micro[] })[],
  final: { readonly [key: string]: readonly number[] },
): History {
  const operations = said.map((more, id): Operation => {
    return {
      ...{ id, session: id, place: id, form: "plain", askedAt: 0, answeredAt: 100, outcome: "done" },
      ...more,
    };
  });
  return { operations, final: new Map(Object.entries(final)), balances: [{ sums: [40, 60] }], money: 100 };
}

test("what has an order is well, whoever overlaps whom", () => {
  const story = history(
    [
      { micros: [append("x", 1), read("x", 1), append("y", 2)], form: "transaction" },
      { micros: [read("x"), read("y")] },
      { micros: [read("y", 2), read("x", 1)], askedAt: 50 },
      { micros: [append("x", 3)], askedAt: 120, answeredAt: 130 },
      { micros: [read("x", 1, 3)], askedAt: 140, answeredAt: 150 },
      { micros: [append("x", 9)], outcome: "unknown", answeredAt: Number.POSITIVE_INFINITY },
      { micros: [append("x", 8)], outcome: "not done" },
    ],
    { x: [1, 3], y: [2] },
  );
  assert.deepEqual(contradictions(story), []);
});

for (const [name, story, message] of [
  ["an acknowledged append that is lost", history([{ micros: [append("x", 1)] }], { x: [] }), /does not stand in x/],
  ["an append that came to pass twice", history([{ micros: [append("x", 1)] }], { x: [1, 1] }), /stands twice/],
  [
    "a refused append that came to pass",
    history([{ micros: [append("x", 1)], outcome: "not done" }], { x: [1] }),
    /was refused/,
  ],
  [
    "half of a batch whose outcome nobody knows",
    history([{ micros: [append("x", 1), append("y", 2)], outcome: "unknown" }], { x: [1] }),
    /does not stand in y/,
  ],
  [
    "a read of what never was",
    history([{ micros: [append("x", 1)] }, { micros: [read("x", 7)] }], { x: [1] }),
    /read 7 in x/,
  ],
  [
    "a read in the middle of a transaction",
    history([{ micros: [append("x", 1), append("x", 2)] }, { micros: [read("x", 1)] }], { x: [1, 2] }),
    /in the middle of/,
  ],
  [
    "a transaction that does not see its own append",
    history([{ micros: [append("x", 1), read("x")] }], { x: [1] }),
    /appended 1 to x and then read/,
  ],
  [
    "half of a transaction in one snapshot",
    history([{ micros: [append("x", 1), append("y", 2)] }, { micros: [read("x", 1), read("y")] }], { x: [1], y: [2] }),
    /no order is possible/,
  ],
  [
    "two that each did not see the other",
    history([{ micros: [read("y"), append("x", 1)] }, { micros: [read("x"), append("y", 2)] }], { x: [1], y: [2] }),
    /no order is possible/,
  ],
  [
    "a read of the past, after the append was acknowledged",
    history(
      [
        { micros: [append("x", 1)], answeredAt: 10 },
        { micros: [read("x")], askedAt: 20, answeredAt: 30 },
      ],
      { x: [1] },
    ),
    /was answered before/,
  ],
  [
    "two reads that go back in time over a third",
    history(
      [
        { micros: [append("x", 1)], answeredAt: 1000 },
        { micros: [read("x", 1)], askedAt: 10, answeredAt: 20 },
        { micros: [append("y", 5)], askedAt: 30, answeredAt: 40 },
        { micros: [read("x")], askedAt: 50, answeredAt: 60 },
      ],
      { x: [1], y: [5] },
    ),
    /no order is possible/,
  ],
  // promise 3
  [
    "a read that does not see what its connection sent before it",
    history(
      [
        { micros: [append("x", 1)], session: 1, place: 1 },
        { micros: [read("x")], session: 1, place: 2 },
      ],
      { x: [1] },
    ),
    /was sent on the connection before/,
  ],
] as const)
  test(`${name} is noticed`, () => {
    const found = contradictions(story);
    assert.ok(
      found.some((one) => message.test(one)),
      `found ${JSON.stringify(found)}`,
    );
  });

test("money that was made or lost, and an account below nothing, are noticed", () => {
  const story = history([], {});
  assert.match(contradictions({ ...story, balances: [{ sums: [50, 60] }] })[0] ?? "", /have 110 together/);
  assert.match(contradictions({ ...story, balances: [{ sums: [-1, 101] }] })[0] ?? "", /seen with -1/);
});
