/** The rules of starting, ending and living beside other programs. */
import type { Removal } from "../removal.js";

export const operations: readonly Removal[] = [
  {
    id: "17a",
    without: "children do not ignore INT, TERM and HUP",
    edits: [
      {
        file: "src/store/pipe/parent.ts",
        patch: [['for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});', ""]],
      },
    ],
    tests: ["processes/ending"],
    first: /Ctrl-C/,
  },
  {
    id: "17b",
    without: "the front ends without waiting for what is under way",
    edits: [{ file: "src/front/front.ts", patch: [["    await this.#until(() => this.#core.idle, drainMs);\n", ""]] }],
    tests: ["processes/ending"],
    first: /SIGTERM under load/,
  },
  {
    id: "19a",
    without: "the self-check opens the lock's file",
    edits: [
      {
        file: "src/daemon/self-check.ts",
        patch: [
          [
            "    const now = look(database);\n",
            '    const { brokerLock } = this.#parts as unknown as { brokerLock: string };\n    closeSync(openSync(brokerLock, "r"));\n    const now = look(database);\n',
          ],
          ["import { type Stats, statSync }", "import { closeSync, openSync, type Stats, statSync }"],
        ],
      },
    ],
    tests: ["processes/starting"],
    first: /second broker on the same/,
  },
  {
    id: "18a",
    without: "clients that come back share the few places of newcomers",
    edits: [
      {
        file: "src/transport/admission.ts",
        patch: [
          [
            'return purpose === "resuming" ? resumingMax : unauthenticatedMax;',
            "return resumingMax < 0 ? resumingMax : unauthenticatedMax;",
          ],
        ],
      },
    ],
    tests: ["processes/sessions"],
    first: /places of newcomers/,
  },
  {
    id: "24a",
    without: "a lock is given on while what ran under it still runs",
    edits: [
      {
        file: "src/front/guarded-commands.ts",
        patch: [
          [
            "    if (this.#endings.has(job.token)) return;\n",
            "    if (this.#endings.has(job.token)) return;\n    this.#parts.gone(job.token);\n    if (job.token > 0) return;\n",
          ],
        ],
      },
    ],
    tests: ["processes/guarded-commands"],
    first: /program that began it/,
  },
  {
    id: "24b",
    without: "the token in a process's environment does not matter",
    edits: [
      {
        file: "src/front/guarded-commands.ts",
        patch: [
          [
            "if (carrier.locks.some(({ token, session }) => token === job.token && session === job.session))",
            "if (carrier.locks.some(({ session }) => session === job.session))",
          ],
        ],
      },
    ],
    tests: ["processes/guarded-commands"],
    first: /nobody is hit/,
  },
  {
    id: "24c",
    without: "the session in a process's environment does not matter",
    edits: [
      {
        file: "src/front/guarded-commands.ts",
        patch: [
          [
            "if (carrier.locks.some(({ token, session }) => token === job.token && session === job.session))",
            "if (carrier.locks.some(({ token }) => token === job.token))",
          ],
        ],
      },
    ],
    tests: ["processes/guarded-commands"],
    first: /nobody is hit/,
  },
  {
    id: "24d",
    without: "one look that finds nobody is enough, and a command that is told is not waited for",
    edits: [
      {
        file: "src/front/guarded-commands.ts",
        patch: [
          [
            "const { carriers, awaited, lookedAt, clearLooks } = ending;",
            "const { awaited, lookedAt, clearLooks } = ending;\n    const carriers: readonly Carrier[] = [];",
          ],
          ["found.length === 0 && !ending.awaited", "found.length >= 0 && !ending.awaited"],
        ],
      },
    ],
    tests: ["processes/guarded-commands"],
    first: /does not end when it is told/,
  },
  {
    id: "24e",
    without: "a command that is being ended is forgotten with the broker",
    edits: [
      {
        file: "src/core/locks/restoring.ts",
        patch: [
          ["if (ending !== undefined) return this.#parts.ends.restore(grant);", "if (ending !== undefined) return;"],
        ],
      },
    ],
    tests: ["processes/guarded-commands"],
    first: /takes that up again/,
  },
  {
    id: "26a",
    without: "nobody looks who else has the database locked",
    edits: [
      {
        file: "src/store/writer/lock-holders.ts",
        patch: [["pidsIn(table, inodes, kinds).map(", 'pidsIn(inodes.size > 99 ? table : "", inodes, kinds).map(']],
      },
    ],
    tests: ["faults/intruder"],
    first: /another program/,
  },
];
