/**
 * What commits have changed in watched tables, until it is sent. A script that has a transaction for each of its
 * statements has one number, so it is told as one.
 */
import type { ChangedTable } from "../../core/index.js";
import { type Seq, seq } from "../../terms/index.js";
import { keysBytesMax } from "./watch-triggers.js";

export interface ToldCommit {
  readonly seq: Seq;
  /** Another process has written to the database since the commit before. */
  readonly outside: boolean;
  readonly tables: readonly ChangedTable[];
}

export class ToldChanges {
  readonly #keysMax: number;
  #commits: ToldCommit[] = [];
  /** What the keys in the last of them take as JSON, by table; where more than one commit is told as one. */
  readonly #keysBytes = new Map<string, number>();
  /** The highest number of a commit so far. */
  last: Seq;

  constructor(last: Seq, keysMax = Number.POSITIVE_INFINITY) {
    this.last = last;
    this.#keysMax = keysMax;
  }

  /** `noted`: the number of the commit; one that has none, 0, counts as the last. */
  add(noted: Seq, tables: readonly ChangedTable[], outside: boolean): void {
    this.last = seq(Math.max(this.last, noted));
    if (tables.length === 0 && !outside) return;
    const at = noted === 0 ? this.last : noted;
    const before = this.#commits.at(-1);
    if (before?.seq === at) {
      this.#commits[this.#commits.length - 1] = this.#merged(before, tables, outside);
      return;
    }
    this.#commits.push({ seq: at, outside, tables });
    this.#keysBytes.clear();
  }

  take(): readonly ToldCommit[] {
    if (this.#commits.length === 0) return this.#commits;
    const commits = this.#commits;
    this.#commits = [];
    return commits;
  }

  #merged(before: ToldCommit, tables: readonly ChangedTable[], outside: boolean): ToldCommit {
    const byName = new Map(before.tables.map((change) => [change.table, change]));
    for (const change of tables) {
      const earlier = byName.get(change.table);
      byName.set(change.table, earlier === undefined ? change : both(earlier, this.#cut(earlier, change)));
    }
    return { seq: before.seq, outside: before.outside || outside, tables: [...byName.values()] };
  }

  /** What comes on top, without keys when there are enough. */
  #cut(earlier: ChangedTable, change: ChangedTable): ChangedTable {
    const { table, keys } = change;
    if (keys === undefined || keys.length === 0) return change;
    const named = earlier.keys ?? [];
    const bytes = (this.#keysBytes.get(table) ?? JSON.stringify(named).length) + JSON.stringify(keys).length;
    if (named.length + keys.length > this.#keysMax || bytes > keysBytesMax)
      return { ...change, keys: [], keysCut: true };
    this.#keysBytes.set(table, bytes);
    return change;
  }
}

function both(a: ChangedTable, b: ChangedTable): ChangedTable {
  const schema = schemaOfBoth(a.schema, b.schema);
  const keys = a.keys === undefined && b.keys === undefined ? undefined : [...(a.keys ?? []), ...(b.keys ?? [])];
  return {
    table: a.table,
    inserts: a.inserts + b.inserts,
    updates: a.updates + b.updates,
    deletes: a.deletes + b.deletes,
    ...(schema === undefined ? {} : { schema }),
    ...(keys === undefined ? {} : { keys }),
    ...(a.keysCut === true || b.keysCut === true ? { keysCut: true } : {}),
  };
}

function schemaOfBoth(a: ChangedTable["schema"], b: ChangedTable["schema"]): ChangedTable["schema"] {
  if (a === undefined || b === undefined) return a ?? b;
  if (a === "created") return b === "dropped" ? undefined : a;
  return b === "dropped" ? b : "changed";
}
