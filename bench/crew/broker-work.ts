/** The broker, through the library that programs use. */
import { type Broker, connect } from "../../src/client/index.js";
import {
  type Connection,
  keysOf,
  mixed,
  mustBe,
  note,
  number,
  type OpenLocker,
  rowsOfRange,
  rowsOfStock,
  statements,
  type Workloads,
} from "./connection.js";
import type { Order } from "./order.js";
import { RawSession } from "./raw-session.js";

function open({ places, member }: Order): Promise<Broker> {
  return connect({ dir: places.dir, start: false, program: `bench-${member}` });
}

export const brokerLocker: OpenLocker = async (order) => {
  const one = await open(order);
  const lock = async (name: string) => {
    const handle = await one.acquire(name);
    return () => handle.release();
  };
  return { lock, close: () => one.close() };
};

type Writer = Pick<Broker, "execute">;

function writes(one: Writer, order: Order, connection: number): () => Promise<void> {
  let n = 0;
  return async () => {
    await one.execute(statements.write, [number(order, connection), n++, note]);
  };
}

function reads(one: Broker, order: Order, connection: number): () => Promise<void> {
  const keys = keysOf(order, connection);
  return async () => mustBe((await one.get(statements.read, [keys.next().value])) !== undefined);
}

function ranges(one: Broker, order: Order, connection: number): () => Promise<void> {
  const keys = keysOf(order, connection, rowsOfStock - rowsOfRange);
  return async () => {
    const from = keys.next().value;
    mustBe((await one.query(statements.range, [from, from + rowsOfRange])).length === rowsOfRange);
  };
}

/** All connections of a process are one: it asks for as much at once as there are. */
let shared: { readonly one: Promise<Broker>; users: number } | undefined;

async function flood(
  order: Order,
  connection: number,
  make: (one: Broker, order: Order, connection: number) => () => Promise<void>,
): Promise<Connection> {
  shared ??= { one: open(order), users: 0 };
  const mine = shared;
  mine.users++;
  const one = await mine.one;
  const close = async () => {
    if (--mine.users > 0) return;
    shared = undefined;
    await one.close();
  };
  return { step: make(one, order, connection), close };
}

/** The library gives every write a key. */
async function rawWrites(order: Order, connection: number, keyed: boolean): Promise<Connection> {
  const session = await RawSession.open(order.places.brokerSocket);
  let n = 0;
  const step = async () => {
    const args = [number(order, connection), n++, note];
    const params = { sql: statements.write, args };
    await session.request("db.execute", keyed ? { ...params, key: n, ack: n } : params);
  };
  return { step, close: () => session.close() };
}

export const broker: Workloads = {
  write: async (order, connection) => {
    const one = await open(order);
    return { step: writes(one, order, connection), close: () => one.close() };
  },
  "fenced-write": async (order, connection) => {
    const one = await open(order);
    const lock = await one.acquire(`fenced/${number(order, connection)}`);
    return { step: writes(lock, order, connection), close: () => one.close() };
  },
  "keyed-write": (order, connection) => rawWrites(order, connection, true),
  "keyless-write": (order, connection) => rawWrites(order, connection, false),
  read: async (order, connection) => {
    const one = await open(order);
    return { step: reads(one, order, connection), close: () => one.close() };
  },
  rows: async (order, connection) => {
    const one = await open(order);
    return { step: ranges(one, order, connection), close: () => one.close() };
  },
  mixed: async (order, connection) => {
    const one = await open(order);
    return { step: mixed(reads(one, order, connection), writes(one, order, connection)), close: () => one.close() };
  },
  "write-flood": (order, connection) => flood(order, connection, writes),
  "read-flood": (order, connection) => flood(order, connection, reads),
};
