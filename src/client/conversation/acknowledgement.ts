/**
 * How far the broker knows that its answers have arrived. Each write carries the word along; when no write follows, a
 * message of its own does, after a while.
 */
import { after, type Instant } from "../../terms/index.js";
import { isDue } from "./deadlines.js";
import type { Draft } from "./draft.js";
import type { RequestKeys } from "./request-keys.js";

const idleMs = 1000;

export class Acknowledgement {
  #told = 1;
  /** When a message of its own is due; undefined while there is nothing new to tell, or something is in flight. */
  #due: Instant | undefined;

  get due(): Instant | undefined {
    return this.#due;
  }

  /** A hello or a request takes the word along. */
  carried({ below }: RequestKeys): void {
    this.#told = below;
    this.#due = undefined;
  }

  /** Everything that was asked is answered. */
  idle({ below }: RequestKeys, now: Instant): void {
    if (below > this.#told) this.#due = after(now, idleMs);
  }

  disconnected(): void {
    this.#due = undefined;
  }

  /** By a message of its own, when it is due. */
  tell(draft: Draft, keys: RequestKeys, now: Instant): void {
    if (!isDue(this.due, now)) return;
    this.carried(keys);
    draft.notify("session.ack", { below: keys.below });
  }
}
