/**
 * The conversations, and letters on their way to them: each goes to its link in the words of the wire, and leaves with
 * the end of the turn. Who does not read what was sent is hung up on.
 */
import type { Letter, Takes } from "../core/index.js";
import { closings, encodeNotification } from "../protocol/index.js";
import { StreamPiece } from "../store/index.js";
import {
  type ConnectionId,
  type Instant,
  type Limits,
  type Millis,
  type Refusal,
  refusals,
  refuse,
  type SnapshotProcessId,
  type WallTime,
} from "../terms/index.js";
import type { Link } from "../transport/index.js";
import { Backlog } from "./backlog.js";
import { Conversation } from "./conversation.js";
import { FrameBudget } from "./frame-budget.js";
import { type AnswerLetter, bodyOf, type Greeting, resultOf } from "./letters.js";
import { noticeOf } from "./notices.js";
import type { FrontLog } from "./options.js";
import { StreamHolds } from "./stream-holds.js";
import { UnansweredOfAll } from "./unanswered-bytes.js";

/** What is told without having been asked for leaves when it is so much, though the turn is not over. */
const noticedBytesMax = 16 * 1024 * 1024;
/** A few answers. */
const littleBytes = 2048;

export interface PostmanParts {
  readonly limits: Limits;
  readonly log: FrontLog;
  readonly greeting: () => Greeting;
  readonly now: () => Instant;
  readonly wallNow: () => WallTime;
  /** Nothing is to be taken from this process for now, because its client does not read; or again. */
  readonly hold: (process: SnapshotProcessId, held: boolean) => void;
  /** How a client takes what is sent to it has changed. */
  readonly takes: (connection: ConnectionId, takes: Takes) => void;
}

export class Postman {
  readonly #parts: PostmanParts;
  readonly #conversations = new Map<ConnectionId, Conversation>();
  /** Conversations that have something to flush. */
  readonly #touched = new Set<Conversation>();
  /** Those that are not read until the turn is over. */
  readonly #resting = new Set<Conversation>();
  readonly #frames = new FrameBudget<Conversation>();
  /** Bytes of notifications since something left. */
  #noticed = 0;
  readonly #unanswered: UnansweredOfAll;
  readonly backlog: Backlog<Conversation>;
  readonly #holds: StreamHolds<Conversation>;

  constructor(parts: PostmanParts) {
    this.#parts = parts;
    this.#unanswered = new UnansweredOfAll(parts.limits.requestBytesAllMax);
    this.backlog = new Backlog(parts.limits, ({ id }, takes) => parts.takes(id, takes));
    this.#holds = new StreamHolds(parts.hold);
  }

  /** What all who are there have asked for and not been answered (bytes of memory, about). */
  get unansweredBytes(): number {
    return this.#unanswered.bytes;
  }

  // ── who is there ──────────────────────────────────────────────────────────────────────────────────────────────────

  open(link: Link): void {
    const { limits, now } = this.#parts;
    this.#conversations.set(link.id, new Conversation(link, { limits, now, all: this.#unanswered }));
  }

  /** Something comes from it, so something may go to it in this turn. */
  touch(link: Link): Conversation | undefined {
    const conversation = this.#conversations.get(link.id);
    if (conversation !== undefined) this.#touched.add(conversation);
    return conversation;
  }

  /**
   * Whether this frame of it is too much for this turn; then it comes again in one of the next. A hello is not: its time
   * runs, and there is no SQL before it.
   */
  putsOff(conversation: Conversation, frame: Buffer): boolean {
    if (!conversation.hasSaidHello || this.#frames.takes(conversation, frame.length)) return false;
    conversation.putOff(frame);
    return true;
  }

  /** When it was heard last (see `heardAt`); undefined: it was not there. */
  gone(link: Link): Instant | undefined {
    const conversation = this.#conversations.get(link.id);
    if (conversation === undefined) return undefined;
    const heardAt = conversation.heardAt(this.#parts.now());
    conversation.gone();
    this.#conversations.delete(link.id);
    this.#touched.delete(conversation);
    this.#resting.delete(conversation);
    this.#frames.gone(conversation);
    this.backlog.gone(conversation);
    this.#holds.release(conversation);
    return heardAt;
  }

  /** It has read all that was sent to it. */
  drained(link: Link): void {
    const conversation = this.#conversations.get(link.id);
    if (conversation !== undefined) this.#holds.release(conversation);
  }

  /** When a connection was heard last, apart from its commands; nothing if it is gone. */
  heardAt(connection: ConnectionId, now: Instant): Instant | undefined {
    return this.#conversations.get(connection)?.heardAt(now);
  }

  /** The broker itself stood still. */
  paused(ms: Millis): void {
    this.backlog.paused(ms);
    for (const conversation of this.#conversations.values()) conversation.stoodStill(ms);
  }

  // ── letters ───────────────────────────────────────────────────────────────────────────────────────────────────────

  deliver(letters: readonly Letter[]): void {
    for (const letter of letters) {
      const conversation = this.#conversations.get(letter.to);
      if (conversation === undefined || conversation.isCutOff) continue;
      this.#touched.add(conversation);
      this.#write(conversation, letter);
    }
  }

  /** The turn is over: what was delivered leaves. What comes from those that are read on belongs to the next turn. */
  flush(now: Instant): void {
    this.#sendOff(now);
    this.#frames.turned((conversation) => conversation.comeAgain());
    if (this.#resting.size === 0) return;
    const rested = [...this.#resting];
    this.#resting.clear();
    for (const conversation of rested) conversation.goOn();
  }

  #sendOff(now: Instant): void {
    this.#noticed = 0;
    // Writing to one lets it run, perhaps on this very processor: who asked for little does not wait for who asked for much.
    const much: Conversation[] = [];
    for (const conversation of this.#touched) {
      if (conversation.link.bufferedBytes > littleBytes) much.push(conversation);
      else this.#leave(conversation);
    }
    for (const conversation of much) this.#leave(conversation);
    this.#touched.clear();
    this.#holds.look();
    for (const slow of this.backlog.takeSlow(now)) this.#cutOff(slow);
  }

  #leave(conversation: Conversation): void {
    conversation.link.flush();
    this.backlog.note(conversation);
    conversation.turned();
    if (conversation.rests) this.#resting.add(conversation);
  }

  sayClosing(reason: string): void {
    for (const { link, encoding } of this.#conversations.values()) {
      link.send(encodeNotification("session.closing", { reason, retryAfterMs: 0 }, encoding));
      link.flush();
    }
  }

  closeAll(reason: string): void {
    for (const { link } of this.#conversations.values()) link.close(closings.restarting.code, reason);
  }

  #write(conversation: Conversation, letter: Letter): void {
    const { link, encoding } = conversation;
    switch (letter.kind) {
      case "answer":
        return conversation.result(letter.request, bodyOf(letter.body, encoding));
      case "refused":
        conversation.decided(letter.request);
        return conversation.refuse(letter.request, letter.refusal, true);
      case "taken":
        link.send(noticeOf(letter, encoding, this.#parts.wallNow()));
        return link.close(closings.sessionTaken.code, refusals.SESSION_TAKEN.meaning);
      case "lost":
      case "queued":
      case "contended":
      case "revoking":
      case "events":
      case "expired":
      case "stream-done":
      case "table-changes":
        return this.#notify(conversation, noticeOf(letter, encoding, this.#parts.wallNow()));
      case "hangup":
        return this.#hangUp(conversation, letter.refusal);
      case "rows":
        if (!(letter.message instanceof StreamPiece)) throw new Error("rows that no child of the store has made");
        this.#holds.sent(conversation, letter.process);
        return link.send(letter.message.bytes);
      case "welcome":
        conversation.decided(letter.request);
        link.admitted();
        break;
      default:
    }
    const { greeting, wallNow } = this.#parts;
    const context = { greeting: greeting(), secret: conversation.secret, wallNow: wallNow() };
    try {
      conversation.answer(letter.request, resultOf(letter, context));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.#cannotAnswer(conversation, letter, error.message);
    }
  }

  /** What is asked for is more than a text can hold. Nobody else may feel that. */
  #cannotAnswer(conversation: Conversation, { kind, request }: AnswerLetter, why: string): void {
    const refusal = refuse("RESULT_TOO_LARGE", `the answer cannot be written down (${why}); ask for less`);
    conversation.refuse(request, refusal, true);
    // By the core's word it watches now.
    if (kind === "watching")
      conversation.link.close(closings.misbehaved.code, "what it watches is too much to be shown");
  }

  /** One event may be told to thousands of watches: what that comes to must not be in memory all at once. */
  #notify({ link }: Conversation, notice: Buffer): void {
    link.send(notice);
    this.#noticed += notice.length;
    if (this.#noticed > noticedBytesMax) this.#sendOff(this.#parts.now());
  }

  #hangUp(conversation: Conversation, refusal: Refusal): void {
    conversation.link.close(hangUpCode(refusal), refusal.message);
  }

  #cutOff(conversation: Conversation): void {
    const { link } = conversation;
    const { bufferedBytes } = link;
    conversation.isCutOff = true;
    this.#parts.log("warn", { connection: link.id, bufferedBytes }, "a client does not read what it asked for");
    link.close(closings.slowConsumer.code, refusals.SLOW_CONSUMER.meaning);
    link.terminate();
  }
}

function hangUpCode({ refused }: Refusal): number {
  if (refused === "HELLO_TIMEOUT") return closings.helloTimeout.code;
  return refused === "SLOW_CONSUMER" ? closings.slowConsumer.code : closings.misbehaved.code;
}
