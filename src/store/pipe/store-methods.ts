/** The methods that reach a child with the client's own bytes. */
export const storeMethods = [
  "db.execute",
  "db.query",
  "db.batch",
  "db.script",
  "tx.execute",
  "tx.batch",
  "tx.commit",
  "db.describe",
] as const;
export type StoreMethod = (typeof storeMethods)[number];
