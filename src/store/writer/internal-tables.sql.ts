/**
 * The broker's own tables in the shared database. Their names begin with `_holdfast_`, a word that the gate refuses to
 * clients. All are WITHOUT ROWID or untouched between a client's statement and its answer, so that they never show in
 * last_insert_rowid() (rule 16).
 */

/** Of the tables below; a file with a higher number belongs to a newer version of the program. */
export const tablesVersion = 6;

/**
 * In the place of a boot id: the file was put here by a restore or an import, and nobody can tell which run of the machine
 * has last had what was here before.
 */
export const bootIdElsewhere = "restored";

/**
 * One row, id 1. `epoch` rises with every writer; `seq` is the last request that is settled, `commits` how many there were,
 * those among them too that settle nothing; `tokens_to` is where the reserved lock tokens end; `replies_bytes` is what the
 * stored answers take. `held` is 0 when the last broker has ended and nobody held a lock any more: then nobody is forgotten
 * with a ledger that is gone. `place`: the run directory of the last broker that had clients, and with it the ledger that
 * knows who held a lock; null when that was before version 6.
 */
export const createMeta = `CREATE TABLE _holdfast_meta (
  id INTEGER PRIMARY KEY,
  version INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  boot_id TEXT,
  incarnation TEXT NOT NULL,
  tokens_to INTEGER NOT NULL,
  replies_bytes INTEGER NOT NULL,
  commits INTEGER NOT NULL DEFAULT 0,
  held INTEGER NOT NULL DEFAULT 1,
  place TEXT
)`;

/**
 * What was answered under a request key. \`kind\` says how to read \`result\`: see replies-kept.ts. \`below\`: when the row was
 * written the client had its answer to all keys below it; what is not here of them has been forgotten.
 */
export const createReplies = `CREATE TABLE _holdfast_replies (
  session BLOB NOT NULL,
  key INTEGER NOT NULL,
  hash INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  result,
  below INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (session, key)
) WITHOUT ROWID`;

/**
 * Every session that has stored answers, or is known to have ended. Of keys below \`below\`, and below that of any of its
 * answers, what is not stored has been forgotten: whether they were applied can no longer be told. \`seen\`, \`ended\`: ms
 * since 1970. \`pruned\` is 1 when no answer is left.
 */
export const createSessions = `CREATE TABLE _holdfast_sessions (
  session BLOB NOT NULL PRIMARY KEY,
  below INTEGER NOT NULL,
  seen INTEGER NOT NULL,
  ended INTEGER,
  pruned INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID`;

export const createSessionsEnded =
  "CREATE INDEX _holdfast_sessions_ended ON _holdfast_sessions (ended) WHERE ended IS NOT NULL AND pruned = 0";

/**
 * What was answered under a caller's own key, in whatever session. \`kind\` as above; \`until\`, ms since 1970: from then on
 * the key is as good as new.
 */
export const createKeys = `CREATE TABLE _holdfast_keys (
  key TEXT NOT NULL PRIMARY KEY,
  hash INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  result,
  until INTEGER NOT NULL
) WITHOUT ROWID`;

export const createKeysUntil = "CREATE INDEX _holdfast_keys_until ON _holdfast_keys (until)";

/** What a database whose tables have the version before needs to have this one, in order. */
export const migrations: readonly { readonly version: number; readonly sql: readonly string[] }[] = [
  { version: 2, sql: [createKeys, createKeysUntil] },
  { version: 3, sql: ["ALTER TABLE _holdfast_meta ADD COLUMN commits INTEGER NOT NULL DEFAULT 0"] },
  { version: 4, sql: ["ALTER TABLE _holdfast_replies ADD COLUMN below INTEGER NOT NULL DEFAULT 0"] },
  { version: 5, sql: ["ALTER TABLE _holdfast_meta ADD COLUMN held INTEGER NOT NULL DEFAULT 1"] },
  { version: 6, sql: ["ALTER TABLE _holdfast_meta ADD COLUMN place TEXT"] },
];
