/**
 * What the members of a crew wrote down for themselves, against what the database has. Members may be at work meanwhile:
 * what was acknowledged before the look must be there, and what is there must have been sent before the look was over.
 */
import type { Broker } from "../../src/client/index.js";
import type { LedgerLine, Work } from "./orders.js";

export interface Told {
  readonly member: number;
  readonly lines: readonly LedgerLine[];
}

interface Counted {
  readonly member: number;
  readonly n: number;
  readonly rows: number;
}

interface Held {
  readonly token: number;
  readonly n: number;
}

/** The database, in one snapshot. */
export interface There {
  readonly items: readonly Counted[];
  readonly parts: readonly Counted[];
  readonly named: ReadonlyMap<string, number>;
  readonly counters: ReadonlyMap<number, number>;
  /** In the order in which they were written. */
  readonly held: readonly Held[];
  readonly shared: number;
  readonly integrity: string;
}

const looks = [
  "select member, n, count(*) as rows from item group by member, n",
  "select member, n, count(*) as rows from part group by member, n",
  "select key, count(*) as rows from named group by key",
  "select member, n from counter",
  "select token, n from held order by id",
  "select n from shared",
] as const;

export async function look(broker: Broker): Promise<There> {
  const results = await broker.batch(looks.map((sql) => [sql] as const));
  const [items, parts, named, counters, held, shared] = results.map(({ rows }) => rows as unknown[]);
  const integrity = await broker.query<{ integrity_check: string }>("pragma integrity_check");
  return {
    items: items as Counted[],
    parts: parts as Counted[],
    named: new Map((named as { key: string; rows: number }[]).map(({ key, rows }) => [key, rows])),
    counters: new Map((counters as { member: number; n: number }[]).map(({ member, n }) => [member, n])),
    held: held as Held[],
    shared: (shared as { n: number }[])[0]?.n ?? -1,
    integrity: integrity.map((row) => row.integrity_check).join(),
  };
}

/** What cannot be true; nothing, when all is well. `before`, `after`: of the look. */
export function contradictions(before: readonly Told[], there: There, after: readonly Told[]): string[] {
  const sent = new Map(after.map(({ member, lines }) => [member, lines]));
  const wrong = there.integrity === "ok" ? [] : [`integrity_check says ${there.integrity}`];
  for (const { member, lines } of before) {
    const later = sent.get(member) ?? lines;
    wrong.push(...rowsWrong("inserts", { member, lines, later, there: there.items, whole: 1 }));
    wrong.push(...rowsWrong("transactions", { member, lines, later, there: there.parts, whole: 3 }));
    wrong.push(...counterWrong(member, lines, { later, n: there.counters.get(member) ?? -1 }));
    wrong.push(...tokensWrong(member, lines));
  }
  return [...wrong, ...namedWrong(before, there, after), ...fencedWrong(before, there)];
}

/** Numbers of what ended so, of one kind. */
function ended(lines: readonly LedgerLine[], work: Work, end: LedgerLine["end"]): Set<number> {
  return new Set(lines.filter((line) => line.work === work && line.end === end).map(({ n }) => n));
}

interface Look {
  readonly member: number;
  readonly lines: readonly LedgerLine[];
  readonly later: readonly LedgerLine[];
  readonly there: readonly Counted[];
  /** Rows that belong together. */
  readonly whole: number;
}

function rowsWrong(work: Work, { member, lines, later, there, whole }: Look): string[] {
  const [done, refused, sent] = [ended(lines, work, "ok"), ended(lines, work, "no"), ended(later, work, "sent")];
  const rows = new Map(there.filter((one) => one.member === member).map(({ n, rows: count }) => [n, count]));
  const of = `of the ${work} of member ${member}`;
  const wrong: string[] = [];
  for (const n of done) if (!rows.has(n)) wrong.push(`${n} ${of} was acknowledged, and is gone`);
  for (const n of refused) if (rows.has(n)) wrong.push(`${n} ${of} was said not to be applied, and is there`);
  for (const [n, count] of rows) {
    if (!sent.has(n)) wrong.push(`${n} ${of} is there, and nobody sent it`);
    if (count !== whole) wrong.push(`${n} ${of} has ${count} rows of ${whole}`);
  }
  return wrong;
}

function counterWrong(
  member: number,
  lines: readonly LedgerLine[],
  { later, n }: { readonly later: readonly LedgerLine[]; readonly n: number },
): string[] {
  const least = ended(lines, "counter", "ok").size;
  const most = ended(later, "counter", "sent").size - ended(lines, "counter", "no").size;
  if (n === -1 && most === 0) return [];
  if (n >= least && n <= most) return [];
  return [
    `the counter of member ${member} is ${n}; ${least} were acknowledged, ${most} at most were sent and not refused`,
  ];
}

/** As one client sees it, in the order of its own log. */
function tokensWrong(member: number, lines: readonly LedgerLine[]): string[] {
  const tokens = lines.filter(({ end }) => end === "sent").flatMap(({ token }) => token ?? []);
  return tokens
    .filter((token, at) => token <= (tokens[at - 1] ?? 0))
    .map((token) => `member ${member} was given token ${token} after a higher one`);
}

function namedWrong(before: readonly Told[], there: There, after: readonly Told[]): string[] {
  const keys = (all: readonly Told[], end: LedgerLine["end"]) =>
    new Set(
      all.flatMap(({ member, lines }) =>
        lines.filter((line) => line.work === "named" && line.end === end).map(({ of = member, n }) => `${of}/${n}`),
      ),
    );
  const [done, sent] = [keys(before, "ok"), keys(after, "sent")];
  const gone = [...done].filter((key) => !there.named.has(key));
  const strange = [...there.named].filter(([key, rows]) => rows !== 1 || !sent.has(key));
  return [
    ...gone.map((key) => `${key} was acknowledged under its own key, and is gone`),
    ...strange.map(([key, rows]) => `${key} is there ${rows} times, under its own key`),
  ];
}

function fencedWrong(before: readonly Told[], { held, shared }: There): string[] {
  const tokens = new Set(held.map(({ token }) => token));
  const done = before.flatMap(({ lines }) => lines).filter(({ work, end }) => work === "fenced" && end === "ok");
  const wrong = done
    .filter(({ token = 0 }) => !tokens.has(token))
    .map(({ token }) => `the write under token ${token} was acknowledged, and is gone`);
  // Each wrote one more than it had read, so a lost or doubled one shows here.
  if (shared !== held.length) wrong.push(`the shared counter is ${shared} after ${held.length} writes`);
  for (const [at, { n, token }] of held.entries()) {
    if (n !== at + 1) wrong.push(`write ${at + 1} of the shared counter wrote ${n}`);
    if (token <= (held[at - 1]?.token ?? 0)) wrong.push(`token ${token} wrote after token ${held[at - 1]?.token}`);
  }
  return wrong;
}
