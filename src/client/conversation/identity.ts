/**
 * The session that this client has, and the one before it whose writes are not settled. At most one of the two is
 * spoken for at a time: nothing is sent under the present session until the settlement is done.
 */
import { after, type Instant, type Millis } from "../../terms/index.js";
import type { Fence, Welcome } from "./answers.js";
import { isDue } from "./deadlines.js";
import { RequestKeys } from "./request-keys.js";
import { Settlement, type Unanswered } from "./settlement.js";
import type { ConversationOptions } from "./state.js";

/** The versions of the conversation that this client speaks. */
const versions = { min: 1, max: 1 };
/** So long a session that nobody may know of is asked for again under its secret, and no longer than its window. */
const unansweredMs = 1000;

export class Identity {
  readonly #options: ConversationOptions;
  #secret: string;
  #keys: RequestKeys;
  #welcomed: boolean;
  #welcome: Welcome | undefined;
  #settlement: Settlement | undefined;
  /** A secret that no session has used; each connection brings one. */
  #fresh: string | undefined;
  /** A hello without an answer may have begun the session: from then on it may have ended as well. */
  #mayEndAt: Instant | undefined;

  constructor(options: ConversationOptions) {
    this.#options = options;
    this.#secret = options.secret;
    this.#keys = new RequestKeys(options.takenUp?.keysUsed);
    this.#welcomed = options.takenUp !== undefined;
  }

  get keys(): RequestKeys {
    return this.#keys;
  }

  /** The broker knows the session: it can be resumed, and can be over. */
  get welcomed(): boolean {
    return this.#welcomed;
  }

  get welcome(): Welcome | undefined {
    return this.#welcome;
  }

  get windowMs(): Millis {
    return this.#welcome?.resumeWindowMs ?? 0;
  }

  get settlement(): Settlement | undefined {
    return this.#settlement;
  }

  offer(fresh: string): void {
    this.#fresh = fresh;
  }

  hello(grants: readonly Fence[], pending: readonly number[], now: Instant): object {
    const { introduction, resumeWindowMs } = this.#options;
    this.#leaveUnanswered(now);
    return {
      protocol: versions,
      ...introduction,
      secret: this.#secret,
      mode: this.#welcomed ? "resume" : "either",
      ...(resumeWindowMs === undefined ? {} : { resumeWindowMs }),
      grants,
      pending,
      ack: this.#keys.below,
    };
  }

  /**
   * A session that ended before its client knew of it is not begun a second time: a broker that has forgotten it would,
   * and its writes would be refused, since the database has not. One that a process stands for does not end meanwhile.
   */
  #leaveUnanswered(now: Instant): void {
    if (this.#welcomed || this.#options.bound === true) return;
    if (this.#mayEndAt !== undefined && isDue(this.#mayEndAt, now) && this.#fresh !== undefined) {
      this.#secret = this.#fresh;
      this.#fresh = undefined;
      this.#mayEndAt = undefined;
    }
    this.#mayEndAt ??= after(now, Math.min(this.#options.resumeWindowMs ?? unansweredMs, unansweredMs));
  }

  accept(welcome: Welcome): void {
    this.#welcomed = true;
    this.#welcome = welcome;
    this.#mayEndAt = undefined;
  }

  /** Whether the session can be followed by another: not one that was taken up, and not without a fresh secret. */
  get replaceable(): boolean {
    return this.#fresh !== undefined && this.#options.takenUp === undefined;
  }

  /** The session is over; another takes its place, and settles what was left unanswered. */
  replace(unansweredOf: (keys: RequestKeys) => readonly Unanswered[]): void {
    if (this.#fresh === undefined) throw new Error("a session cannot be replaced without a fresh secret");
    const over = this.#secret;
    this.#keys = new RequestKeys();
    const unanswered = unansweredOf(this.#keys);
    if (unanswered.length > 0 && this.#settlement !== undefined) throw new Error("two sessions to settle at once");
    if (unanswered.length > 0) this.#settlement = new Settlement(over, unanswered);
    this.#secret = this.#fresh;
    this.#fresh = undefined;
    this.#mayEndAt = undefined;
    this.#welcomed = false;
    this.#welcome = undefined;
  }

  /** What to ask the broker about the session that is over; nothing when all is known. */
  nextQuestion(): { readonly secret: string; readonly keys: readonly number[] } | undefined {
    const keys = this.#settlement?.nextKeys() ?? [];
    if (this.#settlement !== undefined && keys.length > 0) return { secret: this.#settlement.secret, keys };
    this.#settlement = undefined;
    return undefined;
  }
}
