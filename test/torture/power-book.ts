/**
 * What was asked of a broker that loses its power again and again, what was told about it and when; and whether a
 * database can be what is left of that.
 */
import Database from "better-sqlite3";

export interface Asked {
  readonly n: number;
  /** Rows that come together or not at all. */
  readonly parts: number;
  /** The machine's monotonic clock, ms. */
  readonly sentAt: number;
  /** When it was acknowledged, or shown; -Infinity when that was in a life before. */
  toldAt: number | undefined;
  /** It was said that it will never be there. */
  never: boolean;
}

export class PowerBook {
  readonly #asked = new Map<number, Asked>();
  #tokens: { readonly token: number; readonly toldAt: number }[] = [];
  #next = 1;

  static now(): number {
    return Number(process.hrtime.bigint()) / 1e6;
  }

  ask(parts: number): Asked {
    const asked: Asked = { n: this.#next++, parts, sentAt: PowerBook.now(), toldAt: undefined, never: false };
    this.#asked.set(asked.n, asked);
    return asked;
  }

  token(token: number): void {
    this.#tokens.push({ token, toldAt: PowerBook.now() });
  }

  /** The highest that was told. */
  get highestToken(): number {
    return this.#tokens.reduce((highest, { token }) => Math.max(highest, token), 0);
  }

  /** Nothing of what was sent after this moment has ever happened, nor was anything told after the other. */
  powerLost(toldBefore: number, sentBefore: number): void {
    for (const one of this.#asked.values()) {
      if (one.sentAt > sentBefore) this.#asked.delete(one.n);
      else if (one.toldAt !== undefined) one.toldAt = one.toldAt < toldBefore ? -Infinity : undefined;
    }
    this.#tokens = this.#tokens.filter(({ toldAt }) => toldAt < toldBefore);
  }

  isAsked({ n }: Asked): boolean {
    return this.#asked.has(n);
  }

  /** What is wrong with this file, if the power went at that moment. SQLite recovers it as it opens it. */
  judge(path: string, moment: number): string[] {
    const required = [...this.#asked.values()].filter(({ toldAt = Infinity }) => toldAt < moment);
    const tokens = this.#tokens.filter(({ toldAt }) => toldAt < moment);
    const database = new Database(path);
    try {
      const integrity = database.pragma("integrity_check", { simple: true });
      if (integrity !== "ok") return [`integrity_check says ${String(integrity)}`];
      if (!has(database, "item"))
        return required.length + tokens.length === 0 ? [] : ["there is no table, and something was told"];
      const { to } = database.prepare('select tokens_to as "to" from _holdfast_meta').get() as { to: number };
      const above = tokens.filter(({ token }) => token > to);
      const wrong = above.map(({ token }) => `token ${token} was told, and the next life begins at ${to}`);
      return [...wrong, ...this.compare(rowsOf(database), required)];
    } catch (error) {
      return [`SQLite cannot read it: ${error instanceof Error ? error.message : String(error)}`];
    } finally {
      database.close();
    }
  }

  /** Rows of each number, against what may and what must be there. */
  compare(there: ReadonlyMap<number, number>, required = this.#told()): string[] {
    const wrong: string[] = [];
    for (const { n, sentAt } of required)
      if (!there.has(n)) wrong.push(`write ${n}, sent at ${sentAt}, was acknowledged and is gone`);
    for (const [n, rows] of there) {
      const asked = this.#asked.get(n);
      if (asked === undefined) wrong.push(`write ${n} is there, and was not sent when the power went`);
      else if (rows !== asked.parts) wrong.push(`write ${n} has ${rows} rows of ${asked.parts}`);
      else if (asked.never) wrong.push(`write ${n} is there, and was said never to be`);
    }
    return wrong;
  }

  #told(): Asked[] {
    return [...this.#asked.values()].filter(({ toldAt }) => toldAt !== undefined);
  }
}

function has(database: Database.Database, table: string): boolean {
  return database.prepare("select 1 from sqlite_schema where name = ?").get(table) !== undefined;
}

function rowsOf(database: Database.Database): Map<number, number> {
  const rows = database.prepare("select op, count(*) as rows from item group by op").all() as {
    op: number;
    rows: number;
  }[];
  return new Map(rows.map(({ op, rows: count }) => [op, count]));
}
