/** The tables of the demo, the same for the broker and for plain SQLite. */
export const demoTables = [
  "CREATE TABLE files(path TEXT PRIMARY KEY, bytes INTEGER NOT NULL, sha256 TEXT NOT NULL) WITHOUT ROWID",
  "CREATE TABLE directories(path TEXT PRIMARY KEY, files INTEGER NOT NULL, indexer INTEGER NOT NULL) WITHOUT ROWID",
] as const;
