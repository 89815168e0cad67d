/** Bugs that are planted in what reads: of which moment something is, and what a deferred transaction goes on from. */
import type { Mutant } from "./mutant.js";

export const readBugs: readonly Mutant[] = [
  {
    name: "a transaction whose process died goes on in another snapshot",
    rule: "rule 4",
    file: "src/core/reads/read-transactions.ts",
    patch: [
      [
        '    const opening = end === "crashed" && state.kind === "opening" && transaction.stream === undefined;\n',
        '    const opening = end === "crashed" && state.kind !== "asked" && transaction.stream === undefined;\n',
      ],
    ],
  },
  {
    name: "a snapshot does not wait for the writes that were sent before it",
    rule: "rule 4",
    file: "src/core/reads/snapshots.ts",
    patch: [["    if (unanswered <= borrower.after) return", "    if (unanswered < 0) return"]],
  },
  {
    name: "a deferred transaction writes though something was committed since its snapshot",
    rule: "rule 15",
    file: "src/core/writes/writer-hands.ts",
    patch: [
      ['step === "begin" ? transaction.commits : undefined;', 'step === "run" ? transaction.commits : undefined;'],
    ],
  },
  {
    name: "a deferred transaction loses its savepoints with its first write",
    rule: "rule 15",
    file: "src/core/reads/read-transactions.ts",
    patch: [["      const steps = [...controls, ...waiting].map(", "      const steps = [...waiting].map("]],
  },
  {
    name: "a snapshot is never too old",
    rule: "rule 16",
    file: "src/core/reads/snapshot-limits.ts",
    patch: [
      [
        "  const ageMs = Math.min(limits.snapshotMs, borrower.limitMs ?? limits.snapshotMs);\n",
        "  const ageMs = Math.max(24 * 3_600_000, limits.snapshotMs, borrower.limitMs ?? limits.snapshotMs);\n",
      ],
    ],
  },
];
