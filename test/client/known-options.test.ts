/** A word written wrong among the options is told before anything is asked of the broker, wherever there are options. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { type Broker, connect, type LockHandle, type Transaction } from "../../src/client/index.js";
import { ephemeralBroker } from "../../src/client/testing.js";
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
  describe: [(broker, _, wrong) => broker.describe("select 1", wrong), /timeoutMs, signal$/],
  transaction: [(broker, _, wrong) => broker.transaction(() => 1, wrong), /mode, fence, .*retries$/],
  begin: [(broker, _, wrong) => broker.begin(wrong), /mode, fence, timeoutMs, signal$/],
  "transaction of a lock": [(_, lock, wrong) => lock.transaction(() => 1, wrong), /mode, fence, .*retries$/],
  "execute of a lock": [(_, lock, wrong) => lock.execute("select 1", [], wrong), /timeoutMs, .*fence/],
  upgrade: [(_, lock, wrong) => lock.upgrade(wrong), /waitMs, signal$/],
  confirm: [(_, lock, wrong) => lock.confirm(wrong), /signal$/],
  transfer: [(_, lock, wrong) => lock.transfer("0".repeat(32), wrong), /reason$/],
  "locks.request": [
    (broker, _, wrong) => broker.locks.request("b", wrong, () => 1),
    /mode, ifAvailable, steal, signal$/,
  ],
  "locks.list": [(broker, _, wrong) => broker.locks.list(wrong), /name, prefix, .*waiters$/],
  "locks.history": [(broker, _, wrong) => broker.locks.history("b", wrong), /max$/],
  "locks.break": [(broker, _, wrong) => broker.locks.break("b", wrong), /token, graceMs, reason$/],
  "locks.transfer": [(broker, _, wrong) => broker.locks.transfer("b", "0".repeat(32), wrong), /token, reason$/],
  "what locks.watch watches": [(broker, _, wrong) => broker.locks.watch(wrong), /name, prefix$/],
  "locks.watch": [(broker, _, wrong) => broker.locks.watch("b", wrong), /signal$/],
  "elections.campaign": [(broker, _, wrong) => broker.elections.campaign("b", wrong), /value, signal, .*guard$/],
  "elections.observe": [(broker, _, wrong) => broker.elections.observe("b", wrong), /signal$/],
  ephemeralBroker: [(_, __, wrong) => ephemeralBroker(wrong), /limits, timeoutMs, entry$/],
};

for (const [what, [call, named]] of Object.entries(calls))
  it(`${what}: an option that there is not is refused, with those that there are`, async (test) => {
    const { broker, fake } = await pair(test);
    const lock = await broker.acquire("a", { mode: "shared" });
    await isRefused(what.replace(" of a lock", ""), named, () => call(broker, lock, wrong));
    await broker.ping();
    assert.deepEqual(
      fake.asked.map(({ method }) => method),
      ["lock.acquire", "session.ping"],
    );
  });

type Elements = (broker: Broker, transaction: Transaction, wrong: object) => unknown;

const elements: { readonly [what: string]: readonly [Elements, known: string] } = {
  "a statement of a batch": [
    (broker, _, wrong) => broker.batch(["select 1", { sql: "select ?", ...wrong }]),
    "sql, args, named, if",
  ],
  "a statement of a batch of a transaction": [
    (_, transaction, wrong) => transaction.batch([{ sql: "select ?", ...wrong }]),
    "sql, args, named, if",
  ],
  "a further name of a request": [
    (broker, _, wrong) => broker.acquire("b", { also: ["c", { name: "d", ...wrong }] }),
    "name, mode, slots, take",
  ],
  "a migration": [(broker, _, wrong) => broker.migrate([{ name: "m", sql: "select 1", ...wrong }]), "name, sql"],
  "session of connect": [
    (_, __, wrong) => connect({ start: false, session: { secret: "A".repeat(43), ...wrong } }),
    "secret, resume, boundTo",
  ],
  "broker of connect": [(_, __, wrong) => connect({ start: false, broker: { ...wrong } }), "args, entry"],
};

for (const [what, [call, known]] of Object.entries(elements))
  it(`${what}: a field that there is not is refused, with those that there are`, async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("tx.begin", () => ({}));
    fake.on("tx.rollback", () => ({}));
    const transaction = await broker.begin();
    const named = new RegExp(`; it has ${known}$`);
    await isRefused(what.replace(" of a transaction", ""), named, () => call(broker, transaction, wrong));
    await transaction.rollback();
    assert.deepEqual(
      fake.asked.map(({ method }) => method),
      ["tx.begin", "tx.rollback"],
    );
  });

type Step = (transaction: Transaction, wrong: never) => unknown;

const steps: { readonly [what: string]: readonly [Step, named: RegExp] } = {
  execute: [(tx, wrong) => tx.execute("select 1", [], wrong), /timeoutMs, signal, named, rows$/],
  query: [(tx, wrong) => tx.query("select 1", [], wrong), /timeoutMs, signal, named$/],
  get: [(tx, wrong) => tx.get("select 1", [], wrong), /timeoutMs, signal, named$/],
  stream: [(tx, wrong) => tx.stream("select 1", [], wrong), /credit, rows$/],
  batch: [(tx, wrong) => tx.batch(["select 1"], wrong), /timeoutMs, signal, atomic, rows$/],
  commit: [(tx, wrong) => tx.commit(wrong), /key, keepMs, release$/],
};

for (const [what, [call, named]] of Object.entries(steps))
  it(`${what} of a transaction: an option that there is not is refused, and the transaction goes on`, async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("tx.begin", () => ({}));
    fake.on("tx.commit", () => ({ seq: 1 }));
    const transaction = await broker.begin();
    await isRefused(what, named, () => call(transaction, wrong));
    assert.deepEqual(await transaction.commit({}), { seq: 1 });
    assert.deepEqual(
      fake.asked.map(({ method }) => method),
      ["tx.begin", "tx.commit"],
    );
  });

const wrong = { fences: 5 } as never;

async function isRefused(what: string, named: RegExp, call: () => unknown): Promise<void> {
  const { code, message, details } = await rejection((async () => call())());
  assert.equal(code, "MISUSE");
  assert.ok(message.startsWith(`${what} has no option "fences"; it has `), message);
  assert.match(message, named);
  assert.deepEqual(details, { option: "fences" });
}
