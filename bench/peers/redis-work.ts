/** Redis through `ioredis`: the recipe of its documentation for one instance, `redlock` on the same instance, and GET. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { keysOf, mustBe, type OpenLocker, type Workloads } from "../crew/connection.js";
import { load } from "./packages.js";

export interface RedisClient {
  set(key: string, value: string, ...options: (string | number)[]): Promise<"OK" | null>;
  mset(pairs: { readonly [key: string]: string }): Promise<"OK">;
  get(key: string): Promise<string | null>;
  script(what: "LOAD", text: string): Promise<string>;
  evalsha(hash: string, keys: number, key: string, value: string): Promise<number>;
  quit(): Promise<unknown>;
}

interface Package {
  readonly Redis: new (options: { path: string }) => RedisClient;
}

interface RedlockPackage {
  new (
    clients: readonly RedisClient[],
    options: { retryCount: number; retryDelay: number; retryJitter: number },
  ): { lock(name: string, leaseMs: number): Promise<{ unlock(): Promise<void> }> };
}

const leaseMs = 30_000;
/** Nobody is told when a lock comes free, so it is asked for again and again; as often as a timer of Node can. */
const askAgainMs = 1;

const release = `if redis.call("get", KEYS[1]) == ARGV[1] then return redis.call("del", KEYS[1]) else return 0 end`;

export function openRedis(path: string): RedisClient {
  const { Redis } = load<Package>("ioredis");
  return new Redis({ path });
}

export const redisLocker: OpenLocker = async ({ places }) => {
  const client = openRedis(places.redisSocket);
  const hash = await client.script("LOAD", release);
  const lock = async (name: string) => {
    const token = randomUUID();
    while ((await client.set(name, token, "PX", leaseMs, "NX")) === null) await sleep(askAgainMs);
    return async () => {
      if ((await client.evalsha(hash, 1, name, token)) !== 1) throw new Error("the lock was lost");
    };
  };
  return { lock, close: () => void client.quit() };
};

export const redlockLocker: OpenLocker = async ({ places }) => {
  const client = openRedis(places.redisSocket);
  const Redlock = load<RedlockPackage>("redlock");
  const redlock = new Redlock([client], { retryCount: -1, retryDelay: askAgainMs, retryJitter: askAgainMs });
  const lock = async (name: string) => {
    const held = await redlock.lock(name, leaseMs);
    return async () => {
      await held.unlock();
    };
  };
  return { lock, close: () => void client.quit() };
};

export const redis: Workloads = {
  read: async (order, connection) => {
    const client = openRedis(order.places.redisSocket);
    const keys = keysOf(order, connection);
    const step = async () => mustBe((await client.get(`stock:${keys.next().value}`)) !== null);
    return { step, close: () => void client.quit() };
  },
};
