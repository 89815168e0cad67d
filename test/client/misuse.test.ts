/**
 * What a program without types can hand in wrongly. It is told at once by a refusal that says what belongs there, nothing
 * is asked of the broker, and what others have of the library is not touched.
 */
import assert from "node:assert/strict";
import { it } from "node:test";
import type { Broker, LockHandle, Transaction } from "../../src/client/index.js";
import { pair, rejection } from "./support/pair.js";

type Call = (broker: Broker, lock: LockHandle) => unknown;

/** A program without types. */
const wrong = (value: unknown) => value as never;
const work = () => 1;

const calls: { readonly [what: string]: readonly [Call, message: RegExp] } = {
  // A number is what the library counts its own keys by: one of the program's would be taken for one of those.
  "execute with a number as key": [
    (broker) => broker.execute("select 1", [], wrong({ key: 7 })),
    /^key must be a text.*not 7/,
  ],
  "execute with null as key": [
    (broker) => broker.execute("select 1", [], wrong({ key: null })),
    /^key must be a text.*not null/,
  ],
  "batch with a number as key": [(broker) => broker.batch(["select 1"], wrong({ key: 7 })), /^key must be a text/],
  "script with a number as key": [(broker) => broker.script("select 1", wrong({ key: 7 })), /^key must be a text/],
  "a lock's execute with a number as key": [
    (_, lock) => lock.execute("select 1", [], wrong({ key: 7 })),
    /^key must be a text/,
  ],
  "execute with keepMs and no key": [
    (broker) => broker.execute("select 1", [], { keepMs: 1000 }),
    /^keepMs goes with a key of your own/,
  ],
  "a lock's batch with keepMs and no key": [
    (_, lock) => lock.batch(["select 1"], { keepMs: 1000 }),
    /^keepMs goes with a key of your own/,
  ],
  "withLock with its options last": [
    (broker) => broker.withLock("b", wrong(work), wrong({ waitMs: 0 })),
    /^withLock\(name, options, work\) takes its options before the function/,
  ],
  "locks.request with its options last": [
    (broker) => broker.locks.request("b", wrong(work), wrong({ mode: "shared" })),
    /^locks\.request\(name, options, work\) takes its options before the function/,
  ],
  "withLock with two functions": [
    (broker) => broker.withLock("b", wrong(work), work),
    /^withLock\(name, options, work\) takes its options before the function/,
  ],
  "withLock without a function": [
    (broker) => broker.withLock("b", wrong({ waitMs: 0 })),
    /^withLock\(name, options, work\) needs a function/,
  ],
  "transaction without work": [
    (broker) => broker.transaction(wrong(undefined)),
    /^transaction\(work, options\) needs a function/,
  ],
  "transaction with its options first": [
    (broker) => broker.transaction(wrong({ mode: "read" }), wrong(work)),
    /^transaction\(work, options\) needs a function/,
  ],
  "transaction of a lock without work": [
    (_, lock) => lock.transaction(wrong(undefined)),
    /^transaction\(work, options\)/,
  ],
  "batch of a text": [(broker) => broker.batch(wrong("select 1")), /^a batch is an array of statements/],
  "batch of a number": [(broker) => broker.batch(wrong([7])), /^statement 0 of a batch is a text, .*not 7/],
  "batch of null": [
    (broker) => broker.batch(wrong(["select 1", null])),
    /^statement 1 of a batch is a text, .*not null/,
  ],
  "watch of a number": [(broker) => broker.watch(wrong(5)), /^watch needs the name of a table/],
  "a signal that is none": [
    (broker) => broker.query("select 1", [], wrong({ signal: {} })),
    /^signal must be an AbortSignal/,
  ],
  "a signal of null": [(broker) => broker.acquire("a", wrong({ signal: null })), /^signal must be an AbortSignal/],
  "options that are a text": [
    (broker) => broker.query("select 1", [], wrong("all")),
    /^query takes an object, not "all"/,
  ],
  "options of null": [(_, lock) => lock.execute("select 1", [], wrong(null)), /^execute takes an object, not null/],
  "migrate of an object": [(broker) => broker.migrate(wrong({})), /^migrate takes an array of \{ name, sql \}/],
  "a migration that is a text": [
    (broker) => broker.migrate(wrong(["create table t(a)"])),
    /^a migration takes an object/,
  ],
  "watch of nothing": [(broker) => broker.watch(wrong(undefined)), /^watch needs the name of a table/],
  "on for an event that there is not": [
    (broker) => broker.on(wrong("disconnect"), wrong(work)),
    /^there is no event "disconnect"; there are reconnected, session-lost, closed/,
  ],
  "on for an event of every object": [
    (broker) => broker.on(wrong("toString"), wrong(work)),
    /^there is no event "toString"/,
  ],
  "on without a listener": [
    (broker) => broker.on("closed", wrong(undefined)),
    /^on\(name, listener\) needs a function/,
  ],
};

for (const [what, [call, message]] of Object.entries(calls))
  it(`${what} is refused before anything is asked`, async (test) => {
    const { broker, fake } = await pair(test);
    // Should it be asked after all.
    for (const method of ["db.execute", "db.batch", "db.script", "tx.begin", "tx.rollback"])
      fake.on(method, () => ({}));
    const lock = await broker.acquire("a");
    await isMisuse(() => call(broker, lock), message);
    await broker.ping();
    assert.deepEqual(
      fake.asked.map(({ method }) => method),
      ["lock.acquire", "session.ping"],
    );
  });

const steps: { readonly [what: string]: readonly [(tx: Transaction) => unknown, message: RegExp] } = {
  "batch of a text": [(tx) => tx.batch(wrong("select 1")), /^a batch is an array of statements/],
  "a commit with keepMs and no key": [(tx) => tx.commit({ keepMs: 1000 }), /^keepMs goes with a key of your own/],
  "a commit with a number as key": [(tx) => tx.commit(wrong({ key: 7 })), /^key must be a text/],
};

for (const [what, [call, message]] of Object.entries(steps))
  it(`${what} is refused, and the transaction can be rolled back`, async (test) => {
    const { broker, fake } = await pair(test);
    for (const method of ["tx.begin", "tx.batch", "tx.commit", "tx.rollback"]) fake.on(method, () => ({}));
    const transaction = await broker.begin();
    await isMisuse(() => call(transaction), message);
    await transaction.rollback();
    assert.deepEqual(
      fake.asked.map(({ method }) => method),
      ["tx.begin", "tx.rollback"],
    );
  });

async function isMisuse(call: () => unknown, message: RegExp): Promise<void> {
  const error = await rejection((async () => call())());
  assert.equal(error.code, "MISUSE", error.message);
  assert.match(error.message, message);
}
