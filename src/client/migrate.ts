/**
 * Migrations: each once, in order, whoever comes first. Serialised by a lock, and every one is written under the fence
 * of that lock, in one transaction with the note that it was done.
 */
import { createHash } from "node:crypto";
import type { Role } from "../protocol/index.js";
import { HoldfastError, isHoldfastError, type Millis } from "../terms/index.js";
import type { Broker } from "./broker.js";
import type { ScriptOptions } from "./datastore.js";
import { checkOptions, type KnownOptions } from "./known-options.js";
import type { LockHandle } from "./lock-handle.js";

export interface Migration {
  /** Never changes once it was run anywhere. */
  readonly name: string;
  /** A script, without BEGIN and COMMIT. */
  readonly sql: string;
}

export interface MigrateOptions {
  /**
   * How long each migration may run (ms, up to the limit timeoutMsMax, which is the default), also while other programs
   * wait to write: they wait until it is over. Of a connection with the role "write" it ends after the limit
   * writeContendedMs then (STATEMENT_TIMEOUT).
   */
  readonly timeoutMs?: Millis | undefined;
  /** How long to wait for another program that migrates (ms). 0: not at all (LOCK_HELD). Default: for ever. */
  readonly waitMs?: Millis | undefined;
  /** Ends it, and what runs is undone; what was run before stays. It rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

interface Done {
  readonly name: string;
  readonly hash: string;
}

const lockOfMigrations = "holdfast/migrate";

const table =
  "create table if not exists holdfast_migrations(name text primary key not null, hash text not null, applied_at text not null) without rowid";

const migrationFields: KnownOptions<Migration> = { name: true, sql: true };
const migrateOptions: KnownOptions<MigrateOptions> = { timeoutMs: true, waitMs: true, signal: true };

type Limits = Pick<ScriptOptions, "timeoutMs" | "contendedMs" | "signal">;

/** What the broker has said of itself and of the session. */
export interface MigrateParts {
  readonly timeoutMsMax: Millis | undefined;
  readonly role: Role | undefined;
}

export async function migrate(
  broker: Broker,
  migrations: readonly Migration[],
  options: MigrateOptions,
  { timeoutMsMax, role }: MigrateParts,
): Promise<string[]> {
  checkOptions("migrate", options, migrateOptions);
  check(migrations);
  const { timeoutMs = timeoutMsMax, waitMs, signal } = options;
  const limits = { timeoutMs, contendedMs: role === "admin" ? timeoutMs : undefined, signal };
  // The common case of a program that starts: nothing to do, nothing to wait for.
  if (missing(migrations, await doneSoFar(broker, signal)).length === 0) return [];
  return broker.withLock(lockOfMigrations, { reason: "migrating the schema", waitMs, signal }, async (lock) => {
    await lock.execute(table, [], { timeoutMs, signal });
    const applied: string[] = [];
    for (const migration of missing(migrations, await doneSoFar(lock, signal))) {
      await apply(lock, migration, limits);
      applied.push(migration.name);
    }
    return applied;
  });
}

/** A broken line comment or a missing semicolon at the end of the text must not swallow the note. */
function apply(lock: LockHandle, { name, sql }: Migration, limits: Limits): Promise<unknown> {
  const note = `insert into holdfast_migrations values (${quoted(name)}, ${quoted(hashOf(sql))}, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))`;
  return lock.script(`${sql}\n;\n${note}`, { atomic: true, ...limits });
}

async function doneSoFar(store: Broker | LockHandle, signal: AbortSignal | undefined): Promise<Map<string, string>> {
  try {
    const rows = await store.query<Done>("select name, hash from holdfast_migrations", [], { signal });
    return new Map(rows.map(({ name, hash }) => [name, hash]));
  } catch (error) {
    if (isHoldfastError(error) && error.code === "SQLITE_ERROR" && error.message.includes("no such table"))
      return new Map();
    throw error;
  }
}

/** Those that were not run. What was run and is not in the list is a newer program's. */
function missing(migrations: readonly Migration[], done: ReadonlyMap<string, string>): Migration[] {
  const open: Migration[] = [];
  for (const migration of migrations) {
    const { name, sql } = migration;
    const hash = done.get(name);
    if (hash === undefined) open.push(migration);
    else if (hash !== hashOf(sql))
      throw new HoldfastError(
        "MISUSE",
        `migration ${JSON.stringify(name)} was run with another text: write a new one instead`,
        { details: { name } },
      );
    else if (open[0] !== undefined)
      throw new HoldfastError(
        "MISUSE",
        `migration ${JSON.stringify(open[0].name)} is new and stands before ${JSON.stringify(name)}, which was run: put it behind`,
        {
          details: { name: open[0].name, before: name },
        },
      );
  }
  return open;
}

function check(migrations: readonly Migration[]): void {
  if (!Array.isArray(migrations)) throw new HoldfastError("MISUSE", "migrate takes an array of { name, sql }");
  const names = new Set<string>();
  for (const migration of migrations) {
    checkOptions("a migration", migration, migrationFields);
    const { name, sql } = migration;
    if (typeof name !== "string" || name === "" || typeof sql !== "string")
      throw new HoldfastError("MISUSE", "a migration is { name, sql }, both text");
    if (names.has(name)) throw new HoldfastError("MISUSE", `two migrations are named ${JSON.stringify(name)}`);
    names.add(name);
  }
}

function hashOf(sql: string): string {
  return createHash("sha256").update(sql).digest("hex");
}

function quoted(text: string): string {
  if (text.includes("\0")) throw new HoldfastError("MISUSE", "a migration's name must not hold a NUL");
  return `'${text.replaceAll("'", "''")}'`;
}
