/** Where an act is played: behind a broker of its own, or on a plain database file. */
import type { Broker } from "../../client/index.js";
import { openDirect, prepareDirect } from "./direct.js";
import type { Role } from "./messages.js";
import { connectForDemo } from "./reach.js";
import { demoTables } from "./tables.js";
import type { IndexedFile } from "./tree.js";

export interface Stage {
  readonly roles: { readonly indexer: Role; readonly asker: Role };
  /** The conductor's own connection. */
  readonly broker: Broker | undefined;
  readonly rows: () => Promise<IndexedFile[]>;
  readonly close: () => Promise<void>;
}

const rowsAtOnce = 5000;
const readRows = "SELECT path, bytes, sha256 FROM files WHERE path > ? ORDER BY path LIMIT 5000";

export async function brokerStage(home: string, endBroker: (broker: Broker) => Promise<boolean>): Promise<Stage> {
  const broker = await connectForDemo(home, "conductor");
  for (const sql of demoTables) await broker.execute(sql);
  return {
    roles: { indexer: "indexer", asker: "asker" },
    broker,
    rows: async () => allRows(async (after) => (await broker.query(readRows, [after])) as unknown as IndexedFile[]),
    close: async () => void (await endBroker(broker)),
  };
}

export async function directStage(home: string): Promise<Stage> {
  const db = await openDirect(home);
  prepareDirect(db);
  return {
    roles: { indexer: "direct-indexer", asker: "direct-asker" },
    broker: undefined,
    rows: () => allRows(async (after) => db.prepare(readRows).all(after) as IndexedFile[]),
    close: async () => {
      db.close();
    },
  };
}

/** Page by page: a result has a limit, a tree has none. */
async function allRows(page: (after: string) => Promise<IndexedFile[]>): Promise<IndexedFile[]> {
  const all: IndexedFile[] = [];
  for (;;) {
    const rows = await page(all[all.length - 1]?.path ?? "");
    all.push(...rows);
    if (rows.length < rowsAtOnce) return all;
  }
}
