/**
 * Circles through slots, in small worlds told at random: whether a request is refused is compared with a second opinion
 * that looks at everybody, step by step (the one that the simulation has).
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { claimOf } from "../../../src/core/locks/grant.js";
import { type Affairs, type Owned, stuckIn, type Wanted } from "../../simulation/banker.js";
import { TestBroker } from "../support/test-broker.js";
import type { Asked, TestClient } from "../support/test-client.js";
import { name } from "../support/values.js";

/** Semaphores with as many slots; all other names have none. */
const slots: { readonly [name: string]: number } = { s: 2, t: 3, u: 4 };
const names = ["s", "t", "u", "a", "b", "c"];

interface Wait {
  readonly client: TestClient;
  readonly asked: Asked;
  readonly wanted: Wanted;
}

interface Step {
  readonly who: number;
  /** Whether it gives back, asks with all that it has in its hands, or with only some of that. */
  readonly what: "release" | "ask" | "ask under";
  readonly which: number;
  readonly names: readonly string[];
  readonly shared: boolean;
  readonly take: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  who: fc.nat(4),
  what: fc.constantFrom("release", "ask", "ask", "ask under", "ask under"),
  which: fc.nat(7),
  names: fc.uniqueArray(fc.constantFrom(...names), { minLength: 1, maxLength: 3 }),
  shared: fc.boolean(),
  take: fc.integer({ min: 1, max: 4 }),
});

class World {
  readonly broker = new TestBroker();
  readonly clients: TestClient[] = [];
  owned: (Owned & { readonly client: TestClient })[] = [];
  waits: Wait[] = [];
  deadlocks = 0;

  constructor() {
    const [first, second] = [this.broker.client("0"), this.broker.client("1")];
    // Two of the five run under others.
    const inner = this.broker.client("2", { outer: first });
    this.clients.push(first, second, inner, this.broker.client("3", { outer: inner }), this.broker.client("4"));
  }

  tell(one: Step): void {
    const client = this.clients[one.who] as TestClient;
    const own = this.owned.filter((grant) => grant.client === client);
    const waits = this.waits.filter((wait) => wait.client === client);
    if (one.what === "release") this.release(own[one.which % Math.max(own.length, 1)]);
    // What it is granted later it would have in its hands too: then the two opinions may differ.
    else if (
      waits.every(({ wanted }) => wanted.under !== undefined) &&
      (one.what === "ask under" || waits.length === 0)
    )
      this.ask(client, own, one);
    this.settle();
  }

  release(grant: (typeof this.owned)[number] | undefined): void {
    const [claim] = grant?.claims ?? [];
    if (grant === undefined || claim === undefined) return;
    this.owned = this.owned.filter((one) => one !== grant);
    grant.client.release({ name: claim.name, token: grant.token as never });
  }

  ask(client: TestClient, own: readonly Owned[], { what, names: asked, shared, take, which }: Step): void {
    const claims = asked.map((text) => {
      const there = slots[text];
      const mode = shared ? ("shared" as const) : ("exclusive" as const);
      if (there === undefined) return { name: name(text), mode };
      return { name: name(text), mode: "semaphore" as const, slots: there, take: Math.min(take, there) };
    });
    const hands = own.filter((_, at) => ((which >> (at % 3)) & 1) === 1).map(({ token }) => token);
    const under = what === "ask" ? undefined : hands;
    const inTheWay = own.filter((grant) =>
      grant.claims.some((held) =>
        claims.some(({ name: of, mode }) => of === held.name && !(mode === "shared" && held.mode === "shared")),
      ),
    );
    const wanted: Wanted = {
      session: client.session,
      claims,
      convertOf: undefined,
      under,
      beside: under === undefined ? inTheWay.map(({ origin }) => origin) : undefined,
      knownUpTo: Number.POSITIVE_INFINITY,
    };
    // Who has others run under it does not wait: what it were granted later, those would have in their hands too.
    const waitMs = client === this.clients[0] || client === this.clients[2] ? { waitMs: 0 } : {};
    const request = client.acquire(claims, { ...waitMs, ...(under === undefined ? {} : { under: under as never }) });
    const letter = request.letters.at(0);
    if (letter?.kind === "refused" && letter.refusal.refused === "LOCK_HELD") return;
    const isStuck = letter?.kind !== "granted" && this.stuckWith(wanted).length > 0;
    assert.equal(letter?.kind === "refused" ? letter.refusal.refused : "none", isStuck ? "DEADLOCK" : "none");
    if (isStuck) this.deadlocks++;
    else this.waits.push({ client, asked: request, wanted });
  }

  /** What was granted meanwhile is held. */
  settle(): void {
    for (const { client, asked, wanted } of this.waits.filter((wait) => !wait.asked.open)) {
      const { token } = asked.grant;
      this.owned.push({ client, token, origin: token, session: client.session, claims: wanted.claims.map(plain) });
    }
    this.waits = this.waits.filter((wait) => wait.asked.open);
  }

  stuckWith(newcomer: Wanted): Wanted[] {
    const wanted = [...this.waits.map((wait) => wait.wanted), newcomer];
    const outers = new Map([
      [this.clients[2]?.session, this.clients[0]?.session],
      [this.clients[3]?.session, this.clients[2]?.session],
    ]);
    const affairs: Affairs = {
      owned: this.owned,
      wanted,
      slots: (of) => slots[of] ?? 0,
      outerOf: (session) => outers.get(session as never),
    };
    return stuckIn(affairs);
  }
}

function plain(claim: Wanted["claims"][number]): Owned["claims"][number] {
  return claimOf({ lock: { name: claim.name } as never, mode: claim.mode, take: claim.take ?? 1 });
}

test("a request is refused for a circle exactly when somebody would wait for ever, whoever has which slots", () => {
  let deadlocks = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 60 }), (steps) => {
      const world = new World();
      for (const one of steps) world.tell(one);
      deadlocks += world.deadlocks;
    }),
    { numRuns: 100, seed: 7 },
  );
  assert.ok(deadlocks > 20, `${deadlocks}`);
});

test("a circle through slots is found among many waits of one session, and the shortest is told", () => {
  const broker = new TestBroker();
  const [anna, bert, carl] = [broker.client("anna"), broker.client("bert"), broker.client("carl")];
  const size = 60;
  for (let i = 0; i < size; i++) {
    carl.hold(`s${i}`, { mode: "semaphore", slots: 4, take: 3 });
    anna.hold(`s${i}`, { mode: "semaphore", take: 1 });
  }
  bert.hold("b");
  for (let i = 0; i < size; i++) assert.ok(anna.acquire(`s${i}`, { mode: "semaphore", take: 2 }).open);
  assert.ok(anna.acquire("b").open);
  // Carl may give back enough.
  assert.ok(bert.acquire("s0", { mode: "semaphore", take: 1 }).open);
  const { refusal } = carl.acquire("b");
  assert.equal(refusal.code, "DEADLOCK");
  assert.equal((refusal.details["cycle"] as unknown[]).length, 2);
});
