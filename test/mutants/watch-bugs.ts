/** Bugs that are planted in the watches of tables: what is told twice, or not at all and without a word. */
import type { Mutant } from "./mutant.js";

export const watchBugs: readonly Mutant[] = [
  {
    name: "who watches a table is told of no gap when the writer is replaced",
    rule: "rule 22",
    file: "src/core/watches/table-watches.ts",
    patch: [["watch.stale = watch.asked === undefined;", "watch.stale = watch.asked === undefined && epoch < 0;"]],
  },
  {
    name: "who goes on watching a table is told once more of the last that he heard",
    rule: "rule 22",
    file: "src/core/watches/change-ring.ts",
    patch: [
      ["(this.#commits[at - 1] as Commit).seq > seq) at--;", "(this.#commits[at - 1] as Commit).seq >= seq) at--;"],
    ],
  },
  {
    name: "what was committed while nobody watched a table is passed over in silence",
    rule: "rule 22",
    file: "src/core/watches/table-watches.ts",
    patch: [["inForce(table, watch.keys, from.seq));", "inForce(table, watch.keys));"]],
  },
];
