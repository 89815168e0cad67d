/** The bugs that are planted, by the room that they are planted in. */
import type { Mutant } from "./mutant.js";

export const mutants: readonly Mutant[] = [
  {
    sampled: true,
    name: "what a turn tells leaves before its rows are in the ledger",
    rule: "rule 10",
    file: "src/front/outbox.ts",
    patch: [
      [
        "    const letters = this.#remember(turn);\n",
        "    this.#parts.deliver(turn.send);\n    this.#remember(turn);\n    const letters: readonly Letter[] = [];\n",
      ],
    ],
  },
  {
    name: "jobs go to the store before the rows they follow from are in the ledger",
    rule: "rule 10",
    file: "src/front/outbox.ts",
    patch: [
      [
        "    const letters = this.#remember(turn);\n    for (const job of turn.dispatch) this.#dispatch(job);\n",
        "    for (const job of turn.dispatch) this.#dispatch(job);\n    const letters = this.#remember(turn);\n",
      ],
    ],
  },
  {
    sampled: true,
    name: "a pause moves no deadline",
    rule: "rule 11",
    file: "src/core/deadlines.ts",
    patch: [["deadline.at = instant(deadline.at + ms);", "deadline.at = instant(deadline.at + 0 * ms);"]],
  },
  {
    name: "a zombie is taken for alive",
    rule: "rule 12",
    file: "src/daemon/processes.ts",
    patch: [['return state === "Z" && !hasOtherThreads(pid);', 'return state === "Z" && hasOtherThreads(pid);']],
  },
  {
    name: "a pid that is used again is taken for the process that had it before",
    rule: "rule 12",
    file: "src/daemon/processes.ts",
    patch: [[" || facts.startTime !== startTime", ""]],
  },
  {
    name: "the tokens of the life before are forgotten",
    rule: "rule 14",
    file: "src/core/store-events.ts",
    patch: [["if (tokensFrom < this.tokensAbove) {", "if (tokensFrom < 0) {"]],
  },
];
