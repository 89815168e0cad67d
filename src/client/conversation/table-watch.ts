/** A watch of tables: what it has heard, and what is new in what the broker says. */
import { isObject } from "./answers.js";
import type { Draft } from "./draft.js";
import { Watched } from "./watched.js";

/** A number means something only with its source. */
export interface ChangeCursor {
  readonly seq: number;
  readonly source: string;
}

export interface TableFilter {
  readonly tables: readonly string[];
  readonly keys: boolean;
  /** What the program has heard in an earlier life of its own. */
  readonly after: ChangeCursor | undefined;
}

export type TableEffect =
  /** It is watched: what is committed after this is told. */
  | { readonly kind: "tables-watched"; readonly watch: TableWatch; readonly absent: readonly string[] }
  /** What commits have done, in order; each with a number above all before it, or equal to that of its neighbour. */
  | {
      readonly kind: "tables-changed";
      readonly watch: TableWatch;
      readonly source: string;
      readonly changes: readonly Readonly<Record<string, unknown>>[];
    }
  /** What was committed up to here is not all known. */
  | { readonly kind: "tables-gap"; readonly watch: TableWatch; readonly at: ChangeCursor };

export class TableWatch extends Watched {
  readonly opens = "watch.open";
  readonly closes = "watch.close";
  readonly filter: TableFilter;
  after: ChangeCursor | undefined;

  constructor(filter: TableFilter) {
    super();
    this.filter = filter;
    this.after = filter.after;
  }

  params(): object {
    const { tables, keys } = this.filter;
    const { after } = this;
    return { tables, keys, ...(after === undefined ? {} : { after: after.seq, source: after.source }) };
  }

  beginsAnew(): void {
    this.after = this.filter.after;
  }

  began(result: Record<string, unknown>, draft: Draft): void {
    const at = cursorIn(result);
    if (at === undefined) return;
    const { gap, absent } = result;
    if (gap === true || this.after === undefined) this.after = at;
    const names = Array.isArray(absent) ? absent.filter((name) => typeof name === "string") : [];
    draft.push({ kind: "tables-watched", watch: this, absent: names });
    if (gap === true) draft.push({ kind: "tables-gap", watch: this, at });
  }

  heard(params: Record<string, unknown>, draft: Draft): void {
    const at = cursorIn(params);
    const { changes, gap } = params;
    if (at === undefined || !Array.isArray(changes)) return;
    const heardUpTo = this.after?.seq ?? 0;
    const fresh = changes.filter((change) => isObject(change) && Number(change["seq"]) > heardUpTo);
    this.after = at;
    if (fresh.length > 0) draft.push({ kind: "tables-changed", watch: this, source: at.source, changes: fresh });
    if (gap === true) draft.push({ kind: "tables-gap", watch: this, at });
  }
}

function cursorIn({ upTo, source }: Record<string, unknown>): ChangeCursor | undefined {
  return typeof upTo === "number" && typeof source === "string" ? { seq: upTo, source } : undefined;
}
