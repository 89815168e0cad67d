/** The methods of those who watch tables, from checked parameters to what the core understands. */
import { type MethodName, unpairedIn, type WatchTablesParams } from "../protocol/index.js";
import { isRefusal, type Limits, type Refusal, refuse, seq } from "../terms/index.js";
import { askerOf, type Route } from "./route.js";

type WatchRoutes = { readonly [Name in Extract<MethodName, `watch.${string}`>]: Route<Name> };

const sourceLengthMax = 64;

export function watchRoutes(limits: Limits): WatchRoutes {
  return {
    "watch.open": (params, incoming) => {
      const refusal = wrongTables(params, limits);
      if (refusal !== undefined) return refusal;
      const after = cursorOf(params);
      if (isRefusal(after)) return after;
      const { watch, tables, keys = false } = params;
      return { command: { kind: "watch-tables", ...askerOf(incoming), watch, tables, keys, after } };
    },
    "watch.close": ({ watch }, incoming) => ({ command: { kind: "unwatch-tables", ...askerOf(incoming), watch } }),
  };
}

function cursorOf({ after, source }: WatchTablesParams) {
  if (after === undefined) return undefined;
  // Nobody's is so long, and it may have to be kept until there is a writer.
  if (source !== undefined) return { seq: seq(after), source: source.length > sourceLengthMax ? "" : source };
  return refuse("PARAMS_INVALID", "params.source is missing: the number in params.after means nothing without it");
}

function wrongTables(
  { tables, source }: WatchTablesParams,
  { tablesPerWatchMax, nameBytesMax }: Limits,
): Refusal | undefined {
  if (tables.length > tablesPerWatchMax)
    return refuse(
      "PARAMS_INVALID",
      `params.tables has ${tables.length} names, at most ${tablesPerWatchMax} are allowed`,
      {
        limit: "tablesPerWatchMax",
      },
    );
  // SQLite would watch another name, that with U+FFFD in its place.
  const unpaired = unpairedIn({ tables, source }, "params");
  if (unpaired !== undefined) return unpaired;
  for (const [at, table] of tables.entries()) {
    const why = wrongTable(table, nameBytesMax);
    if (why !== undefined)
      return refuse("PARAMS_INVALID", `params.tables[${at}] ${why}`, { path: `params.tables[${at}]` });
  }
  return undefined;
}

/** What SQLite keeps for itself has no triggers; what the broker keeps for itself is nobody else's. */
function wrongTable(table: string, nameBytesMax: number): string | undefined {
  if (Buffer.byteLength(table) > nameBytesMax) return `is longer than ${nameBytesMax} bytes`;
  if (table.includes("\0")) return "has a NUL in it, as no table's name has";
  if (/^sqlite_/i.test(table)) return `is ${JSON.stringify(table)}: SQLite's own tables cannot be watched`;
  if (/_holdfast_/i.test(table)) return `is ${JSON.stringify(table)}: the broker's own tables cannot be watched`;
  return undefined;
}
