/** What is committed to tables, told to those who watch them. */
import type { Method, NotificationRow } from "../method.js";
import type { WireValue } from "../numbers.js";
import * as is from "../schema.js";
import type { Empty } from "./session.js";

export interface WatchTablesParams {
  readonly watch: number;
  readonly tables: readonly string[];
  readonly keys?: boolean;
  readonly after?: number;
  readonly source?: string;
}

export interface WatchTablesResult {
  readonly upTo: number;
  readonly source: string;
  readonly gap: boolean;
  readonly absent: readonly string[];
}

export interface UnwatchTablesParams {
  readonly watch: number;
}

export interface ChangedKeyRow {
  readonly change: "insert" | "update" | "delete";
  readonly key: readonly WireValue[];
  readonly was?: readonly WireValue[];
}

export interface TableChangeRow {
  readonly seq: number;
  readonly table: string;
  readonly inserts: number;
  readonly updates: number;
  readonly deletes: number;
  readonly schema?: "created" | "changed" | "dropped";
  readonly keys?: readonly ChangedKeyRow[];
  readonly keysCut?: boolean;
}

export interface TableChangesParams {
  readonly watch: number;
  readonly source: string;
  readonly upTo: number;
  readonly gap?: boolean;
  readonly changes: readonly TableChangeRow[];
}

const watch = is.WholeNumber("A number of the client's choice, by which its changes are known on this connection", 1);
const source = is.Text({ description: "Whose numbers these are: a number means something only with its source" });

const watchParams = {
  watch,
  tables: is.ArrayOf(is.Text({ minLength: 1 }), {
    minItems: 1,
    description: "Names of tables, which need not exist yet; at most the limit tablesPerWatchMax",
  }),
  keys: is.Optional(is.Flag({ description: "Whether the keys of the changed rows are wanted (default false)" })),
  after: is.Optional(is.WholeNumber("The last number that the client has heard: what came after it is told too")),
  source: is.Optional(is.Text({ description: "The source of `after`; it must be there with it" })),
};

const watchResult = {
  upTo: is.WholeNumber("Commits with a higher number will be told"),
  source,
  gap: is.Flag({ description: "What was committed between `after` and `upTo` is not all known: read anew" }),
  absent: is.ArrayOf(is.Text(), { description: "Those of the tables that do not exist" }),
};

const changedKey = is.ObjectOf({
  change: is.OneOf(["insert", "update", "delete"], "What was done to the row"),
  key: is.ArrayOf(is.Value, {
    description: "The values of its primary key, in the key's order; of a table without one, its rowid",
  }),
  was: is.Optional(is.ArrayOf(is.Value, { description: "The key before, where an update has changed it" })),
});

const tableChange = is.ObjectOf({
  seq: is.WholeNumber("The number of the commit"),
  table: is.Text({ description: "As the client has spelled it" }),
  inserts: is.WholeNumber("Rows that were inserted"),
  updates: is.WholeNumber("Rows that were updated, each as often as it was"),
  deletes: is.WholeNumber("Rows that were deleted, without those that REPLACE has removed"),
  schema: is.Optional(
    is.OneOf(
      ["created", "changed", "dropped"],
      "What became of the table itself; rows that came or went with it are not counted",
    ),
  ),
  keys: is.Optional(is.ArrayOf(changedKey, { description: "In order; the same once" })),
  keysCut: is.Optional(is.Flag({ description: "Not all changed rows are named in `keys`" })),
});

export const watchMethods = {
  "watch.open": {
    summary: "Tells from now on what is committed to tables, by watch.changes.",
    params: is.schemaOf<WatchTablesParams>()(is.ObjectOf(watchParams)),
    result: is.schemaOf<WatchTablesResult>()(is.ObjectOf(watchResult)),
    keyed: "never",
    beforeHello: false,
    refusals: ["WATCHES_FULL", "WRITER_UNAVAILABLE"],
  } satisfies Method<WatchTablesParams, WatchTablesResult>,
  "watch.close": {
    summary: "Ends a watch; none of its changes comes after the answer. One that is not there is no mistake.",
    params: is.schemaOf<UnwatchTablesParams>()(is.ObjectOf({ watch })),
    result: is.schemaOf<Empty>()(is.Nothing),
    keyed: "never",
    beforeHello: false,
    refusals: [],
  } satisfies Method<UnwatchTablesParams, Empty>,
};

export const watchToClient = {
  "watch.changes": {
    summary: "What commits have done to the tables of a watch: one entry for each commit and table, in order.",
    params: is.schemaOf<TableChangesParams>()(
      is.ObjectOf({
        watch,
        source,
        upTo: is.WholeNumber("The number to go on after"),
        gap: is.Optional(
          is.Flag({ description: "true: what was committed up to `upTo` is not all known: read anew what is shown" }),
        ),
        changes: is.ArrayOf(tableChange),
      }),
    ),
  } satisfies NotificationRow<TableChangesParams>,
};
