/**
 * The core's letters in the words of the wire.
 */
import type { GrantView, Letter } from "../core/index.js";
import {
  type AcquireResult,
  type Encoding,
  type GrantedLock,
  type HelloResult,
  protocolVersions,
  transcode,
} from "../protocol/index.js";
import { StoreBody } from "../store/index.js";
import { impossible, type WallTime } from "../terms/index.js";
import { eventRow, lockRow } from "./lock-rows.js";
import type { Notice } from "./notices.js";

/** What every welcome says of the broker. */
export type Greeting = Pick<HelloResult, "incarnation" | "epoch" | "broker" | "runDir" | "limits">;

/** A letter that answers a request with a result that is not made yet. */
export type AnswerLetter = Exclude<Letter, Notice | { kind: "answer" | "refused" | "hangup" | "rows" }>;

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
      return grantedResult(letter);
    case "converted":
      return { ...letter.fence, waitedMs: Math.round(letter.waitedMs) };
    case "pong":
      return { now: context.wallNow };
    case "released":
      return { released: true };
    case "begun":
      return letter.seq === undefined ? { tx: letter.transaction } : { tx: letter.transaction, seq: letter.seq };
    case "committed":
      return { seq: letter.seq };
    case "rolled-back":
      return {};
    case "acquire-cancelled":
      return { outcome: letter.outcome };
    case "listing":
      return { locks: lockRows(letter, context), ...(letter.more ? { more: true } : {}) };
    case "broken":
      return { ended: letter.ended };
    case "transferred":
      return { from: letter.from, to: letter.heir };
    case "resized":
      return { slots: letter.slots };
    case "history":
      return { events: letter.events.map((event) => eventRow(event, { now: letter.now, wallNow: context.wallNow })) };
    case "watching": {
      const { upTo, gap, locks, now } = letter;
      return { upTo, gap, ...(locks === undefined ? {} : { locks: lockRows({ locks, now }, context) }) };
    }
    case "table-watching": {
      const { upTo, source, gap, absent } = letter;
      return { upTo, source, gap, absent };
    }
    case "unwatched":
    case "farewell":
      return {};
    default:
      return impossible(letter, "letter");
  }
}

function welcomeOf(letter: Extract<Letter, { kind: "welcome" }>, { greeting, secret }: LetterContext): HelloResult {
  if (secret === undefined) throw new Error("a welcome without a secret");
  const { session, role, resumed, grants, lost, windowMs } = letter;
  return {
    protocol: protocolVersions.max,
    session,
    secret,
    role,
    resumed,
    grants: grants.flatMap(grantedLocks),
    lost,
    resumeWindowMs: windowMs,
    ...greeting,
  };
}

function grantedResult({ grant, waitedMs, waiting }: Extract<Letter, { kind: "granted" }>): AcquireResult {
  const { claims, token, key } = grant;
  const [first, ...further] = claims;
  if (first === undefined) throw new Error("a grant of nothing");
  const result = { name: first.name, token, key, waitedMs: Math.round(waitedMs), waiting };
  return further.length === 0 ? result : { ...result, also: further.map(({ name }) => name) };
}

function grantedLocks({ claims, token, key }: GrantView): GrantedLock[] {
  return claims.map(({ name }) => ({ name, token, key }));
}

function lockRows(
  { locks, now }: Pick<Extract<Letter, { kind: "listing" }>, "locks" | "now">,
  { wallNow }: LetterContext,
) {
  return locks.map((lock) => lockRow(lock, { now, wallNow }));
}
