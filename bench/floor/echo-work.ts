/** As many messages as the broker's clients send, to a server that only sends them back. */
import { connect } from "node:net";
import type { Connection, Workloads } from "../crew/connection.js";
import type { Order } from "../crew/order.js";
import { EchoClient } from "./echo-client.js";

export const echo: Workloads = {
  pairs: (order) => roundTrips(order, 2),
  handover: (order) => roundTrips(order, 2),
  read: (order) => roundTrips(order, 1),
  write: (order) => roundTrips(order, 1),
};

/** So many count as one operation. */
async function roundTrips({ places, echoBytes }: Order, messages: number): Promise<Connection> {
  const client = await EchoClient.open(() => connect(places.echoSocket));
  const bytes = Buffer.alloc(echoBytes, "x");
  const step = async () => {
    for (let i = 0; i < messages; i++) await client.echo(bytes);
  };
  return { step, close: () => client.close() };
}
