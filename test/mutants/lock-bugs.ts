/** Bugs that are planted in the lock table: who is granted what when, what ends it, who waits for ever. */
import type { Mutant } from "./mutant.js";

export const lockBugs: readonly Mutant[] = [
  {
    name: "who is away is granted what it waits for",
    rule: "rule 8 of the lock service",
    file: "src/core/locks/acquiring.ts",
    patch: [
      [
        "    this.#parts.waits.presence(session);\n    this.#parts.granting.wakeAll",
        "    this.#parts.granting.wakeAll",
      ],
    ],
  },
  {
    name: "who is away holds up those behind it",
    rule: "rule 9 of the lock service",
    file: "src/core/locks/acquiring.ts",
    patch: [
      [
        "    this.#parts.granting.wakeAll([...session.waits.values()].flatMap(locksOf), now);\n  }\n\n  /** It speaks again",
        "  }\n\n  /** It speaks again",
      ],
    ],
  },
  {
    name: "one that does not wait passes those who do",
    rule: "rule 10 of the lock service",
    file: "src/core/locks/lock.ts",
    patch: [
      [
        'return this.mode === "free" && (queue === undefined || queue.first === undefined);',
        'return this.mode === "free";',
      ],
    ],
  },
  {
    name: "one that shares passes one who waits to have it alone",
    rule: "rule 10 of the lock service",
    file: "src/core/locks/lock.ts",
    patch: [["return isSharable(this) && queue?.barrier === undefined;", "return isSharable(this);"]],
  },
  {
    name: "slots are taken from one who waits for more of them",
    rule: "rule 10 of the lock service",
    file: "src/core/locks/lock.ts",
    patch: [["return this.slotsFree - (queue?.takes ?? 0) >= take;", "return this.slotsFree >= take;"]],
  },
  {
    name: "a semaphore is overdrawn by one",
    rule: "rule 16 of the lock service",
    file: "src/core/locks/lock.ts",
    patch: [
      ["        return queue.fits(place, this.slotsFree);", "        return queue.fits(place, this.slotsFree + 1);"],
    ],
  },
  {
    name: "nobody is woken when a lock is given back",
    rule: "rule 11 of the lock service",
    file: "src/core/locks/ends.ts",
    patch: [
      [
        "    for (let one: Holding | undefined = grant.first; one !== undefined; one = one.next)\n      this.#parts.granting.wake(one.lock, now);\n  }\n}",
        "  }\n}",
      ],
    ],
  },
  {
    name: "a lock is granted before the writes of its last holder are settled",
    rule: "rule 5",
    file: "src/core/locks/ends.ts",
    patch: [
      [
        "    return until !== undefined && until > this.#parts.settledThrough() ? until : undefined;",
        "    return until !== undefined && until < this.#parts.settledThrough() ? until : undefined;",
      ],
    ],
  },
  {
    name: "a lock is granted while processes run under it",
    rule: "rule 24",
    file: "src/core/locks/ends.ts",
    patch: [
      ["const processes = terms.guarded && !how.byRelease;", "const processes = terms.guarded && how.byRelease;"],
    ],
  },
  {
    name: "of a run of those who share only the first is granted",
    rule: "rule 10 of the lock service",
    file: "src/core/locks/granting.ts",
    patch: [
      [
        "        this.tryRequest(place.request, now);\n        place = next;",
        '        this.tryRequest(place.request, now);\n        place = next?.mode === "shared" ? undefined : next;',
      ],
    ],
  },
  {
    name: "a request for several names is granted when the first can be had",
    rule: "rule 12 of the lock service",
    file: "src/core/locks/multi-lock.ts",
    patch: [
      [
        "for (let place: Place | undefined = request.first; place !== undefined; place = place.next)",
        "for (let place: Place | undefined = request.first; place === request.first; place = place.next ?? request.first.next)",
      ],
    ],
  },
  {
    name: "an upgrade waits behind the queue",
    rule: "rule 13 of the lock service",
    file: "src/core/locks/lock.ts",
    patch: [
      [
        "  return conversion !== undefined && isPresent(conversion.session);",
        "  return conversion !== undefined && isPresent(conversion.session) && conversion.holding.lock.queue?.first === undefined;",
      ],
    ],
  },
  {
    name: "a second upgrade waits for the first",
    rule: "rule 13 of the lock service",
    file: "src/core/locks/upgrade.ts",
    patch: [
      [
        "    if (lock.conversion !== undefined) return this.#refuseSecond(holding, lock.conversion, ask, now);\n",
        "    if (lock.conversion !== undefined && ask.waitMs === -1) return this.#refuseSecond(holding, lock.conversion, ask, now);\n",
      ],
    ],
  },
  {
    name: "no circle is looked for when an upgrade begins to wait",
    rule: "rule 14 of the lock service",
    file: "src/core/locks/upgrade.ts",
    patch: [
      [
        "const circle = circleOf(conversion, false);",
        "const circle = ask.waitMs === -1 ? circleOf(conversion, false) : undefined;",
      ],
    ],
  },
  {
    name: "no circle is looked for when a request begins to wait",
    rule: "rule 14 of the lock service",
    file: "src/core/locks/acquiring.ts",
    patch: [
      [
        "const circle = circleOf(request, false);",
        "const circle = ask.waitMs === -1 ? circleOf(request, false) : undefined;",
      ],
    ],
  },
  {
    name: "no circle is looked for when a lock is handed on",
    rule: "rule 14 of the lock service",
    file: "src/core/locks/revoking.ts",
    patch: [
      [
        "const circle = circleOf(request, true, grant);",
        "const circle = now < 0 ? circleOf(request, true, grant) : undefined;",
      ],
    ],
  },
  {
    name: "a circle through the lock of an outer command is not seen",
    rule: "rule 14 of the lock service",
    file: "src/core/locks/deadlock.ts",
    patch: [
      [
        "    for (let { outer } = session; outer !== undefined; outer = outer.outer) {\n      for",
        "    for (let { outer } = session; outer !== undefined; outer = undefined) {\n      for",
      ],
    ],
  },
  {
    name: "slots are taken for free because one of their holders was stuck before",
    rule: "rule 14 of the lock service",
    file: "src/core/locks/deadlock.ts",
    patch: [["      this.spared ||= taken > 0;\n", ""]],
  },
  {
    name: "nobody looks who would wait for what is upgraded",
    rule: "rule 14 of the lock service",
    file: "src/core/locks/deadlock.ts",
    patch: [["  if (lock.waiting === 1) return undefined;\n", "  if (lock.waiting > 0) return undefined;\n"]],
  },
  {
    name: "a lock is broken without its grace",
    rule: "rule 22 of the lock service",
    file: "src/core/locks/revoking.ts",
    patch: [
      [
        "    if (graceMs <= 0) return this.graceOver(begun, now);",
        "    if (graceMs >= 0) return this.graceOver(begun, now);",
      ],
    ],
  },
  {
    name: "a lock that is handed on goes to whoever is first",
    rule: "rule 22 of the lock service",
    file: "src/core/locks/revoking.ts",
    patch: [
      [
        "    if (stuck !== undefined) return this.#parts.waits.refuse(session, ask, stuck);",
        "    if (stuck !== undefined) return this.#parts.waits.refuse(session, ask, stuck);\n    request.arrival = -request.arrival;\n    for (const place of placesOf(request)) { place.lock.queue?.remove(place); place.lock.queueOf().push(place, true); }",
      ],
    ],
  },
  {
    name: "a downgrade wakes nobody",
    rule: "rule 13 of the lock service",
    file: "src/core/locks/ends.ts",
    patch: [
      [
        '    else {\n      lock.mode = "shared";\n      this.#parts.granting.wake(lock, now);\n    }',
        '    else {\n      lock.mode = "shared";\n    }',
      ],
    ],
  },
  {
    name: "an upgrade keeps its token",
    rule: "rule 13 of the lock service",
    file: "src/core/locks/granting.ts",
    patch: [["    grant.retoken(tokens.take(), ", "    tokens.take();\n    grant.retoken(before, "]],
  },
  {
    name: "what became of a wait is written down when its places are gone",
    rule: "promise 4",
    file: "src/core/locks/acquiring.ts",
    patch: [
      [
        "      this.#noteWhy(waiting, event, refusal, now);\n      this.#parts.waits.leave(waiting);\n",
        "      this.#parts.waits.leave(waiting);\n      this.#noteWhy(waiting, event, refusal, now);\n",
      ],
    ],
  },
  {
    name: "numbers of events are told twice",
    rule: "CORRECTNESS 22",
    file: "src/core/locks/history.ts",
    patch: [["    this.#count++;\n", '    if (this.#count % 2 === 0 || kind !== "released") this.#count++;\n']],
  },
  {
    name: "numbers of events begin again with each life of the broker",
    rule: "CORRECTNESS 22",
    file: "src/core/locks/history.ts",
    patch: [["    this.#base ??= epoch * perEpoch;", "    this.#base ??= epoch * 0;"]],
  },
  {
    name: "a client's loss of a lock is not told when it is back",
    rule: "rule 13",
    file: "src/core/locks/releasing.ts",
    patch: [
      [
        "    return believed.filter((fence) => !holds(fence));",
        "    return believed.filter((fence) => !holds(fence) && keys.size > 99);",
      ],
    ],
  },
  {
    name: "what a client does not know of any more stays its own",
    rule: "rule 13",
    file: "src/core/locks/releasing.ts",
    patch: [
      [
        "      if (!tokens.has(grant.token) && !isAsked(grant)) ends.end(grant, notBelieved, now);",
        "      if (!tokens.has(grant.token) && !isAsked(grant) && now < 0) ends.end(grant, notBelieved, now);",
      ],
    ],
  },
  {
    name: "a release of an old grant gives back the new one",
    rule: "rule 17 of the lock service",
    file: "src/core/locks/releasing.ts",
    patch: [
      ["    const grant = table.holdingUnder(ask)?.grant;", "    const grant = table.get(ask.name)?.first?.grant;"],
    ],
  },
  {
    name: "a queue place is not taken up again after a crash",
    rule: "rule 26 of the lock service",
    file: "src/core/locks/restoring.ts",
    patch: [
      [
        "    if (waiting !== undefined) this.#parts.waits.join(waiting);",
        "    if (waiting !== undefined && row.convertOf !== undefined) this.#parts.waits.join(waiting);",
      ],
    ],
  },
];
