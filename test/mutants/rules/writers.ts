/** The rules without which one program's statement decides what becomes of another's. */
import type { Removal } from "../removal.js";

export const writers: readonly Removal[] = [
  {
    id: "3a",
    without: "after a request it is not looked whether the transaction is still there",
    edits: [
      {
        file: "src/store/writer/group-commit.ts",
        patch: [["if (!transaction.open) {", "if (!transaction.open && answers.length > 1e9) {"]],
      },
    ],
    tests: ["faults/neighbours"],
    first: /rolls the whole/,
  },
  {
    id: "3b",
    without: "answers are sent before COMMIT (a commit that fails is not told)",
    edits: [
      {
        file: "src/store/writer/group-commit.ts",
        patch: [
          [
            'return refusal === undefined || !wrote ? settled : { kind: "failed", refusal };',
            'return refusal === undefined || members.length > 0 ? settled : { kind: "failed", refusal };',
          ],
        ],
      },
    ],
    tests: ["faults/disk"],
    first: /full disk under the database/,
  },
  {
    id: "7a",
    without: "nothing runs alone",
    edits: [
      {
        file: "src/store/writer/write-queue.ts",
        patch: [
          [
            'if (job.message.alone || plan.alone || (schemaDefers && plan.access === "write")) return true;',
            'if ((job.message.alone || plan.alone || (schemaDefers && plan.access === "write")) && plan.kind === "script") return true;',
          ],
        ],
      },
    ],
    tests: ["faults/neighbours"],
    first: /deferred constraint|setting that one/,
  },
  {
    id: "8a",
    without: "the statement that ran is not noted: nobody is named",
    edits: [
      {
        file: "src/store/writer/transaction.ts",
        patch: [['this.#parts.progress.note(at, "running");', 'this.#parts.progress.note(seq(0), "idle");']],
      },
    ],
    tests: ["faults/endless-statements"],
    first: /of 50 writes/,
  },
  {
    id: "8b",
    without: "all that was in a dead writer's hands is refused, not run again",
    edits: [
      {
        file: "src/core/writes/settlement.ts",
        patch: [
          [
            '  return { kind: "again" };\n',
            '  return { kind: "refused", refusal: refuse("STATEMENT_CRASHED", "the writer died") };\n',
          ],
        ],
      },
    ],
    tests: ["faults/endless-statements"],
    first: /of 50 writes/,
  },
  {
    id: "8c",
    without: "the statement that ran when the writer died runs again",
    edits: [
      {
        file: "src/core/writes/settlement.ts",
        patch: [
          ["if (write.seq === culprit) return", "if (write.seq === culprit && write.deaths > 1e9) return"],
          ["if (write.deaths >= deathsMax) {", "if (write.deaths >= 1e9) {"],
        ],
      },
    ],
    tests: ["faults/endless-statements"],
    first: /of 50 writes/,
  },
  {
    id: "8d",
    without: "a write statement has no limit",
    edits: [
      {
        file: "src/core/writes/write-clock.ts",
        patch: [
          [
            'if (runningMs >= limit) return "timeout";\n  return now.contended &&',
            'if (runningMs >= limit + 1e9) return "timeout";\n  return now.contended && limit < 0 &&',
          ],
        ],
      },
    ],
    tests: ["faults/endless-statements"],
    first: /endless write is ended/,
  },
  {
    id: "8e",
    without: "the watchdog does not follow the pause rule",
    edits: [
      {
        file: "src/core/writes/write-clock.ts",
        patch: [
          [
            "for (const { from, to } of this.#pauses) ms -= Math.max(0, to - Math.max(from, since));",
            "for (const { from, to } of this.#pauses) ms -= 0 * (to - from);",
          ],
        ],
      },
      { file: "src/core/reads/read-line.ts", patch: [["      reader.headSince = after(reader.headSince, ms);\n", ""]] },
    ],
    tests: ["processes/pauses"],
    first: /stands still/,
  },
  {
    id: "8f",
    without: "a cancel kills at once",
    edits: [
      {
        file: "src/core/writes/write-clock.ts",
        patch: [['runningMs >= limits.cancelRunningMs) return "cancel";', 'runningMs >= 0) return "cancel";']],
      },
    ],
    tests: ["faults/endless-statements"],
    first: /comes early/,
  },
  {
    id: "8g",
    without: "a write whose group is committed is run again",
    edits: [
      {
        file: "src/core/writes/settlement.ts",
        patch: [
          [
            "if (write.seq <= storedSeq && write.settles === undefined) {",
            "if (write.seq <= storedSeq - 1e9 && write.settles === undefined) {",
          ],
        ],
      },
    ],
    tests: ["faults/disk"],
    first: /next writer finds in the log/,
  },
  {
    id: "8h",
    without: "whose statements are killed may go on as before",
    edits: [{ file: "src/core/writes/write-clock.ts", patch: [["const killsMax = 3;", "const killsMax = 3e9;"]] }],
    tests: ["faults/endless-statements"],
    first: /ended by force/,
  },
];
