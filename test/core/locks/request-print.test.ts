/** One key, one request: another one under a key that is known to be used is refused, and nothing is done. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Fence } from "../../../src/core/index.js";
import { cast, reborn } from "../support/cast.js";
import type { Asked, TestClient } from "../support/test-client.js";
import { tokenOf } from "../support/values.js";

type Ask = (client: TestClient, held: Fence, key: number) => Asked;

/** One of each method, on the name `x` and what is held of it. */
const methods: { readonly [method: string]: Ask } = {
  acquire: (client, _held, key) => client.acquire("x", { key, waitMs: 0 }),
  upgrade: (client, held, key) => client.upgrade(held, { key }),
  downgrade: (client, held, key) => client.downgrade(held, { key }),
  cancel: (client, _held, key) => client.cancelAcquire(9, { key }),
  release: (client, held, key) => client.release(held, { key }),
  break: (client, _held, key) => client.break("x", { key }),
  transfer: (client, _held, key) => client.transfer("x", client, { key }),
  resize: (client, _held, key) => client.resize("x", 2, { key }),
};

function whatIs({ answer }: Asked): string {
  return answer.kind === "refused" ? answer.refusal.refused : answer.kind;
}

function refusedAs(asked: Asked): string {
  return asked.refusal.code;
}

test("under the key of a lock request that is done another method is refused, and the same is answered as before", () => {
  for (const [first, ask] of Object.entries(methods)) {
    const { anna } = cast();
    const held = anna.hold("x", { mode: "shared", key: 1 });
    const said = whatIs(ask(anna, held, 50));
    for (const [other, askOther] of Object.entries(methods)) {
      const again = whatIs(askOther(anna, held, 50));
      assert.equal(again, other === first ? said : "KEY_REUSED", `${other} after ${first}`);
    }
  }
});

test("under the key of a grant, of what waits, and of a break in its grace, another method is refused", () => {
  for (const [other, ask] of Object.entries(methods)) {
    const { anna, bert } = cast();
    const held = anna.hold("x", { mode: "shared", key: 1 });
    bert.hold("x", { mode: "shared" });
    const waiting = anna.acquire("x", { key: 2 });
    const graced = anna.break("x", { key: 3, graceMs: 1000 });
    const upgrade = anna.upgrade(held, { key: 4 });
    const expected = (own: string) => (other === own ? undefined : "KEY_REUSED");
    if (expected("acquire"))
      assert.deepEqual([refusedAs(ask(anna, held, 1)), refusedAs(ask(anna, held, 2))], ["KEY_REUSED", "KEY_REUSED"]);
    if (expected("break")) assert.equal(refusedAs(ask(anna, held, 3)), "KEY_REUSED", other);
    if (expected("upgrade")) assert.equal(refusedAs(ask(anna, held, 4)), "KEY_REUSED", other);
    assert.deepEqual([waiting.open, graced.open, upgrade.open], [true, true, true], other);
    assert.equal(anna.list({ name: "x" })[0]?.holders.length, 2);
  }
});

test("the same method for another lock, token, number or session is another request", () => {
  const { anna, bert, carl } = cast();
  const x = anna.hold("x");
  const y = anna.hold("y");
  assert.equal(anna.release(x, { key: 50 }).answer.kind, "released");
  assert.equal(refusedAs(anna.release(y, { key: 50 })), "KEY_REUSED");
  assert.equal(refusedAs(anna.release({ ...x, token: tokenOf(x.token + 1) }, { key: 50 })), "KEY_REUSED");
  assert.equal(anna.cancelAcquire(9, { key: 51 }).answer.kind, "acquire-cancelled");
  assert.equal(refusedAs(anna.cancelAcquire(8, { key: 51 })), "KEY_REUSED");
  anna.resize("slots", 3, { key: 52 });
  assert.equal(refusedAs(anna.resize("slots", 4, { key: 52 })), "KEY_REUSED");
  assert.equal(refusedAs(anna.transfer("y", bert, { key: 53 })), "NOT_WAITING");
  assert.equal(refusedAs(anna.transfer("y", carl, { key: 53 })), "KEY_REUSED");
  assert.equal(anna.break("none", { key: 54 }).answer.kind, "broken");
  assert.equal(refusedAs(anna.break("y", { key: 54 })), "KEY_REUSED");
  assert.equal(refusedAs(anna.acquire("y", { key: 55, waitMs: 0 })), "LOCK_HELD");
  assert.equal(refusedAs(anna.acquire("z", { key: 55, waitMs: 0 })), "KEY_REUSED");
  assert.equal(anna.list({ name: "y" })[0]?.holders[0]?.token, y.token);
});

test("what may be said differently when a request is sent again does not make it another", () => {
  const { anna, bert } = cast();
  bert.hold("x");
  const waiting = anna.acquire("x", { key: 2, reason: "first" });
  anna.disconnect();
  anna.resume({ pending: [2] });
  const again = anna.acquire("x", { key: 2, waitMs: 500, reason: "second" });
  assert.deepEqual([waiting.open, again.open], [true, true]);
});

test("after a restart of the broker a grant is answered under its key, and another request there is refused", () => {
  const { broker, anna, bert } = cast();
  const held = anna.hold("x", { key: 1 });
  const waiting = bert.acquire("x", { key: 7 });
  reborn(broker, anna, bert);
  anna.resume({ grants: [held], pending: [1] });
  bert.resume({ pending: [7] });
  assert.equal(anna.acquire("x", { key: 1 }).grant.token, held.token);
  assert.equal(refusedAs(anna.acquire("y", { key: 1 })), "KEY_REUSED");
  assert.equal(refusedAs(anna.release(held, { key: 1 })), "KEY_REUSED");
  assert.equal(refusedAs(bert.break("x", { key: 7 })), "KEY_REUSED");
  assert.ok(waiting.open);
  assert.ok(bert.acquire("x", { key: 7 }).open);
});

test("a key of before what was acknowledged is not executed by any lock method", () => {
  for (const [method, ask] of Object.entries(methods)) {
    const { anna } = cast();
    const held = anna.hold("x", { key: 30 });
    anna.ack(20);
    assert.equal(refusedAs(ask(anna, held, 10)), "RETRY_TOO_OLD", method);
    assert.equal(anna.list({ name: "x" })[0]?.holders[0]?.token, held.token);
  }
});

test("a refused write and a lock request that is done do not answer for each other", () => {
  const { broker, anna } = cast();
  anna.write("w", { key: 5, fails: true });
  broker.settle();
  assert.equal(refusedAs(anna.acquire("x", { key: 5 })), "KEY_REUSED");
  anna.release(anna.hold("y"), { key: 60 });
  assert.equal(refusedAs(anna.write("w", { key: 60 })), "KEY_REUSED");
  anna.begin();
  assert.equal(refusedAs(anna.commit({ key: 60 })), "KEY_REUSED");
});
