/** Every work of every contestant. */
import { echo } from "../floor/echo-work.js";
import { grouped, sqlite } from "../floor/sqlite-work.js";
import { flockLocker, properLockfileLocker } from "../peers/file-locks.js";
import { liveMutexLocker } from "../peers/live-mutex-locks.js";
import { postgres, postgresLocker } from "../peers/postgres-work.js";
import { redis, redisLocker, redlockLocker } from "../peers/redis-work.js";
import { Baton } from "./baton.js";
import { broker, brokerLocker } from "./broker-work.js";
import { type Connection, number, type OpenLocker, type Workloads } from "./connection.js";
import type { Contestant, Order } from "./order.js";

export type { Connection } from "./connection.js";

const works: { readonly [Who in Contestant]?: Workloads } = { broker, echo, sqlite, grouped, postgres, redis };

const lockers: { readonly [Who in Contestant]?: OpenLocker } = {
  broker: brokerLocker,
  "live-mutex": liveMutexLocker,
  redis: redisLocker,
  redlock: redlockLocker,
  postgres: postgresLocker,
  "proper-lockfile": properLockfileLocker,
  flock: flockLocker,
};

export async function openConnection(order: Order, connection: number): Promise<Connection> {
  const workload = works[order.who]?.[order.work];
  if (workload !== undefined) return workload(order, connection);
  const open = openLocker(order.who);
  if (order.work === "pairs") return pairs(open, order, connection);
  if (order.work === "handover") return handover(open, order, connection);
  throw new Error(`${order.who} has no such work as ${order.work}`);
}

export function openLocker(who: Contestant): OpenLocker {
  const open = lockers[who];
  if (open === undefined) throw new Error(`${who} has no locks`);
  return open;
}

async function pairs(open: OpenLocker, order: Order, connection: number): Promise<Connection> {
  const locker = await open(order, connection);
  const name = `pairs-${number(order, connection)}`;
  const step = async () => {
    const unlock = await locker.lock(name);
    await unlock();
  };
  return { step, close: () => locker.close() };
}

async function handover(open: OpenLocker, order: Order, connection: number): Promise<Connection> {
  const locker = await open(order, connection);
  const baton = new Baton(order.places.filesDir, number(order, connection));
  let waitedUs = 0;
  const step = async () => {
    const begun = performance.now();
    const unlock = await locker.lock("handover");
    waitedUs = (performance.now() - begun) * 1000;
    baton.take();
    await unlock();
  };
  const close = async () => {
    baton.close();
    await locker.close();
  };
  return { step, close, waitedUs: () => waitedUs, changes: () => baton.changes };
}
