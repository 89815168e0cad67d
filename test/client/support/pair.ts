/** A program and a broker whose every answer the test chooses. Locks are granted at once, unless the test says otherwise. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import {
  type Broker,
  type ConnectOptions,
  connect,
  type HoldfastError,
  isHoldfastError,
} from "../../../src/client/index.js";
import { type Asked, FakeBroker } from "./fake-broker.js";

export interface Pair {
  readonly broker: Broker;
  readonly fake: FakeBroker;
}

export async function pair(test: TestContext, options: ConnectOptions = {}): Promise<Pair> {
  const fake = await FakeBroker.start(test);
  let token = 0;
  fake.on("lock.acquire", (asked) => granted(asked, ++token));
  fake.on("lock.release", () => ({ released: true }));
  fake.on("session.ping", () => ({ now: 0 }));
  const broker = await connect({ socket: fake.path, start: false, env: {}, ...options });
  test.after(() => broker.close());
  return { broker, fake };
}

/** The answer to an acquire. */
export function granted({ params }: Asked, token: number, waiting = 0): object {
  const also = (params["also"] as { name: string }[] | undefined)?.map(({ name }) => name);
  return { name: params["name"], token, key: params["key"], waitedMs: 3, waiting, ...(also && { also }) };
}

export async function rejection(promise: Promise<unknown>): Promise<HoldfastError> {
  const error: unknown = await promise.then(
    () => assert.fail("it did not reject"),
    (reason: unknown) => reason,
  );
  assert.ok(isHoldfastError(error), String(error));
  return error;
}
