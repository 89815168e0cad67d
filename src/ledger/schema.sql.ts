/**
 * The ledger's tables. Every row is found by its primary key and by nothing else: an index would be paid for at each
 * lock and used once after a crash.
 */

/** Raised with every change of the tables below. A ledger of another version is not read. */
export const ledgerVersion = 1;

export const schema = `
create table sessions (
  session text primary key,
  program text not null,
  version text not null,
  pid integer,
  start_time text,
  bound integer not null,
  window_ms real not null
) strict, without rowid;

create table grants (
  token integer primary key,
  name text not null,
  session text not null,
  key integer not null,
  since real not null,
  reason text not null
) strict;

create table waiters (
  arrival integer primary key,
  name text not null,
  session text not null,
  key integer not null,
  since real not null,
  reason text not null
) strict;

-- One row.
create table mark (
  one integer primary key check (one = 1),
  tokens_to integer not null,
  seq integer not null,
  incarnation text not null
) strict;

pragma user_version = ${ledgerVersion};
`;
