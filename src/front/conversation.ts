/**
 * One connection as the front knows it: its link, what is in flight on it, and whether it reads what it asked for.
 */
import { answerMessage, type Encoding, encodeRefusal, resultMessage } from "../protocol/index.js";
import {
  after,
  type ConnectionId,
  type Instant,
  instant,
  type Limits,
  later,
  type Millis,
  type Refusal,
  type RequestId,
} from "../terms/index.js";
import type { Link } from "../transport/index.js";
import { Transacting } from "./transacting.js";
import { UnansweredBytes, type UnansweredOfAll } from "./unanswered-bytes.js";

/** Frames that could not be read within `badFramesMs` end a connection when there are so many. */
const badFramesMax = 10;
const badFramesMs = 10_000;
const longAgo = instant(0);
/** What one of them costs may be a thousand times what it is: one in a turn, not all that come in one breath. */
const oneATurn: ReadonlySet<string> = new Set(["lock.list", "lock.watch", "admin.status"]);
/**
 * What a connection may have asked for and not been answered, but for locks and beside transactions: `least` are some
 * fifty small requests.
 */
const share = { least: 64 * 1024, most: 32 * 1024 * 1024 };
/** A settling waits in the writer's line: some sixteen of one connection, as bytes that it has asked for. */
const settleWeighs = 2 * 1024 * 1024;
/** All others wait for what one connection has brought in one breath, so it is no more than this in a turn. */
const framesATurn = 64;

export interface ConversationParts {
  readonly limits: Limits;
  readonly now: () => Instant;
  /** What all connections have asked for. */
  readonly all: UnansweredOfAll;
}

export class Conversation {
  readonly link: Link;
  readonly encoding: Encoding;
  /** The session's secret as it was said or made at the last hello; told back once. */
  #secret: string | undefined;
  /** The hello that is not answered. Only one at a time: its welcome must tell its own secret and no other. */
  #hello: RequestId | undefined;
  /**
   * Requests for locks, which may wait for the very release that comes behind them: they never stop the reading. Their
   * number is bounded by `locksPerSessionMax`.
   */
  readonly #acquiring = new Map<RequestId, number>();
  readonly #transacting: Transacting;
  readonly #unanswered: UnansweredBytes;
  #inFlight = 0;
  /** Frames that were taken in this turn. */
  #taken = 0;
  #paused = false;
  /** It is not read until the turn is over. */
  #rests = false;
  /** It is not read until there is a turn with room for its next frame. */
  #isPutOff = false;
  /** It does not read, and was hung up on: nothing more is made for it. */
  isCutOff = false;
  #badFrames: number[] = [];
  /** Of what came, as much as had led to a command when the last one did. */
  #bytesCommanded = 0;
  /** When the connection was read again, if no command came since. */
  #readAgainAt: Instant | undefined;
  readonly #limits: Limits;
  readonly #now: () => Instant;

  constructor(link: Link, { limits, now, all }: ConversationParts) {
    this.link = link;
    this.encoding = link.encoding;
    this.#limits = limits;
    this.#now = now;
    this.#transacting = new Transacting(all);
    this.#unanswered = new UnansweredBytes(share, all);
  }

  get id(): ConnectionId {
    return this.link.id;
  }

  get secret(): string | undefined {
    return this.#secret;
  }

  /** A hello has come, whatever will be answered to it: what follows it in the same breath is not too early. */
  get hasSaidHello(): boolean {
    return this.#secret !== undefined;
  }

  /** Not before the one before it is answered. */
  get maySayHello(): boolean {
    return this.#hello === undefined;
  }

  saysHello(request: RequestId, secret: string): void {
    this.#hello = request;
    this.#secret = secret;
  }

  /** The core has answered: if that was a hello, another may come. */
  decided(request: RequestId): void {
    if (request === this.#hello) this.#hello = undefined;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get rests(): boolean {
    return this.#rests;
  }

  /** A frame came in, of whatever kind. */
  came(): void {
    if (++this.#taken >= framesATurn) this.#rest();
  }

  #rest(): void {
    if (this.#rests) return;
    this.#rests = true;
    this.link.pause();
  }

  /** A request came in. Too many unanswered: the connection is not read until half of them are answered. */
  begun(request: RequestId, method: string, params: unknown, bytes: number): void {
    if (oneATurn.has(method)) this.#rest();
    if (this.#transacting.begun(request, method, params, bytes)) return this.#holdBack(this.#transacting.full);
    if (method === "lock.acquire" || method === "lock.upgrade") {
      this.#acquiring.set(request, (this.#acquiring.get(request) ?? 0) + 1);
      return;
    }
    this.#inFlight++;
    this.#unanswered.begun(request, bytes, method === "session.settle" ? settleWeighs : 0);
    this.#holdBack(this.#inFlight >= this.#limits.requestsInFlightMax || this.#unanswered.full);
  }

  answered(request: RequestId, refusal?: Refusal): void {
    if (this.#acquireAnswered(request)) return;
    if (!this.#transacting.answered(request, refusal)) {
      this.#inFlight--;
      this.#unanswered.answered(request);
    }
    if (!this.#paused || this.#inFlight > this.#limits.requestsInFlightMax / 2) return;
    if (!this.#transacting.roomy || !this.#unanswered.roomy) return;
    this.#paused = false;
    this.#readAgainAt = this.#now();
    this.#readOn();
  }

  /** Its link is closed. */
  gone(): void {
    this.#transacting.gone();
    this.#unanswered.gone();
  }

  /** The turn is over in which something came from it or went to it. */
  turned(): void {
    this.#taken = 0;
  }

  /** The turn is over in which it was to rest. */
  goOn(): void {
    this.#rests = false;
    this.#readOn();
  }

  /** This frame is too much for the turn: it comes again with `comeAgain`, before what is behind it. */
  putOff(frame: Buffer): void {
    this.#isPutOff = true;
    this.link.pause();
    this.link.putBack(frame);
  }

  comeAgain(): void {
    this.#isPutOff = false;
    this.#readOn();
  }

  #readOn(): void {
    if (!this.#paused && !this.#rests && !this.#isPutOff) this.link.resume();
  }

  #holdBack(tooMuch: boolean): void {
    if (this.#paused || !tooMuch) return;
    this.#paused = true;
    this.link.pause();
  }

  /** An id may be in use twice, against the rules: all the same every answer counts once. */
  #acquireAnswered(request: RequestId): boolean {
    const asked = this.#acquiring.get(request);
    if (asked === undefined) return false;
    if (asked > 1) this.#acquiring.set(request, asked - 1);
    else this.#acquiring.delete(request);
    return true;
  }

  /** `body`: the result, encoded. */
  result(request: RequestId, body: Buffer): void {
    this.link.send(resultMessage(request, body, this.encoding));
    this.answered(request);
  }

  answer(request: RequestId, result: unknown): void {
    this.link.send(answerMessage(request, result, this.encoding));
    this.answered(request);
  }

  /** `begun`: whether the request was counted; a frame that could not be read was not. */
  refuse(request: RequestId | null, refusal: Refusal, begun: boolean): void {
    this.link.send(encodeRefusal(request, refusal, this.encoding));
    if (begun && request !== null) this.answered(request, refusal);
  }

  // ── signs of life ─────────────────────────────────────────────────────────────────────────────────────────────────

  /** A command of it goes to the core, which keeps the time of that. */
  commanded(): void {
    this.#bytesCommanded = this.link.bytesRead;
    this.#readAgainAt = undefined;
  }

  /**
   * When it was heard last, apart from its commands (rule 11): any byte is a sign of life, and for one that is not read
   * here nobody can say that it is silent. Long ago, if there was nothing but commands.
   */
  heardAt(now: Instant): Instant {
    if (this.#paused) return now;
    const { bytesRead, quietMs } = this.link;
    const heard = bytesRead === this.#bytesCommanded ? longAgo : after(now, -quietMs);
    return later(heard, this.#readAgainAt ?? longAgo);
  }

  /** The broker itself stood still for so long. */
  stoodStill(ms: Millis): void {
    if (this.#readAgainAt !== undefined) this.#readAgainAt = after(this.#readAgainAt, ms);
  }

  /** Whether the connection has sent so much rubbish that it is better ended. */
  badFrame(now: number): boolean {
    this.#badFrames = this.#badFrames.filter((at) => now - at < badFramesMs);
    this.#badFrames.push(now);
    return this.#badFrames.length >= badFramesMax;
  }
}
