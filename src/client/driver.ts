/**
 * Drives the conversation: hands it what the program, the socket and the clock say, and obeys what it decides. Decides
 * nothing itself. Each request is one object from the program's call to its outcome.
 */
import { randomBytes } from "node:crypto";
import { type Encoding, type Frame, requestMessage, secretText } from "../protocol/index.js";
import { impossible, isRefusal, type Refusal, refuse } from "../terms/index.js";
import {
  Call,
  type CallKind,
  type CallMore,
  Conversation,
  type ConversationOptions,
  type Effect,
  type Event,
  type Grant,
  type LockNewsEffect,
  type QueueNews,
  type RevocationNews,
  type TableEffect,
  type TableFilter,
  TableWatch,
  Tie,
  Watch,
  type WatchBegin,
  type WatchEffect,
  type Watched,
  type WatchFilter,
  type Welcome,
} from "./conversation/index.js";
import { now, Pulse } from "./pulse.js";
import { type Reached, type ReachPlan, reach, runDirIn } from "./reach.js";
import type { Socket, SocketEnd } from "./socket.js";

/** A request of the program: resolves when it has its outcome, with a refusal as a value. */
export class Question extends Call {
  result: unknown = undefined;
  refusal: Refusal | undefined = undefined;
  /** Of an acquire: called when it was granted, before anything that the broker says of the grant. */
  onGranted: (() => void) | undefined = undefined;
  /** Of a stream. */
  onRows: ((rows: readonly unknown[], bytes: number) => void) | undefined = undefined;
  onDone: ((refusal: Refusal | undefined) => void) | undefined = undefined;
  /** What was granted; of an acquire. */
  granted: { readonly grant: Grant; readonly waitedMs: number; readonly waiting: number } | undefined = undefined;
  /** Called when it waits, and when its place has changed. */
  onQueued: ((news: QueueNews) => void) | undefined = undefined;
  /** Set by `ask`, before the conversation hears of the question. */
  settle: () => void = unasked;

  /** `params`: the method's, which the conversation completes. */
  constructor(kind: CallKind, method: string, params: object, more?: CallMore) {
    super(kind, method, params, more);
  }
}

export interface SubscriptionHandlers {
  readonly onBegin: (begin: WatchBegin) => void;
  readonly onEvents: (events: readonly Readonly<Record<string, unknown>>[]) => void;
  readonly onEnd: (refusal: Refusal) => void;
}

/** A watch of the program, and whom to tell. */
export class Subscription extends Watch {
  readonly handlers: SubscriptionHandlers;

  constructor(filter: WatchFilter, handlers: SubscriptionHandlers) {
    super(filter);
    this.handlers = handlers;
  }
}

export interface TableHandlers {
  readonly onNews: (news: TableEffect) => void;
  readonly onEnd: (refusal: Refusal) => void;
}

/** A watch of tables, and whom to tell. */
export class TableSubscription extends TableWatch {
  readonly handlers: TableHandlers;

  constructor(filter: TableFilter, handlers: TableHandlers) {
    super(filter);
    this.handlers = handlers;
  }
}

function unasked(): never {
  throw new Error("a question that was not asked was answered");
}

export interface DriverOptions {
  readonly conversation: Omit<ConversationOptions, "secret">;
  /** Of a session that is taken up. */
  readonly secret?: string | undefined;
  readonly encoding: Encoding;
  /** How to get to the broker; `start` is left out when none may be started this time. `runDir`: of the last one. */
  readonly plan: (resuming: boolean, start: boolean, runDir?: string) => ReachPlan;
}

export interface DriverHandlers {
  readonly onOpened: (welcome: Welcome, first: boolean) => void;
  readonly onLost: (grant: Grant, reason: string) => void;
  /** A write that gives it back is on disk. */
  readonly onGivenBack: (grant: Grant) => void;
  readonly onJeopardy: (grant: Grant) => void;
  /** So many wait for what it has. */
  readonly onContended: (grant: Grant, waiting: number) => void;
  readonly onRevoking: (grant: Grant, news: RevocationNews) => void;
  readonly onSessionLost: (reason: string) => void;
  readonly onEnded: (refusal: Refusal | undefined, parted: boolean) => void;
}

export class Driver {
  readonly #options: DriverOptions;
  readonly #handlers: DriverHandlers;
  readonly #conversation: Conversation;
  readonly #pulse = new Pulse(() => this.#handle({ kind: "time" }));
  #socket: Socket | undefined;
  /** The attempt to connect that is under way. */
  #attempt: AbortController | undefined;
  #kept = true;
  /** The number of the last transaction. */
  #transactions = 0;
  #obeying = false;
  /** Of the broker we are connected to. */
  #frameBytesMax = Number.POSITIVE_INFINITY;
  /** Of the broker that we were connected to last. */
  #runDir: string | undefined;

  constructor(options: DriverOptions, handlers: DriverHandlers) {
    this.#options = options;
    this.#handlers = handlers;
    const secret = options.secret ?? freshSecret();
    this.#conversation = new Conversation({ ...options.conversation, secret }, now());
  }

  get grants(): Iterable<Grant> {
    return this.#conversation.grants;
  }

  open(): void {
    this.#handle({ kind: "open" });
  }

  close(): void {
    this.#handle({ kind: "close" });
  }

  detach(): void {
    this.#handle({ kind: "detach" });
  }

  /** Whether an open connection keeps the program alive. */
  keep(kept: boolean): void {
    this.#kept = kept;
    this.#socket?.keep(kept);
  }

  /** Resolves when the question has its outcome; never rejects. */
  ask(question: Question): Promise<void> {
    const settled = new Promise<void>((resolve) => {
      question.settle = resolve;
    });
    this.#handle({ kind: "call", call: question });
    return settled;
  }

  /** Of the next transaction, with a number that no other has; its begin is to be asked before the next is made. */
  tie(): Tie {
    return new Tie(++this.#transactions);
  }

  cancel(question: Question): void {
    this.#handle({ kind: "cancel", call: question });
  }

  /** The same once more: how things are is asked for again, and what was missed is passed over. */
  watch(subscription: Watched): void {
    this.#handle({ kind: "watch", watch: subscription });
  }

  unwatch(subscription: Watched): void {
    this.#handle({ kind: "unwatch", watch: subscription });
  }

  /** How long a grant with a lease can be relied on without a further answer. */
  leaseLeftMs(grant: Grant): number {
    return Math.max(0, this.#conversation.leases.endOf(grant) - now());
  }

  /** So long ago, or less, the broker had it; of one that is held. */
  seenMsAgo(grant: Grant): number {
    return now() - this.#conversation.leases.seenAt(grant);
  }

  /** Looks at the clock: for answers that depend on it, such as whether a lease still holds. */
  look(): void {
    this.#handle({ kind: "time" });
  }

  /** The program has done with so many bytes of a stream's messages. */
  credit(question: Question, bytes: number): void {
    this.#handle({ kind: "stream", call: question, credit: bytes });
  }

  closeStream(question: Question): void {
    this.#handle({ kind: "stream", call: question, credit: "closed" });
  }

  #handle(event: Event): void {
    this.#conversation.handle(event, now());
    // Handlers may ask again while effects are obeyed: what that brings about comes after.
    if (this.#obeying) return;
    this.#obeying = true;
    try {
      for (
        let effects = this.#conversation.takeEffects();
        effects.length > 0;
        effects = this.#conversation.takeEffects()
      )
        for (const effect of effects) {
          try {
            this.#obey(effect);
          } catch (error) {
            surface(error);
          }
        }
    } finally {
      this.#obeying = false;
    }
    this.#pulse.wakeAt(this.#conversation.nextDeadline(), this.#kept && this.#conversation.at !== "open");
  }

  #obey(effect: Effect): void {
    switch (effect.kind) {
      case "send":
        return this.#send(effect.id, effect.method, effect.params);
      case "answer": {
        const { call } = effect;
        if (!(call instanceof Question)) return;
        call.result = effect.result;
        return call.settle();
      }
      case "refuse": {
        const { call } = effect;
        if (!(call instanceof Question)) return;
        call.refusal = effect.refusal;
        return call.settle();
      }
      case "granted": {
        const { call, grant, waitedMs, waiting } = effect;
        if (!(call instanceof Question)) return;
        call.granted = { grant, waitedMs, waiting };
        call.onGranted?.();
        return call.settle();
      }
      case "rows":
        return effect.call instanceof Question ? effect.call.onRows?.(effect.rows, effect.bytes) : undefined;
      case "stream-done":
        return effect.call instanceof Question ? effect.call.onDone?.(effect.refusal) : undefined;
      case "lost":
        return this.#handlers.onLost(effect.grant, effect.reason);
      case "given-back":
        return this.#handlers.onGivenBack(effect.grant);
      case "jeopardy":
        return this.#handlers.onJeopardy(effect.grant);
      case "queued":
      case "contended":
      case "revoking":
        return this.#tellNews(effect);
      case "watch-began":
      case "watch-events":
      case "watch-ended":
      case "tables-watched":
      case "tables-changed":
      case "tables-gap":
        return tellWatch(effect);
      case "connect":
        return void this.#connect(effect.start, effect.resuming);
      case "disconnect":
        return this.#disconnect();
      case "opened":
        return this.#opened(effect.welcome, effect.first);
      case "session-lost":
        return this.#handlers.onSessionLost(effect.reason);
      case "ended":
        this.#pulse.stop();
        return this.#handlers.onEnded(effect.refusal, effect.parted);
      default:
        return impossible(effect, "effect of the conversation");
    }
  }

  #tellNews(effect: LockNewsEffect): void {
    switch (effect.kind) {
      case "queued":
        return effect.call instanceof Question ? effect.call.onQueued?.(effect.news) : undefined;
      case "contended":
        return this.#handlers.onContended(effect.grant, effect.waiting);
      case "revoking":
        return this.#handlers.onRevoking(effect.grant, effect.news);
    }
  }

  // ── out ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  #send(id: number | undefined, method: string, params: object): void {
    if (this.#socket === undefined) return; // Its end is on the way to the conversation.
    const message = this.#encoded(id, method, params);
    if (!isRefusal(message)) return this.#socket.send(message);
    if (id !== undefined) this.#conversation.handle({ kind: "unsendable", id, refusal: message }, now());
  }

  /** As it leaves, or why it cannot. */
  #encoded(id: number | undefined, method: string, params: object): string | Buffer | Refusal {
    let message: string | Buffer | Refusal;
    try {
      message = requestMessage(id, method, params, this.#options.encoding);
    } catch (error) {
      return refuse("PARAMS_INVALID", `the request cannot be written down: ${(error as Error).message}`);
    }
    if (isRefusal(message)) return message;
    const { length: bytes } = message;
    const bytesMax = this.#frameBytesMax;
    if (bytes <= bytesMax) return message;
    const text = `the request has ${bytes} bytes, the broker takes ${bytesMax} in one frame`;
    return refuse("FRAME_TOO_LARGE", text, { bytes, bytesMax });
  }

  #opened(welcome: Welcome, first: boolean): void {
    const { limits } = welcome.whole as { limits?: { frameBytesMax?: unknown } };
    if (typeof limits?.frameBytesMax === "number") this.#frameBytesMax = limits.frameBytesMax;
    this.#runDir = runDirIn(welcome.whole);
    this.#handlers.onOpened(welcome, first);
  }

  // ── the connection ────────────────────────────────────────────────────────────────────────────────────────────────

  async #connect(start: boolean, resuming: boolean): Promise<void> {
    const attempt = new AbortController();
    this.#attempt = attempt;
    const reached = await this.#reach(this.#options.plan(resuming, start, this.#runDir), attempt);
    if (attempt.signal.aborted || reached === undefined) {
      if (reached?.kind === "open") reached.socket.drop();
      return;
    }
    this.#attempt = undefined;
    if (reached.kind === "failed") {
      const { why, refusal } = reached;
      return this.#handle({ kind: "connect-failed", why, refusal, luck: Math.random() });
    }
    if (reached.socket.ended) {
      const refusal = refuse("NO_BROKER", "the broker closed the connection as soon as it stood");
      return this.#handle({ kind: "connect-failed", why: "busy", refusal, luck: Math.random() });
    }
    this.#socket = reached.socket;
    this.#socket.keep(this.#kept);
    this.#handle({ kind: "connected", secret: freshSecret() });
  }

  async #reach(plan: ReachPlan, attempt: AbortController): Promise<Reached | undefined> {
    const events = {
      onNobody: (left: boolean) => this.#handle({ kind: "nobody", left }),
      onFrame: this.#onFrame,
      onEnd: (end: SocketEnd) => this.#onEnd(end),
    };
    try {
      return await reach(plan, events, attempt.signal);
    } catch (error) {
      if (attempt.signal.aborted) return undefined;
      const { message } = error as Error;
      return {
        kind: "failed",
        why: "failed",
        refusal: refuse("START_FAILED", `the broker cannot be reached: ${message}`),
      };
    }
  }

  #disconnect(): void {
    this.#attempt?.abort();
    this.#attempt = undefined;
    this.#socket?.drop();
    this.#socket = undefined;
  }

  #onEnd(end: SocketEnd): void {
    this.#socket = undefined;
    this.#handle({ kind: "disconnected", reason: end.reason, luck: Math.random() });
  }

  readonly #onFrame = (frame: Frame, bytes: number): void => {
    switch (frame.kind) {
      case "result":
        return this.#handle({ kind: "answered", id: Number(frame.id), result: frame.result });
      case "refused":
        if (frame.id !== null) return this.#handle({ kind: "refused", id: Number(frame.id), refusal: frame.refusal });
        return this.#giveUpSocket(`the broker could not read a request: ${frame.refusal.message}`);
      case "notification":
        return this.#handle({ kind: "notified", method: frame.method, params: frame.params, bytes });
      case "request":
        return; // Nothing is asked of clients in this version.
      case "frame-error":
        return this.#giveUpSocket(`the broker sent what cannot be read: ${frame.refusal.message}`);
      default:
        return impossible(frame, "frame");
    }
  };

  #giveUpSocket(reason: string): void {
    this.#socket?.drop();
    this.#socket = undefined;
    this.#handle({ kind: "disconnected", reason, luck: Math.random() });
  }
}

/** By itself: what goes wrong with one effect must not take the others along, which are other requests'. */
function surface(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}

function tellWatch(effect: WatchEffect): void {
  const { watch } = effect;
  if (watch instanceof TableSubscription) {
    if (effect.kind === "watch-ended") watch.handlers.onEnd(effect.refusal);
    else if (effect.kind !== "watch-began" && effect.kind !== "watch-events") watch.handlers.onNews(effect);
    return;
  }
  if (!(watch instanceof Subscription)) return;
  const { handlers } = watch;
  switch (effect.kind) {
    case "watch-began":
      return handlers.onBegin(effect.begin);
    case "watch-events":
      return handlers.onEvents(effect.events);
    case "watch-ended":
      return handlers.onEnd(effect.refusal);
  }
}

function freshSecret(): string {
  return secretText(randomBytes(32));
}
