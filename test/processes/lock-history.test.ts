/** The judge of histories sees what must not be, and nothing where all is well. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { contradictions, type Line, type Story } from "./lock-history.js";

interface Held {
  readonly token: number;
  readonly asked: number;
  readonly queued?: number;
  readonly granted: number;
  readonly over?: number;
  readonly mode?: "exclusive" | "shared";
  readonly wrote?: number;
}

function story(member: string, held: Held, killedAt?: number): Story {
  const { token, asked, queued, granted, over, mode = "exclusive", wrote } = held;
  const lines: Line[] = [
    { kind: "asked", ask: 1, name: "x", mode, at: asked },
    ...(queued === undefined ? [] : [{ kind: "queued", ask: 1, at: queued } as const]),
    { kind: "granted", ask: 1, token, at: granted },
    ...(wrote === undefined ? [] : [{ kind: "wrote", ask: 1, value: wrote, at: granted } as const]),
    ...(over === undefined ? [] : [{ kind: "over", ask: 1, at: over } as const]),
  ];
  return killedAt === undefined ? { member, lines } : { member, lines, killedAt };
}

const first = story("a", { token: 1, asked: 0, granted: 1, over: 10, wrote: 1 });

test("one after the other, beside others that share, or after a kill: nothing is wrong", () => {
  const next = story("b", { token: 2, asked: 2, queued: 3, granted: 10, over: 20, wrote: 2 });
  assert.deepEqual(contradictions([next, first], []), []);
  const sharing = ["c", "d"].map((member, i) =>
    story(member, { token: 3 + i, asked: 12, granted: 21, over: 30, mode: "shared" }),
  );
  assert.deepEqual(contradictions([first, next, ...sharing], []), []);
  const killed = story("a", { token: 1, asked: 0, granted: 1 }, 5);
  assert.deepEqual(contradictions([killed, next], []), []);
});

test("two holders at once are seen, also one that shares, and one that was never given back", () => {
  const beside = story("b", { token: 2, asked: 2, granted: 9, over: 20 });
  assert.match(contradictions([first, beside], []).join(), /^at once: a's exclusive grant 1 of x and b's/);
  const shared = story("b", { token: 2, asked: 2, granted: 9, over: 20, mode: "shared" });
  assert.match(contradictions([first, shared], []).join(), /^at once/);
  const kept = story("a", { token: 1, asked: 0, granted: 1 });
  assert.match(
    contradictions([kept, story("b", { token: 2, asked: 2, granted: 90, over: 91 })], []).join(),
    /^at once/,
  );
});

test("a token that comes twice or goes back is seen", () => {
  const twice = story("b", { token: 1, asked: 12, granted: 13, over: 20 });
  assert.match(contradictions([first, twice], []).join(), /^one token twice/);
  const back = story("b", { token: 0, asked: 12, granted: 13, over: 20 });
  assert.match(contradictions([first, back], []).join(), /a token went back/);
});

test("who waited and was overtaken is seen, unless the broker was killed meanwhile", () => {
  const waited = story("b", { token: 3, asked: 2, queued: 3, granted: 30, over: 31 });
  const quick = story("c", { token: 2, asked: 5, granted: 20, over: 21 });
  assert.match(contradictions([first, waited, quick], []).join(), /^overtaken: b's/);
  assert.deepEqual(contradictions([first, waited, quick], [15]), []);
});

test("a value that does not follow from the one before it is seen", () => {
  const stale = story("b", { token: 2, asked: 2, granted: 10, over: 20, wrote: 1 });
  assert.match(contradictions([first, stale], []).join(), /wrote 1 after a's exclusive grant 1 of x wrote 1/);
});
