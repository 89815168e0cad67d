/** The rules without which something acknowledged is lost, or something refused comes back, when a process or the power goes. */
import type { Removal } from "../removal.js";

export const disk: readonly Removal[] = [
  {
    id: "1a",
    without: "the writer's start write commits nothing (BEGIN … ROLLBACK; epoch and tokens only in memory)",
    edits: [
      {
        file: "src/store/writer/meta-row.ts",
        patch: [
          [
            '      database.exec("COMMIT");\n      assertDurable(database);',
            '      database.exec(before.epoch === 0 ? "COMMIT" : "ROLLBACK");\n      assertDurable(database);',
          ],
          ['WHERE id = 1 AND epoch = ?"', 'WHERE id = 1 AND ? > 0"'],
        ],
      },
    ],
    tests: ["faults/disk", "faults/power"],
    first: /killed with at the sync|in doubt|refused for good/,
  },
  {
    id: "1b",
    without: "the start write is not synced (synchronous = NORMAL on the writer)",
    edits: [
      {
        file: "src/sqlite/open.ts",
        patch: [
          ['options.durability === "full" ? "FULL" : "OFF"', 'options.durability === "full" ? "NORMAL" : "OFF"'],
          ["if (level !== 2)", "if (level === 9)"],
        ],
      },
    ],
    tests: ["faults/disk", "faults/power"],
    first: /losses of power|killed with at the sync|in doubt|refused for good/,
  },
  {
    id: "1c",
    without: "readers are started and handed reads while the writer is being replaced, as if it were there",
    edits: [
      {
        file: "src/core/reads/read-line.ts",
        patch: [
          ['this.#holding.writer = state === "starting";', "this.#holding.writer = false;"],
          ["{ writer: true, fold: false }", "{ writer: false, fold: false }"],
          ["withoutWriter: !this.#hasWriter", "withoutWriter: false"],
        ],
      },
    ],
    tests: ["faults/power", "faults/disk"],
    first: /next writer begins/,
  },
  {
    id: "1d",
    without: "a reader that is started without a writer does not sync the log",
    edits: [
      {
        file: "src/store/reader/reader.ts",
        patch: [["if (withoutWriter) syncLog(database);", 'if (!withoutWriter && database === "") syncLog(database);']],
      },
    ],
    tests: ["faults/power"],
    first: /what a reader shows/,
  },
  {
    id: "2a",
    without: "the writer takes no lock of its own",
    edits: [
      {
        file: "src/store/writer/writer.ts",
        patch: [
          [
            "const lock = takeWriterLock(orders.writerLock, report);",
            "const lock = takeWriterLock(`${orders.writerLock}.${process.pid}`, report);",
          ],
        ],
      },
    ],
    tests: ["processes/starting"],
    first: /another directory/,
  },
  {
    id: "2c",
    without: "orphans are not killed",
    edits: [
      {
        file: "src/front/rebirth.ts",
        patch: [
          [
            "const stuck = await killOrphans(places);",
            'const stuck = places.children === "" ? await killOrphans(places) : [];',
          ],
        ],
      },
    ],
    tests: ["processes/child-kills"],
    first: /stands still outlives/,
  },
  {
    id: "2b",
    without:
      "the writer has no lock of its own, does not look at the epoch and does not end at once with its front, and orphans are not killed",
    edits: [
      {
        file: "src/store/pipe/parent.ts",
        patch: [['orders.on("end", end);', 'orders.on("end", () => void setTimeout(end, 500));']],
      },
      {
        file: "src/store/writer/writer.ts",
        patch: [
          [
            "const lock = takeWriterLock(orders.writerLock, report);",
            "const lock = takeWriterLock(`${orders.writerLock}.${process.pid}`, report);",
          ],
        ],
      },
      { file: "src/store/writer/meta-row.ts", patch: [['WHERE id = 1 AND epoch = ?"', 'WHERE id = 1 AND ? > 0"']] },
      {
        file: "src/front/rebirth.ts",
        patch: [
          [
            "const stuck = await killOrphans(places);",
            'const stuck = places.children === "" ? await killOrphans(places) : [];',
          ],
        ],
      },
    ],
    tests: ["processes/order"],
    first: /stood still is never done/,
  },
  {
    id: "2d",
    without: "a start whose writer cannot be had fails instead of serving reads",
    edits: [
      {
        file: "src/front/rebirth.ts",
        patch: [["event.lockHeld === true && stuck.length > 0", "event.lockHeld === true && stuck.length > 1000"]],
      },
    ],
    tests: ["processes/stuck-writer"],
    first: /old writer/,
  },
  {
    id: "9a",
    without: "a failed sync is a refusal like another; the writer goes on",
    edits: [
      {
        file: "src/store/writer/process-end.ts",
        patch: [["if (isDiskFailure(error))", "if (isDiskFailure(error) && exitCodes.diskFailed < 0)"]],
      },
    ],
    tests: ["faults/disk"],
    first: /sync that fails/,
  },
  {
    id: "9b",
    without: "after a failed sync the log is not folded anew",
    edits: [
      {
        file: "src/store/writer/writer.ts",
        patch: [
          ["if (repair || hasFailedDisk(database)) {", 'if (database === "" && (repair || hasFailedDisk(database))) {'],
        ],
      },
    ],
    tests: ["faults/power"],
    first: /after a sync that failed survives/,
  },
  {
    id: "9c",
    without: "after a failed sync the readers live on",
    edits: [
      {
        file: "src/core/store-events.ts",
        patch: [['        if (event.ioFailed) reads.endAll("the disk failed under the writer", now);\n', ""]],
      },
    ],
    tests: ["faults/disk"],
    first: /sync that fails/,
  },
  {
    id: "9d",
    without: "the next front goes on behind the log of one under which the disk had failed",
    edits: [
      {
        file: "src/store/writer/writer.ts",
        patch: [
          ["if (repair || hasFailedDisk(database)) {", 'if (repair || (database === "" && hasFailedDisk(database))) {'],
          ["else if (first && this.#log.bytes > 0)", 'else if (first && database === "")'],
        ],
      },
    ],
    tests: ["faults/power"],
    first: /next broker acknowledges/,
  },
  {
    id: "10a",
    without: "letters leave before the ledger is written",
    edits: [
      {
        file: "src/front/outbox.ts",
        patch: [
          [
            "    const letters = this.#remember(turn);\n    for (const job",
            "    this.#parts.deliver(turn.send);\n    setImmediate(() => this.#remember({ ...turn, send: [] }));\n    const letters: readonly Letter[] = [];\n    for (const job",
          ],
        ],
      },
    ],
    tests: ["processes/remembering"],
    first: /however soon/,
  },
];
