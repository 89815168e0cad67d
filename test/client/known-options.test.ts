/** A word written wrong among the options is told before anything is asked of the broker, wherever there are options. */
import assert from "node:assert/strict";
import { it } from "node:test";
import type { Broker, LockHandle } from "../../src/client/index.js";
import { pair, rejection } from "./support/pair.js";

type Call = (broker: Broker, lock: LockHandle, wrong: never) => unknown;

const calls: { readonly [what: string]: readonly [Call, named: RegExp] } = {
  execute: [(broker, _, wrong) => broker.execute("select 1", [], wrong), /timeoutMs, .*fence/],
  query: [(broker, _, wrong) => broker.query("select 1", [], wrong), /timeoutMs, signal, named$/],
  get: [(broker, _, wrong) => broker.get("select 1", [], wrong), /timeoutMs, signal, named$/],
  stream: [(broker, _, wrong) => broker.stream("select 1", [], wrong), /credit, rows$/],
  batch: [(broker, _, wrong) => broker.batch(["select 1"], wrong), /fence, .*atomic/],
  script: [(broker, _, wrong) => broker.script("select 1", wrong), /fence, .*atomic/],
  watch: [(broker, _, wrong) => broker.watch("t", wrong), /keys, after, signal$/],
  upgrade: [(_, lock, wrong) => lock.upgrade(wrong), /waitMs, signal$/],
  transfer: [(_, lock, wrong) => lock.transfer("0".repeat(32), wrong), /reason$/],
  "locks.request": [
    (broker, _, wrong) => broker.locks.request("b", wrong, () => 1),
    /mode, ifAvailable, steal, signal$/,
  ],
  "locks.list": [(broker, _, wrong) => broker.locks.list(wrong), /name, prefix, .*waiters$/],
  "locks.break": [(broker, _, wrong) => broker.locks.break("b", wrong), /token, graceMs, reason$/],
  "locks.transfer": [(broker, _, wrong) => broker.locks.transfer("b", "0".repeat(32), wrong), /token, reason$/],
  "what locks.watch watches": [(broker, _, wrong) => broker.locks.watch(wrong), /name, prefix$/],
  "locks.watch": [(broker, _, wrong) => broker.locks.watch("b", wrong), /signal$/],
};

for (const [what, [call, named]] of Object.entries(calls))
  it(`${what}: an option that there is not is refused, with those that there are`, async (test) => {
    const { broker, fake } = await pair(test);
    const lock = await broker.acquire("a", { mode: "shared" });
    const { code, message, details } = await rejection((async () => call(broker, lock, { fences: lock } as never))());
    assert.equal(code, "MISUSE");
    assert.ok(message.startsWith(`${what} has no option "fences"; it has `), message);
    assert.match(message, named);
    assert.deepEqual(details, { option: "fences" });
    await broker.ping();
    assert.deepEqual(
      fake.asked.map(({ method }) => method),
      ["lock.acquire", "session.ping"],
    );
  });

it("a commit with an option that there is not is refused, and the transaction goes on", async (test) => {
  const { broker, fake } = await pair(test);
  fake.on("tx.begin", () => ({}));
  fake.on("tx.commit", () => ({ seq: 1 }));
  const transaction = await broker.begin();
  const { code, message } = await rejection(transaction.commit({ keep: 5 } as never));
  assert.equal(code, "MISUSE");
  assert.match(message, /commit has no option "keep"; it has key, keepMs, release/);
  assert.deepEqual(await transaction.commit({}), { seq: 1 });
});
