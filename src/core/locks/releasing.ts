/** Locks given back: by their holder, because its client does not know of them any more, or with the end of its session. */
import type { Instant, LockName, Refusal, RequestKey } from "../../terms/index.js";
import type { Fence, ReleaseCommand } from "../command.js";
import type { Draft } from "../draft.js";
import type { Session } from "../sessions/session.js";
import type { Acquiring } from "./acquiring.js";
import { type Ends, givenUp, notBelieved, released, sessionOver } from "./ends.js";
import { type Grant, holdingsOf } from "./grant.js";
import type { Granting } from "./granting.js";
import type { Lock } from "./lock.js";
import type { LockTable } from "./lock-table.js";
import { notHeld } from "./lock-view.js";
import { locksOf } from "./request.js";
import { printOf } from "./request-print.js";
import type { Waits } from "./waits.js";

export interface ReleasingParts {
  readonly draft: Draft;
  readonly table: LockTable;
  readonly waits: Waits;
  readonly granting: Granting;
  readonly ends: Ends;
  readonly acquiring: Acquiring;
}

/** How a session came to its end, and why in words. */
export interface SessionEnd {
  readonly how: "given back" | "taken";
  readonly why: string;
}

export class Releasing {
  readonly #parts: ReleasingParts;

  constructor(parts: ReleasingParts) {
    this.#parts = parts;
  }

  /** By any of its names, all of the grant. */
  release(session: Session, ask: ReleaseCommand, now: Instant): void {
    const { waits, ends, table, draft, acquiring } = this.#parts;
    if (acquiring.finishedBefore(session, ask)) return;
    const grant = table.holdingUnder(ask)?.grant;
    if (grant?.session !== session) return waits.refuse(session, ask, notHeld(ask, session));
    ends.end(grant, ask.lost ? givenUp : released, now);
    session.finished.add(ask.key, printOf(ask), { kind: "released" });
    draft.send.push({ kind: "released", to: ask.connection, request: ask.request });
  }

  /** With a write that is on disk. What is not held any more, or is another's, is passed over: the write is applied. */
  giveBack(session: Session, locks: readonly Fence[], now: Instant): void {
    const { ends, table } = this.#parts;
    for (const fence of locks) {
      const grant = table.holdingUnder(fence)?.grant;
      if (grant?.session === session) ends.end(grant, released, now);
    }
  }

  /**
   * Its client speaks again. What it does not believe in is given back (rule 13): places first, so that what is given
   * back is not granted to a request that nobody will answer for. Gives what it believes in and is not so.
   */
  reconcile(
    session: Session,
    believed: readonly Fence[],
    pending: readonly RequestKey[],
    now: Instant,
  ): readonly Fence[] {
    const { waits, ends, table, granting } = this.#parts;
    const tokens = new Set(believed.map((fence) => fence.token));
    const keys = new Set(pending);
    const left: Lock[] = [];
    for (const waiting of [...session.waits.values()]) {
      if (keys.has(waiting.key)) continue;
      waits.leave(waiting);
      left.push(...locksOf(waiting));
    }
    waits.presence(session);
    const isAsked = ({ key, converted }: Grant) => keys.has(key) || (converted !== undefined && keys.has(converted));
    for (const grant of [...session.grants.values()])
      if (!tokens.has(grant.token) && !isAsked(grant)) ends.end(grant, notBelieved, now);
    // Its last connection may be open still: then it was not passed over, and others stood behind it.
    if (left.length > 0) granting.wakeAll(left, now);
    // One that was converted under a key that is asked for again is held, though under another token.
    const converted = namesConverted(session, keys);
    const holds = (fence: Fence) => table.holdingUnder(fence)?.grant.session === session || converted.has(fence.name);
    return believed.filter((fence) => !holds(fence));
  }

  /** Its grants end and its places go. */
  sessionEnds(session: Session, { how, why }: SessionEnd, over: Refusal, now: Instant): void {
    const { acquiring, waits, ends } = this.#parts;
    // None of its places can be granted while they are given up one by one.
    waits.presence(session);
    acquiring.refuseAll([...session.waits.values()], "cancelled", over, now);
    for (const grant of [...session.grants.values()]) ends.end(grant, sessionOver(how, why), now);
  }
}

/** In one look at what it holds: a client may believe in as much as it likes. */
function namesConverted(session: Session, keys: ReadonlySet<RequestKey>): ReadonlySet<LockName> {
  const names = new Set<LockName>();
  for (const grant of session.grants.values()) {
    if (grant.converted === undefined || !keys.has(grant.converted)) continue;
    for (const { lock } of holdingsOf(grant)) names.add(lock.name);
  }
  return names;
}
