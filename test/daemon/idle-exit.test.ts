import assert from "node:assert/strict";
import { test } from "node:test";
import { IdleExit } from "../../src/daemon/idle-exit.js";

function world() {
  const happened: string[] = [];
  const state = { idleMs: 0, accepted: 5, duringLinger: () => {} };
  const idle = new IdleExit({
    idleExitMs: 1000,
    idleMs: () => state.idleMs,
    accepted: () => state.accepted,
    withdraw: () => happened.push("withdraw"),
    restore: () => happened.push("restore"),
    linger: async (ms) => {
      happened.push(`linger ${ms}`);
      state.duringLinger();
    },
    leave: () => happened.push("leave"),
  });
  return { happened, state, idle };
}

test("nothing happens before the time is over", async () => {
  const { happened, state, idle } = world();
  state.idleMs = 999;
  await idle.look();
  assert.deepEqual(happened, []);
  assert.equal(idle.withdrawn, false);
});

test("the name goes first, then the broker lingers, then it leaves, once", async () => {
  const { happened, state, idle } = world();
  state.idleMs = 1000;
  await Promise.all([idle.look(), idle.look()]);
  await idle.look();
  assert.deepEqual(happened, ["withdraw", "linger 100", "leave"]);
  assert.equal(idle.withdrawn, true);
});

for (const [what, come] of [
  [
    "comes and stays",
    (state: { idleMs: number; accepted: number }) => Object.assign(state, { accepted: 6, idleMs: 0 }),
  ],
  ["comes and goes", (state: { accepted: number }) => Object.assign(state, { accepted: 6 })],
] as const) {
  test(`a client that ${what} while the broker lingers makes it stay, and it can leave another time`, async () => {
    const { happened, state, idle } = world();
    state.idleMs = 1000;
    state.duringLinger = () => come(state);
    await idle.look();
    assert.deepEqual(happened, ["withdraw", "linger 100", "restore"]);
    assert.equal(idle.withdrawn, false);
    state.idleMs = 1000;
    state.duringLinger = () => {};
    await idle.look();
    assert.equal(happened.at(-1), "leave");
  });
}
