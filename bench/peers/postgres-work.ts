/** PostgreSQL through `pg`, over its Unix socket, with statements that are prepared once. */
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
  type Workload,
  type Workloads,
} from "../crew/connection.js";
import type { Order } from "../crew/order.js";
import { load } from "./packages.js";
import { postgresUser } from "./postgres-server.js";

interface Prepared {
  readonly name: string;
  readonly text: string;
  readonly values: readonly (number | string)[];
}

export interface PostgresClient {
  connect(): Promise<void>;
  query(statement: string | Prepared): Promise<{ readonly rows: readonly object[] }>;
  end(): Promise<void>;
}

interface Package {
  readonly Client: new (options: { host: string; user: string; database: string }) => PostgresClient;
}

export async function openPostgres(directory: string): Promise<PostgresClient> {
  const { Client } = load<Package>("pg");
  const client = new Client({ host: directory, user: postgresUser, database: "postgres" });
  await client.connect();
  return client;
}

/** Names become numbers of 64 bits, as its documentation advises. */
export const postgresLocker: OpenLocker = async ({ places }) => {
  const client = await openPostgres(places.postgresDir);
  const call = (what: "lock" | "unlock", lockName: string) => ({
    name: what,
    text: `select pg_advisory_${what}(hashtextextended($1, 0))`,
    values: [lockName],
  });
  const lock = async (name: string) => {
    await client.query(call("lock", name));
    return async () => {
      await client.query(call("unlock", name));
    };
  };
  return { lock, close: () => client.end() };
};

type Make = (client: PostgresClient, order: Order, connection: number) => () => Promise<void>;

const writes: Make = (client, order, connection) => {
  let n = 0;
  const text = "insert into written (member, n, note) values ($1, $2, $3)";
  return async () => {
    await client.query({ name: "write", text, values: [number(order, connection), n++, note] });
  };
};

const reads: Make = (client, order, connection) => {
  const keys = keysOf(order, connection);
  const text = "select id, note from stock where id = $1";
  return async () => {
    const { rows } = await client.query({ name: "read", text, values: [keys.next().value] });
    mustBe(rows.length === 1);
  };
};

const ranges: Make = (client, order, connection) => {
  const keys = keysOf(order, connection, rowsOfStock - rowsOfRange);
  const text = "select id, note from stock where id >= $1 and id < $2";
  return async () => {
    const from = keys.next().value;
    const { rows } = await client.query({ name: "range", text, values: [from, from + rowsOfRange] });
    mustBe(rows.length === rowsOfRange);
  };
};

function workload(make: (client: PostgresClient, order: Order, connection: number) => Connection["step"]): Workload {
  return async (order, connection) => {
    const client = await openPostgres(order.places.postgresDir);
    return { step: make(client, order, connection), close: () => client.end() };
  };
}

export const postgres: Workloads = {
  write: workload(writes),
  read: workload(reads),
  rows: workload(ranges),
  mixed: workload((client, order, connection) =>
    mixed(reads(client, order, connection), writes(client, order, connection)),
  ),
};
