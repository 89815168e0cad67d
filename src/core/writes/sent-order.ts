/**
 * The order in which one session has asked: what takes effect after its writes waits until they are with the writer
 * (rule 5), and what it sends after a commit does not get to the writer before it.
 */
import type { Instant, SessionId } from "../../terms/index.js";
import type { FairShare } from "../fair-share.js";
import type { Session } from "../sessions/session.js";
import type { Write } from "./write.js";

export class SentOrder {
  /** Plain writes that wait. */
  readonly #line: FairShare<Write>;
  /** Commits that are asked for and not with the writer, by session, in order. */
  readonly #commits = new Map<SessionId, Write[]>();

  constructor(line: FairShare<Write>) {
    this.#line = line;
  }

  /** No commit is asked for: nobody needs to ask `mayLeave`. */
  get free(): boolean {
    return this.#commits.size === 0;
  }

  /** Whether the first plain write of this session may go to the writer. */
  readonly mayLeave = (owner: string): boolean => {
    const commit = this.#commits.get(owner as SessionId)?.[0];
    if (commit === undefined) return true;
    return (this.#line.firstOf(owner)?.order ?? 0) < commit.order;
  };

  /** Does something when all writes that the session has sent so far are with the writer, or have their outcome. */
  afterSent(session: Session, go: (now: Instant) => void, now: Instant): void {
    if (session.followers.length === 0 && this.#firstWaiting(session) === undefined) go(now);
    else session.followers.push({ order: session.writesSent, go });
  }

  /** The same for those up to one of them, which is with the writer itself. */
  afterOrder(session: Session, order: number, go: (now: Instant) => void, now: Instant): void {
    const waiting = this.#firstWaiting(session);
    if (waiting === undefined || waiting.order > order) return go(now);
    const { followers } = session;
    const behind = followers.findIndex((follower) => follower.order > order);
    followers.splice(behind < 0 ? followers.length : behind, 0, { order, go });
  }

  commitAsked(commit: Write): void {
    const known = this.#commits.get(commit.owner);
    if (known === undefined) this.#commits.set(commit.owner, [commit]);
    else known.push(commit);
  }

  /** It is with the writer, or has its outcome without. */
  commitLeft(commit: Write, now: Instant): void {
    const commits = this.#commits.get(commit.owner);
    const place = commits?.indexOf(commit) ?? -1;
    if (commits === undefined || place < 0) return;
    commits.splice(place, 1);
    if (commits.length === 0) this.#commits.delete(commit.owner);
    if (commit.session !== undefined) this.left(commit.session, now);
  }

  /** Something of this session does not wait any more: what waited only for that goes on. */
  left(session: Session, now: Instant): void {
    const { followers } = session;
    for (let next = followers[0]; next !== undefined; next = followers[0]) {
      const waiting = this.#firstWaiting(session);
      if (waiting !== undefined && waiting.order <= next.order) return;
      followers.shift();
      next.go(now);
    }
  }

  /** The first write of the session that is asked for and not with the writer. */
  #firstWaiting(session: Session): Write | undefined {
    const write = this.#line.firstOf(session.id);
    const commit = this.#commits.get(session.id)?.[0];
    if (write === undefined || commit === undefined) return write ?? commit;
    return write.order < commit.order ? write : commit;
  }
}
