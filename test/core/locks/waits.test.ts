/** What waits, as its session knows it; and that a client which asks very often costs no more for what it has asked for. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Deadlines } from "../../../src/core/deadlines.js";
import { Draft } from "../../../src/core/draft.js";
import { LockTable } from "../../../src/core/locks/lock-table.js";
import { Releasing } from "../../../src/core/locks/releasing.js";
import { LockRequest } from "../../../src/core/locks/request.js";
import { Waits, type WaitsParts } from "../../../src/core/locks/waits.js";
import type { Session } from "../../../src/core/sessions/session.js";
import { connectionId, instant, limitsWith, requestKey, type Token } from "../../../src/terms/index.js";
import { cast } from "../support/cast.js";
import { name } from "../support/values.js";

const now = instant(0);

/** Counts how often somebody begins to look at all that is in it. */
class Watched<Key, Value> extends Map<Key, Value> {
  looks = 0;

  override values() {
    this.looks++;
    return super.values();
  }
}

function rig() {
  const [waits, grants] = [new Watched(), new Watched()];
  const parts = { state: { kind: "live" }, waits, grants, asked: undefined, claims: 0 };
  const session = parts as unknown as Session;
  const table = new LockTable(limitsWith());
  const news = { joined: () => undefined, left: () => undefined } as unknown as WaitsParts["news"];
  return {
    waits,
    grants,
    session,
    table,
    all: new Waits({ draft: new Draft(), deadlines: new Deadlines(), table, news }),
  };
}

const connection = connectionId(1);

test("a wait is found by the request that asked for it, without a look at the others", () => {
  const { waits, session, table, all } = rig();
  const asked = [1, 2, 3].map((n) => {
    const [one, terms] = [
      name(`x${n}`),
      { ttlMs: undefined, guarded: false, tell: { place: false, contended: false } },
    ];
    const claims = [{ name: one, mode: "exclusive" }] as const;
    const wish = { session, key: requestKey(n), reason: "", terms, claims, locks: [table.lockOf(one)] };
    const request = new LockRequest(wish, all.nextArrival(), now);
    request.asker = { connection, request: n };
    all.join(request);
    return request;
  });
  assert.equal(all.askedBy(session, { connection, request: 2 }), asked[1]);
  assert.equal(all.askedBy(session, { connection: connectionId(2), request: 2 }), undefined);
  assert.equal(all.askedBy(session, { connection, request: 4 }), undefined);
  assert.equal(waits.looks, 0);
  assert.equal(session.asked?.size, 3);
  for (const request of asked) all.withdraw(request);
  assert.equal(session.asked?.size, 0);
});

test("a client may say hello with as many locks as it likes that it has never had: what it holds is looked at a few times", () => {
  const { grants, session, table, all } = rig();
  const releasing = new Releasing({
    draft: new Draft(),
    table,
    waits: all,
    ends: undefined,
    acquiring: undefined,
  } as never);
  const believed = Array.from({ length: 1000 }, (_, n) => ({ name: name(`x${n}`), token: (n + 1) as Token }));
  assert.deepEqual(releasing.reconcile(session, believed, [], now), believed);
  assert.ok(grants.looks < 5, `looked at ${grants.looks} times`);
});

test("a request that was sent again is cancelled by its new id, and not by the one that it had on another connection", () => {
  const { anna, bert } = cast();
  anna.hold("x");
  const first = bert.acquire("x", { key: 30 });
  bert.disconnect();
  bert.resume({ pending: [30] });
  bert.cancel(first);
  const again = bert.acquire("x", { key: 30 });
  bert.cancel(first);
  assert.ok(again.open);
  bert.cancel(again);
  assert.equal(again.refusal.code, "CANCELLED");
});

test("a request that a session does not know of any more, told on another connection, does not keep back who stands behind it", () => {
  const { anna, bert, carl } = cast();
  anna.hold("x", { mode: "shared" });
  bert.acquire("x", { key: 30 });
  const behind = carl.acquire("x", { mode: "shared" });
  assert.ok(behind.open);
  // Of its old connection nobody knows yet that it is dead.
  bert.resume();
  assert.equal(behind.open, false);
});
