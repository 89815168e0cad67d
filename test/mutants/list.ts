/** The bugs that are planted, by the room that they are planted in. */
import { lockBugs } from "./lock-bugs.js";
import type { Mutant } from "./mutant.js";
import { readBugs } from "./read-bugs.js";
import { watchBugs } from "./watch-bugs.js";

export const mutants: readonly Mutant[] = [
  ...lockBugs,
  ...readBugs,
  ...watchBugs,
  {
    name: "who waits for the writer is kept out for ever by those who come anew",
    rule: "promise 10",
    file: "src/core/writes/write-line.ts",
    patch: [["    if (this.#line.length > 0 && this.#turns.nobody) this.#letIn(now);\n", ""]],
  },
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
    patch: [["const above = Math.max(this.tokensAbove, least);", "const above = least;"]],
  },
  {
    name: "a session's end is taken for confirmed as soon as it is due: timers come before input",
    rule: "rule 11",
    file: "src/core/sessions/quiet.ts",
    patch: [["    return quiet && ms >= quietMs && this.#turns >= turn + 2;", "    return quiet || ms >= 0;"]],
  },
  {
    name: "a lease that is over is renewed by its holder's last look",
    rule: "rule 17 of the lock service",
    file: "src/core/sessions/lease.ts",
    patch: [
      [
        '    else if (lease.kind === "asked-again") this.#lose(session, now);',
        '    else if (lease.kind === "asked-again") this.#judge(session, now, (session.heardAt = now));',
      ],
    ],
  },
  {
    name: "a pause of the broker ends leases",
    rule: "rule 11",
    file: "src/core/sessions/lease.ts",
    patch: [["      session.heardAt = after(session.heardAt, ms);\n", ""]],
  },
  {
    name: "what is looked up for a commit under a caller's own key does not take its place",
    rule: "rule 4",
    file: "src/core/writes/write.ts",
    patch: [["  return write.key ?? write.insteadOf ?? write;", "  return write.key ?? write;"]],
  },
  {
    name: "a commit under a caller's own key is refused with its transaction, and the store is not asked",
    rule: "rule 15",
    file: "src/core/writes/transaction-ends.ts",
    patch: [["        if (step.ownKey === true) return this.lookUp(step, refusal, now);\n", ""]],
  },
  {
    name: "a lease is renewed by nothing that its holder asks",
    rule: "rule 19 of the lock service",
    file: "src/core/client-requests.ts",
    patch: [["    if (session !== undefined) session.heardAt = now;\n", ""]],
  },
  {
    name: "the ledger of another run of the machine is believed",
    rule: "rule 13",
    file: "src/front/rebirth.ts",
    patch: [
      [
        "  return previousBootId === bootId || previousBootId === null || previousBootId === bootIdElsewhere;",
        "  return previousBootId === bootId || previousBootId !== bootId || previousBootId === bootIdElsewhere;",
      ],
    ],
  },
  {
    name: "a ledger beside an older database is believed",
    rule: "rule 14",
    file: "src/front/rebirth.ts",
    patch: [["  if (!another && seq <= storedSeq && tokensTo <= tokensFrom)", "  if (!another || seq <= storedSeq)"]],
  },
  {
    name: "nobody waits out the window after a ledger was damaged",
    rule: "rule 13",
    file: "src/front/rebirth.ts",
    patch: [
      [
        "  return { ...nothing, tokensAbove, graceMs: limits.resumeWindowMs };",
        "  return { ...nothing, tokensAbove, graceMs: 0 };",
      ],
    ],
  },
  {
    name: "a grant that won the race against its cancel is kept by nobody",
    rule: "rule 6 of the lock service",
    file: "src/client/conversation/lock-answers.ts",
    patch: [
      [
        "    if (call.cancelled) return this.giveBack(grant, call.own ? undefined : call, now);\n",
        "    if (call.cancelled) return this.#draft.refuse(call, wasCancelled);\n",
      ],
    ],
  },
  {
    name: "a client counts its lease from the answer",
    rule: "rule 3 of the lock service",
    file: "src/client/conversation/lock-answers.ts",
    patch: [
      [
        "    grant.leaseFrom = later(call.sentAt, after(call.since, Math.min(waitedMs, now - call.since) - 1));",
        "    grant.leaseFrom = later(now, after(call.since, Math.min(waitedMs, now - call.since) - 1));",
      ],
    ],
  },
  {
    name: "a client asks again under another key",
    rule: "rule 7 of the lock service",
    file: "src/client/conversation/in-flight.ts",
    patch: [
      [
        "    if (call.key === 0) this.#giveKey(call);",
        '    if (call.key === 0 || call.kind === "acquire") this.#giveKey(call);',
      ],
    ],
  },
  {
    name: "a client that was away goes on with locks that it lost",
    rule: "rule 19 of the lock service",
    file: "src/client/conversation/grants.ts",
    patch: [["      if (upgraded === undefined) this.#isGone(", "      if (upgraded !== undefined) this.#isGone("]],
  },
];
