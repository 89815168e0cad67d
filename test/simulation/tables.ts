/**
 * The tables of the simulated database, and what each write does to them: its number says it, so that everybody who knows
 * what was committed knows what had to be told.
 */
import type { Applied } from "../core/support/fake-writer.js";

/** Comes and goes: some writes create it, or drop it. */
export const changeable = "late";
/** No table, so it cannot be watched. */
export const view = "seen";
/** Folded. What a write does to none of them it does to a table that nobody watches. */
export const tables: readonly string[] = ["t", "u", changeable];

/** What one commit does to one table. */
export interface Work {
  /** Keys of the rows that are inserted. */
  readonly keys: string[];
  schema?: "created" | "changed" | "dropped";
  /** Its keys are too much to be told on any connection. */
  bulky: boolean;
}

export type Works = ReadonlyMap<string, Work>;

/** `exists`: whether the changeable table is there before, and then after. */
export function worksOf(applied: readonly Applied[], exists: boolean): { readonly works: Works; exists: boolean } {
  const works = new Map<string, Work>();
  let isThere = exists;
  let toggles = 0;
  const workOn = (table: string): Work => {
    const work = works.get(table) ?? { keys: [], bulky: false };
    works.set(table, work);
    return work;
  };
  for (const { what } of applied) {
    if (!/^[wt]/.test(what)) continue;
    const number = Number(what.slice(1));
    for (const table of touchedBy(number)) {
      const work = workOn(table);
      work.keys.push(what);
      work.bulky ||= number % 8 === 4;
    }
    if (number % 7 === 6) {
      isThere = !isThere;
      toggles++;
    } else if (isThere && number % 7 === 3) workOn(changeable).keys.push(what);
  }
  const schema = schemaOf(exists, isThere, toggles);
  if (schema !== undefined) workOn(changeable).schema = schema;
  // What went with the table is not counted.
  if (!isThere && toggles > 0) works.get(changeable)?.keys.splice(0);
  if (!isThere && schema === undefined) works.delete(changeable);
  return { works, exists: isThere };
}

function touchedBy(number: number): readonly string[] {
  return [[], ["t"], ["t"], ["u"], ["t", "u"]][number % 5] as readonly string[];
}

function schemaOf(before: boolean, after: boolean, toggles: number): Work["schema"] {
  if (before !== after) return after ? "created" : "dropped";
  return before && toggles > 0 ? "changed" : undefined;
}
