/**
 * The things a crew member can do over and over. Each workload opens its connections and gives back one function per
 * connection; calling it does one operation and resolves when that is answered.
 */
import { connect as connectSocket } from "node:net";
import type { Broker } from "../../src/client/index.js";
import { connect } from "../../src/client/index.js";
import { openDirect } from "../floor/direct.js";
import { EchoClient } from "../floor/echo-client.js";
import type { Order, WorkloadName } from "./order.js";

export interface Connection {
  /** One operation. */
  readonly step: () => Promise<void> | void;
  readonly close: () => Promise<void> | void;
}

type Workload = (order: Order, connection: number) => Promise<Connection>;

async function broker(order: Order): Promise<Broker> {
  return connect({ dir: order.dir, start: false, program: `bench-${order.member}` });
}

const rowsRead = 10_000;
const note = "a row of about the size that small programs write";

export const workloads: { readonly [Name in WorkloadName]: Workload } = {
  "broker-write": async (order, connection) => {
    const one = await broker(order);
    let n = 0;
    const step = async () => {
      await one.execute("insert into written (member, n, note) values (?, ?, ?)", [
        order.member * 1000 + connection,
        n++,
        note,
      ]);
    };
    return { step, close: () => one.close() };
  },
  "broker-read": async (order, connection) => {
    const one = await broker(order);
    let n = connection * 7919;
    const step = async () => {
      const row = await one.get("select id, note from stock where id = ?", [n++ % rowsRead]);
      if (row === undefined) throw new Error("a row that must be there is not");
    };
    return { step, close: () => one.close() };
  },
  "broker-pairs": async (order, connection) => {
    const one = await broker(order);
    const name = `pairs/${order.member}/${connection}`;
    const step = async () => {
      const lock = await one.acquire(name);
      await lock.release();
    };
    return { step, close: () => one.close() };
  },
  "broker-handover": async (order) => {
    const one = await broker(order);
    const step = async () => {
      const lock = await one.acquire("handover");
      await lock.release();
    };
    return { step, close: () => one.close() };
  },
  echo: (order) => echo(order, 1),
  "echo-pairs": (order) => echo(order, 2),
  "echo-handover": (order) => echo(order, 2),
  "sqlite-write": async (order, connection) => {
    const direct = openDirect(order.database);
    const insert = direct.prepare("insert into written (member, n, note) values (?, ?, ?)");
    let n = 0;
    const step = () => {
      insert.run(order.member * 1000 + connection, n++, note);
    };
    return { step, close: () => void direct.close() };
  },
  "sqlite-read": async (order, connection) => {
    const direct = openDirect(order.database);
    const select = direct.prepare("select id, note from stock where id = ?");
    let n = connection * 7919;
    const step = () => {
      if (select.get(n++ % rowsRead) === undefined) throw new Error("a row that must be there is not");
    };
    return { step, close: () => void direct.close() };
  },
};

/** `messages` round trips count as one operation. */
async function echo(order: Order, messages: number): Promise<Connection> {
  const client = await EchoClient.open(() => connectSocket(order.echoSocket));
  const bytes = Buffer.alloc(order.echoBytes, "x");
  const step = async () => {
    for (let i = 0; i < messages; i++) await client.echo(bytes);
  };
  return { step, close: () => client.close() };
}
