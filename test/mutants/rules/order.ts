/** The rules without which a read does not see what came before it, a write lands under the next holder's lock, or is done twice. */
import type { Removal } from "../removal.js";

export const order: readonly Removal[] = [
  {
    id: "4a",
    without: "a read does not wait for the writes sent before it",
    edits: [
      {
        file: "src/core/reads/read-line.ts",
        patch: [
          [
            "if (read.session.writes.size > 0) return this.#held.add(read);",
            "if (read.session.writes.size > 1e9) return this.#held.add(read);",
          ],
        ],
      },
    ],
    tests: ["processes/order"],
    first: /follows a write/,
  },
  {
    id: "4b",
    without: "a reader keeps its snapshot open after a batch",
    edits: [
      {
        file: "src/store/reader/reader.ts",
        patch: [
          [
            "ends with the request\n      if (this.database.inTransaction) this.#commit.run();",
            "ends with the request\n      if (this.database.inTransaction && plan.statements.length > 1e9) this.#commit.run();",
          ],
          [
            "    this.#begin.run();\n    try {\n      return this.#batch",
            "    if (!this.database.inTransaction) this.#begin.run();\n    try {\n      return this.#batch",
          ],
        ],
      },
    ],
    tests: ["processes/order"],
    first: /follows a write/,
  },
  {
    id: "5a",
    without: "a name whose grant has ended does not drain",
    edits: [
      {
        file: "src/core/locks/ends.ts",
        patch: [
          [
            "return until !== undefined && until > this.#parts.settledThrough() ? until : undefined;",
            "return until !== undefined && until > 1e15 ? until : undefined;",
          ],
        ],
      },
    ],
    tests: ["processes/order"],
    first: /released behind a slow fenced/,
  },
  {
    id: "5b",
    without: "a release takes effect at once, not after the writes sent before it",
    edits: [
      {
        file: "src/core/writes/sent-order.ts",
        patch: [
          [
            "if (session.followers.length === 0 && this.#firstWaiting(session) === undefined) go(now);",
            "if (session.followers.length < 1e9) go(now);",
          ],
        ],
      },
    ],
    tests: ["processes/order"],
    first: /still waits for its turn when its lock/,
  },
  {
    id: "5c",
    without: "the fence is not checked at dispatch",
    edits: [
      {
        file: "src/core/writes/write-line.ts",
        patch: [
          [
            "write.broken = write.fences.find((fence) => this.#parts.fenceHeld(fence, again) === undefined);",
            "write.broken = write.fences.find((fence) => this.#parts.fenceHeld(fence, again) === undefined && write.fences.length > 1e9);",
          ],
        ],
      },
    ],
    tests: ["faults/strangers"],
    first: /under a wrong token/,
  },
  {
    id: "5d",
    without: "the undispatched writes of a dead session are not dropped",
    edits: [{ file: "src/core/core.ts", patch: [["    this.#writes.dropQueued(session, over, now);\n", ""]] }],
    tests: ["processes/order"],
    first: /leaves no write that still waits/,
  },
  {
    id: "6a",
    without: "the old connection of a resumed session is not closed, and what it sent is still taken",
    edits: [
      {
        file: "src/core/sessions/session-table.ts",
        patch: [
          [
            '      if (old !== undefined) old.session = undefined;\n      this.#parts.draft.send.push({ kind: "taken", to: before });',
            '      if (old === undefined) this.#parts.draft.send.push({ kind: "taken", to: before });',
          ],
        ],
      },
    ],
    tests: ["processes/sessions"],
    first: /while the old one is unread/,
  },
  {
    id: "6b",
    without: "the writer does not look its keys up",
    edits: [
      {
        file: "src/store/writer/job-runner.ts",
        patch: [
          [
            'if (found === undefined) return mode === "run" ? undefined : { id, kind: "absent" };',
            'if (found === undefined || mode === "run") return mode === "run" ? undefined : { id, kind: "absent" };',
          ],
        ],
      },
    ],
    tests: ["processes/sessions"],
    first: /is answered by it/,
  },
  {
    id: "6c",
    without: "a key below the acknowledged mark is executed",
    edits: [
      {
        file: "src/core/sessions/request-keys.ts",
        patch: [["if (key < session.finished.ackedBelow) {", "if (key < session.finished.ackedBelow - 1e9) {"]],
      },
    ],
    tests: ["faults/strangers"],
    first: /that was acknowledged/,
  },
  {
    id: "6d",
    without: "an ended session may be taken up again",
    edits: [
      {
        file: "src/core/client-requests.ts",
        patch: [
          [
            "this.#parts.sessions.hasEnded(hello.session) ||",
            "(this.#parts.sessions.hasEnded(hello.session) && hello.request === -1) ||",
          ],
          [
            '(known === undefined && hello.mode === "resume")',
            '(known === undefined && hello.mode === "resume" && hello.request === -1)',
          ],
        ],
      },
    ],
    tests: ["faults/strangers"],
    first: /session that has ended/,
  },
  {
    id: "6e",
    without: "a used key does not mind another body",
    edits: [
      {
        file: "src/store/statement/body-hash.ts",
        patch: [["    return (high & 0x1fffff) * 0x1_0000_0000 + (low >>> 0);", "    return 0 * high + 0 * low + 7;"]],
      },
    ],
    tests: ["faults/strangers"],
    first: /another body/,
  },
  {
    id: "6f",
    without: "a write that is under way does not answer the same one that is sent again",
    edits: [
      {
        file: "src/core/client-requests.ts",
        patch: [
          [
            "const earlier = command.key === undefined ? undefined : session.writes.get(command.key);",
            'const earlier = command.key === undefined || session.id !== "" ? undefined : session.writes.get(command.key);',
          ],
        ],
      },
    ],
    tests: ["processes/sessions"],
    first: /though by then/,
  },
  {
    id: "6g",
    without: "the answers of a session are forgotten when it ends",
    edits: [
      {
        file: "src/store/writer/replies-kept.ts",
        patch: [
          [
            "    this.#ends.push(session);\n    this.#endsWaiting.add(session);",
            "    this.forget(session, Number.MAX_SAFE_INTEGER);\n    this.#ends.push(session);\n    this.#endsWaiting.add(session);",
          ],
        ],
      },
    ],
    tests: ["processes/sessions"],
    first: /answer was lost/,
  },
];
