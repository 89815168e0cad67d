/** The statements over the stored answers and the sessions that they belong to: see replies-kept.ts. */
import type { Database, Statement } from "../../sqlite/index.js";

/** Their values come as bigint, their rows as arrays. */
const reads = {
  session: "SELECT below, seen, ended FROM _holdfast_sessions WHERE session = ?",
  keyMax: "SELECT max(key) FROM _holdfast_replies WHERE session = ?",
  keys: "SELECT key, below FROM _holdfast_replies WHERE session = ? ORDER BY key",
  reply: "SELECT hash, kind, result FROM _holdfast_replies WHERE session = ? AND key = ?",
  size: "SELECT count(*) * ? + coalesce(sum(length(CAST(result AS BLOB))), 0) FROM _holdfast_replies WHERE session = ? AND key < ?",
  endedBefore: "SELECT session FROM _holdfast_sessions WHERE ended < ? AND pruned = 0 ORDER BY ended LIMIT ?",
  sweptTo: "SELECT session FROM _holdfast_sessions WHERE session > ? ORDER BY session LIMIT 1 OFFSET ?",
  silent:
    "SELECT session FROM _holdfast_sessions WHERE session > ? AND session <= ? AND ended IS NULL AND pruned = 0 AND seen < ?",
  bySeen: "SELECT session FROM _holdfast_sessions ORDER BY seen",
  middle:
    "SELECT key FROM _holdfast_replies WHERE session = ? ORDER BY key LIMIT 1 OFFSET (SELECT count(*) / 2 FROM _holdfast_replies WHERE session = ?)",
} as const;

const changes = {
  put: "INSERT INTO _holdfast_replies (session, key, hash, kind, result, below) VALUES (?, ?, ?, ?, ?, ?)",
  putOver:
    "UPDATE _holdfast_replies SET key = ?, hash = ?, kind = ?, result = ?, below = ? WHERE session = ? AND key = ?",
  touch:
    "INSERT INTO _holdfast_sessions (session, below, seen) VALUES (?, 0, ?) ON CONFLICT DO UPDATE SET seen = excluded.seen, pruned = 0",
  mark: "INSERT INTO _holdfast_sessions (session, below, seen) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET below = excluded.below",
  end: "INSERT INTO _holdfast_sessions (session, below, seen, ended) VALUES (?, 0, ?, ?) ON CONFLICT DO UPDATE SET ended = coalesce(ended, excluded.ended)",
  drop: "DELETE FROM _holdfast_replies WHERE session = ? AND key < ?",
  dropSession: "DELETE FROM _holdfast_sessions WHERE session = ?",
  pruned: "UPDATE _holdfast_sessions SET pruned = 1 WHERE session = ?",
  dropNeverTold: "DELETE FROM _holdfast_sessions WHERE session = ? AND ended IS NOT NULL AND below = 0",
  dropTombstones:
    "DELETE FROM _holdfast_sessions WHERE session > ? AND session <= ? AND pruned = 1 AND coalesce(ended, seen) < ? AND seen < ?",
} as const;

export type RepliesSql = { readonly [Name in keyof typeof reads | keyof typeof changes]: Statement };

export function prepareReplies(database: Database): RepliesSql {
  const prepared: { [name: string]: Statement } = {};
  for (const [name, sql] of Object.entries(reads))
    prepared[name] = database.prepare<unknown[]>(sql).raw(true).safeIntegers(true);
  for (const [name, sql] of Object.entries(changes)) prepared[name] = database.prepare<unknown[]>(sql);
  return prepared as RepliesSql;
}
