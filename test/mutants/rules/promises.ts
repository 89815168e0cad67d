/** The rules without which a program that does nothing wrong loses its lock, its session or its turn. */
import type { Removal } from "../removal.js";

export const promises: readonly Removal[] = [
  {
    id: "11a",
    without: "a pause shifts no deadline",
    edits: [{ file: "src/core/core.ts", patch: [["    this.#deadlines.shift(ms);\n", ""]] }],
    tests: ["processes/sessions"],
    first: /stood still through/,
  },
  {
    id: "11b",
    without: "an end of window is not confirmed: due is over",
    edits: [
      {
        file: "src/core/sessions/quiet.ts",
        patch: [["return quiet && ms >= quietMs && this.#turns >= turn + 2;", "return quiet || ms >= 0 || turn < 0;"]],
      },
    ],
    tests: ["processes/sessions"],
    first: /at the door/,
  },
  {
    id: "12a",
    without: "a zombie is taken for alive",
    edits: [
      {
        file: "src/daemon/processes.ts",
        patch: [
          [
            'if (state === "X" || state === "x") return true;\n  return state === "Z" && !hasOtherThreads(pid);',
            'return state === "X" && hasOtherThreads(pid);',
          ],
        ],
      },
    ],
    tests: ["processes/order"],
    first: /reaped by nobody/,
  },
  {
    id: "12b",
    without: "after a close nobody looks again",
    edits: [
      {
        file: "src/core/sessions/session-table.ts",
        patch: [["const looksAtMs = [5, 20, 100, 500];", "const looksAtMs: number[] = [];"]],
      },
    ],
    tests: ["processes/order"],
    first: /just after its connection was closed/,
  },
  {
    id: "12c",
    without: "holders that are waited for are not looked at",
    edits: [
      {
        file: "src/core/core.ts",
        patch: [
          [
            "const needed = this.#locks.contended || this.#sessions.bound.size > 0;",
            "const needed = this.#sessions.bound.size > 0;",
          ],
        ],
      },
    ],
    tests: ["processes/order"],
    first: /keeps its connection open/,
  },
  {
    id: "12d",
    without: "a pid counts as it is claimed",
    edits: [
      {
        file: "src/front/identity.ts",
        patch: [
          [
            "return processes.startTimeOf(pid) === startTime ? { pid, startTime } : undefined;",
            "return { pid, startTime };",
          ],
        ],
      },
    ],
    tests: ["faults/strangers"],
    first: /does not count/,
  },
  {
    id: "13a",
    without: "a damaged ledger gives no time of grace",
    edits: [
      {
        file: "src/front/rebirth.ts",
        patch: [
          [
            "return { ...nothing, tokensAbove, graceMs: limits.resumeWindowMs };",
            "return { ...nothing, tokensAbove, graceMs: 0 * limits.resumeWindowMs };",
          ],
        ],
      },
    ],
    tests: ["processes/remembering"],
    first: /damaged/,
  },
  {
    id: "13b",
    without: "on a full ledger the grant is told all the same",
    edits: [{ file: "src/front/outbox.ts", patch: [["unwritten.has(grant.token) ?", "unwritten.size < 0 ?"]] }],
    tests: ["faults/disk"],
    first: /has told nobody/,
  },
  {
    id: "13c",
    without: "what the client does not list at hello is not released",
    edits: [
      {
        file: "src/core/locks/releasing.ts",
        patch: [
          [
            "if (!tokens.has(grant.token) && !isAsked(grant)) ends.end",
            "if (!tokens.has(grant.token) && !isAsked(grant) && now < 0) ends.end",
          ],
        ],
      },
    ],
    tests: ["processes/remembering"],
    first: /did not hear/,
  },
  {
    id: "13d",
    without: "with a full ledger acquires are taken",
    edits: [
      {
        file: "src/core/client-requests.ts",
        patch: [["const isRefused = this.ledgerFull && !this", "const isRefused = command.key < 0 && !this"]],
      },
    ],
    tests: ["faults/disk"],
    first: /full disk under the ledger/,
  },
  {
    id: "13e",
    without: "a ledger that is gone is taken for the first of all",
    edits: [
      {
        file: "src/front/rebirth.ts",
        patch: [["if (!ready.heldBefore || !isOfThisRun", "if (parts.now >= 0 || !ready.heldBefore || !isOfThisRun"]],
      },
    ],
    tests: ["processes/remembering"],
    first: /gone/,
  },
  {
    id: "16a",
    without: "the log is never folded by readers making room",
    edits: [
      {
        file: "src/core/reads/log-fold.ts",
        patch: [
          [
            'if (walBytes < walBytesMax || this.#state !== "quiet" || !this.#canFold) return;',
            'if (walBytes < walBytesMax * 1e9 || this.#state !== "quiet" || !this.#canFold) return;',
          ],
        ],
      },
    ],
    tests: ["faults/neighbours"],
    first: /log stays bounded/,
  },
  {
    id: "16b",
    without: "one session may have all readers, and nobody gives one up",
    edits: [
      {
        file: "src/core/reads/pool-share.ts",
        patch: [
          ["return ready < 2 || used === 0 || unused > 1 ? best : bestOwn;", "return best ?? bestOwn;"],
          ["const crowdedMs = 2000;", "const crowdedMs = 2e9;"],
        ],
      },
    ],
    tests: ["faults/endless-statements"],
    first: /fills every reader|behind an endless/,
  },
  {
    id: "16c",
    without: "what stands behind a slow read is not given to others",
    edits: [
      {
        file: "src/core/reads/read-line.ts",
        patch: [
          [
            "    this.#giveBack(takeBack(reader, 1));\n    reader.stuck = true;\n    if (head.read",
            "    if (head.read",
          ],
        ],
      },
    ],
    tests: ["faults/endless-statements"],
    first: /behind an endless/,
  },
  {
    id: "16d",
    without: "TEMP is taken",
    edits: [
      {
        file: "src/store/gate/definition.ts",
        patch: [
          [
            "      // rule 16\n      return phrase.refuse(",
            "      if (phrase.length > 0) return undefined;\n      return phrase.refuse(",
          ],
        ],
      },
    ],
    tests: ["faults/statements"],
    first: /TEMP/,
  },
  {
    id: "16e",
    without: "the names of a statement's columns are remembered",
    edits: [
      {
        file: "src/store/statement/result.ts",
        patch: [
          [
            "  const names = statement.columns().map(({ name }) => name);",
            "  const names = namesOf.get(statement) ?? statement.columns().map(({ name }) => name);\n  namesOf.set(statement, names);",
          ],
          [
            "/** Rows without what was changed:",
            "const namesOf = new WeakMap<Statement, string[]>();\n\n/** Rows without what was changed:",
          ],
        ],
      },
    ],
    tests: ["faults/neighbours"],
    first: /prepared before/,
  },
  {
    id: "16f",
    without: "the rowid is reported although nothing was inserted",
    edits: [
      {
        file: "src/store/writer/changes.ts",
        patch: [
          [
            "if (this.#last !== before) return this.#last;",
            "if (this.#last !== before || text.length >= 0) return this.#last;",
          ],
          [
            "const rowid = inserts && changed > 0 ? this.#inserted(statement.text, before, { marked, masked }) : null;\n      const counted",
            "const rowid = inserts ? this.#inserted(statement.text, before, { marked, masked }) : null;\n      const counted",
          ],
        ],
      },
    ],
    tests: ["faults/neighbours"],
    first: /inserts nothing/,
  },
  {
    id: "11c",
    without: "what the broker itself does not read counts as silence",
    edits: [{ file: "src/front/conversation.ts", patch: [["    if (this.#paused) return now;\n", ""]] }],
    tests: ["processes/leases"],
    first: /holds back the reading/,
  },
  {
    id: "11d",
    without: "only whole frames are a sign of life",
    edits: [
      {
        file: "src/front/conversation.ts",
        patch: [
          [
            "const heard = bytesRead === this.#bytesCommanded ? longAgo : after(now, -quietMs);",
            "const heard = bytesRead >= 0 || quietMs < 0 ? longAgo : now;",
          ],
        ],
      },
    ],
    tests: ["processes/leases"],
    first: /large frame/,
  },
  {
    id: "14a",
    without: "a database that was put back to an older state is taken for the same one",
    edits: [
      {
        file: "src/front/rebirth.ts",
        patch: [["if (!another && seq <= storedSeq && tokensTo <= tokensFrom)", "if (!another || seq > storedSeq)"]],
      },
    ],
    tests: ["processes/remembering"],
    first: /put back/,
  },
  {
    id: "14b",
    without: "the tokens that the ledger knows of do not count when the database was put back",
    edits: [
      {
        file: "src/front/rebirth.ts",
        patch: [["aboveAll(Math.max(tokensTo, byClock), ready)", "aboveAll(Math.max(0 * tokensTo, byClock), ready)"]],
      },
    ],
    tests: ["processes/remembering"],
    first: /put back/,
  },
  {
    id: "14c",
    without: "the start write reserves no tokens: they begin where they began the last time",
    edits: [
      {
        file: "src/store/writer/meta-row.ts",
        patch: [[".run(epoch, bootId, tokensTo, place);", ".run(epoch, bootId, before.tokens_to, place);"]],
      },
    ],
    tests: ["processes/remembering"],
    first: /known to the next broker/,
  },
  {
    id: "15a",
    without: "a transaction goes on when a lock that it relies on is lost",
    edits: [
      {
        file: "src/core/writes/transactions.ts",
        patch: [
          [
            "    for (const { transaction, fence } of this.#list.relyingOn(token)) {",
            "    for (const { transaction, fence } of token < 0 ? this.#list.relyingOn(token) : []) {",
          ],
        ],
      },
    ],
    tests: ["processes/transactions"],
    first: /lost in the middle/,
  },
  {
    id: "15b",
    without: "the key of a commit is not looked up when its transaction is not there",
    edits: [
      {
        file: "src/core/writes/transactions.ts",
        patch: [["      seenBefore ? this.#lookUp(", "      seenBefore && command.transaction < 0 ? this.#lookUp("]],
      },
    ],
    tests: ["processes/transactions"],
    first: /killed after a commit/,
  },
  {
    id: "15c",
    without: "a transaction may be idle for ever while others wait",
    edits: [
      {
        file: "src/core/writes/transactions.ts",
        patch: [
          [
            "    const refusal = this.#times.due(transaction, now);\n    if (refusal !== undefined)",
            "    const refusal = this.#times.due(transaction, now);\n    if (refusal !== undefined && transaction.number < 0)",
          ],
        ],
      },
    ],
    tests: ["processes/transactions"],
    first: /does nothing while others wait/,
  },
];
