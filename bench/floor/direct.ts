/**
 * What programs do without a broker: each opens the database itself, with the settings under which a commit is durable
 * and a busy database is waited for.
 */
import { type Database, openDatabase } from "../../src/sqlite/index.js";

export function openDirect(path: string): Database {
  return openDatabase({ path, role: "writer", durability: "full", busyMs: 5000, exclusive: false });
}
