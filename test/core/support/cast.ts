/** A broker and clients that have said hello, by name: what most tests of locks begin with. */
import { TestBroker, type TestBrokerOptions } from "./test-broker.js";
import type { TestClient } from "./test-client.js";

export interface Cast {
  readonly broker: TestBroker;
  readonly anna: TestClient;
  readonly bert: TestClient;
  readonly carl: TestClient;
  readonly dora: TestClient;
}

export function cast(options: TestBrokerOptions = {}): Cast {
  const broker = new TestBroker(options);
  const [anna, bert, carl, dora] = [
    broker.client("anna"),
    broker.client("bert"),
    broker.client("carl"),
    broker.client("dora"),
  ];
  return { broker, anna, bert, carl, dora };
}

/** The broker is killed and lives again out of its ledger; its clients are where they were. */
export function reborn(before: TestBroker, ...clients: TestClient[]): TestBroker {
  before.writer.state = "none";
  const { writer, ledger, now, limits } = before;
  const after = new TestBroker({ limits: { ...limits }, memory: ledger.memory(), writer, ledger, startMs: now + 100 });
  for (const client of clients) client.broker = after;
  return after;
}
