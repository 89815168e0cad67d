/** SQLite in the process of the client: each opens the file itself, or one has it and groups what it writes. */

import type { Database } from "../../src/sqlite/index.js";
import {
  keysOf,
  mixed,
  mustBe,
  note,
  number,
  rowsOfRange,
  rowsOfStock,
  statements,
  type Workloads,
} from "../crew/connection.js";
import type { Order } from "../crew/order.js";
import { openDirect } from "./direct.js";

const groupSize = 16;

function writes(direct: Database, order: Order, connection: number): () => void {
  const insert = direct.prepare(statements.write);
  let n = 0;
  return () => {
    insert.run(number(order, connection), n++, note);
  };
}

function reads(direct: Database, order: Order, connection: number): () => void {
  const select = direct.prepare(statements.read);
  const keys = keysOf(order, connection);
  return () => mustBe(select.get(keys.next().value) !== undefined);
}

function ranges(direct: Database, order: Order, connection: number): () => void {
  const select = direct.prepare(statements.range);
  const keys = keysOf(order, connection, rowsOfStock - rowsOfRange);
  return () => {
    const from = keys.next().value;
    mustBe(select.all(from, from + rowsOfRange).length === rowsOfRange);
  };
}

function workload(make: (direct: Database, order: Order, connection: number) => () => void) {
  return async (order: Order, connection: number) => {
    const direct = openDirect(order.places.database);
    return { step: make(direct, order, connection), close: () => void direct.close() };
  };
}

export const sqlite: Workloads = {
  write: workload(writes),
  read: workload(reads),
  rows: workload(ranges),
  mixed: async (order, connection) => {
    const direct = openDirect(order.places.database);
    const step = mixed(reads(direct, order, connection), writes(direct, order, connection));
    return { step, close: () => void direct.close() };
  },
};

/** The floor for a group commit: no messages, no other process, sixteen rows a sync. */
export const grouped: Workloads = {
  write: async (order, connection) => {
    const direct = openDirect(order.places.database);
    const write = writes(direct, order, connection);
    const step = direct.transaction(() => {
      for (let i = 0; i < groupSize; i++) write();
    });
    return { step: () => step.immediate(), close: () => void direct.close(), perStep: groupSize };
  },
};
