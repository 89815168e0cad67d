/**
 * The core's letters in the words of the wire.
 */
import type { GrantView, HolderView, Letter, LockView, WaiterView } from "../core/index.js";
import {
  type Encoding,
  type GrantedLock,
  type HelloResult,
  type HolderRow,
  type LockRow,
  protocolVersions,
  transcode,
  type WaiterRow,
} from "../protocol/index.js";
import { StoreBody } from "../store/index.js";
import { between, type Instant, impossible, type WallTime } from "../terms/index.js";

/** What every welcome says of the broker. */
export type Greeting = Pick<HelloResult, "incarnation" | "epoch" | "broker" | "limits">;

/** A letter that answers no request. */
type Notice = "lost" | "queued" | "contended" | "revoking" | "events" | "taken" | "expired" | "hangup";

/** A letter that answers a request with a result that is not made yet. */
export type AnswerLetter = Exclude<Letter, { kind: "answer" | "refused" | Notice }>;

export interface LetterContext {
  readonly greeting: Greeting;
  readonly secret: string | undefined;
  readonly wallNow: WallTime;
}

/** The result that a child of the store has encoded. */
export function bodyOf(body: unknown, encoding: Encoding): Buffer {
  if (!(body instanceof StoreBody)) throw new Error("an answer that no child of the store has made");
  return body.encoding === encoding ? body.bytes : transcode(body.bytes, body.encoding, encoding);
}

/** The result of what the core has answered by itself. */
export function resultOf(letter: AnswerLetter, context: LetterContext): unknown {
  switch (letter.kind) {
    case "welcome":
      return welcomeOf(letter, context);
    case "granted":
      return { ...grantedLock(letter.grant), waitedMs: Math.round(letter.waitedMs) };
    case "pong":
      return { now: context.wallNow };
    case "converted":
    case "broken":
    case "transferred":
    case "resized":
    case "history":
    case "watching":
    case "unwatched":
      throw new Error(`a letter that nobody can have asked for: ${letter.kind}`);
    case "released":
      return { released: true };
    case "acquire-cancelled":
      return { outcome: letter.outcome };
    case "listing":
      return { locks: letter.locks.map((lock) => lockRow(lock, letter.now, context.wallNow)) };
    case "farewell":
      return {};
    default:
      return impossible(letter, "letter");
  }
}

function welcomeOf(letter: Extract<Letter, { kind: "welcome" }>, { greeting, secret }: LetterContext): HelloResult {
  if (secret === undefined) throw new Error("a welcome without a secret");
  const { session, resumed, grants, lost, windowMs } = letter;
  return {
    protocol: protocolVersions.max,
    session,
    secret,
    resumed,
    grants: grants.flatMap(grantedLocks),
    lost,
    resumeWindowMs: windowMs,
    ...greeting,
  };
}

function grantedLock(grant: GrantView): GrantedLock {
  const [first] = grantedLocks(grant);
  if (first === undefined) throw new Error("a grant of nothing");
  return first;
}

function grantedLocks({ claims, token, key }: GrantView): GrantedLock[] {
  return claims.map(({ name }) => ({ name, token, key }));
}

function lockRow(lock: LockView, now: Instant, wallNow: WallTime): LockRow {
  return {
    name: lock.name,
    draining: lock.ending !== undefined,
    holders: lock.holders.map((holder) => holderRow(holder, now, wallNow)),
    waiters: lock.waiters.map((waiter) => waiterRow(waiter, now)),
    waitersTotal: lock.waitersTotal,
  };
}

function holderRow(
  { session, token, identity, reason, since, connected }: HolderView,
  now: Instant,
  wallNow: WallTime,
): HolderRow {
  const heldMs = Math.max(0, Math.round(between(since, now)));
  return {
    session,
    token,
    program: identity.program,
    pid: identity.process?.pid ?? null,
    reason,
    heldMs,
    since: wallNow - heldMs,
    connected,
  };
}

function waiterRow({ session, identity, reason, place, since, connected }: WaiterView, now: Instant): WaiterRow {
  const waitedMs = Math.max(0, Math.round(between(since, now)));
  return { session, program: identity.program, pid: identity.process?.pid ?? null, reason, place, waitedMs, connected };
}
