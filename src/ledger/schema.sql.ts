/**
 * The ledger's tables. Every row is found by its primary key and by nothing else: an index would be paid for at each
 * lock and used once after a crash.
 */

/** Raised with every change of the tables below. A ledger of another version is not read. */
export const ledgerVersion = 3;

export const schema = `
create table sessions (
  session text primary key,
  program text not null,
  version text not null,
  pid integer,
  start_time text,
  bound integer not null,
  window_ms real not null,
  outer_session text,
  role text not null
) strict, without rowid;

-- \`more\`: what few grants and waiters have, as JSON; null for one name, exclusive, without lease.
create table grants (
  token integer primary key,
  name text not null,
  session text not null,
  key integer not null,
  since real not null,
  reason text not null,
  more text
) strict;

create table waiters (
  arrival integer primary key,
  name text not null,
  session text not null,
  key integer not null,
  since real not null,
  reason text not null,
  more text
) strict;

create table capacities (
  name text primary key,
  slots integer not null
) strict, without rowid;

-- One row.
create table mark (
  one integer primary key check (one = 1),
  tokens_to integer not null,
  seq integer not null,
  incarnation text not null
) strict;

pragma user_version = ${ledgerVersion};
`;
