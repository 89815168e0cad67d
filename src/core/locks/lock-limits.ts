/** What is too much: of one session, of one request, in one queue. Looked at before anything is decided. */
import { type Limits, type Refusal, refuse } from "../../terms/index.js";
import type { Claim } from "../command.js";
import type { Session } from "../sessions/session.js";
import type { Lock } from "./lock.js";
import { quote } from "./lock-view.js";
import type { TokenBlock } from "./token-block.js";

export class LockLimits {
  readonly #limits: Limits;
  readonly #tokens: TokenBlock;

  constructor(limits: Limits, tokens: TokenBlock) {
    this.#limits = limits;
    this.#tokens = tokens;
  }

  /** Why the session can have no more names, or so many at once. */
  refusal(session: Session, claims: readonly Claim[]): Refusal | undefined {
    const { locksPerSessionMax, namesPerRequestMax } = this.#limits;
    if (claims.length > namesPerRequestMax) {
      const message = `${claims.length} names are asked for at once, at most ${namesPerRequestMax} are allowed`;
      return refuse("PARAMS_INVALID", message, { limit: "namesPerRequestMax" });
    }
    if (!this.#tokens.ready)
      return refuse("WRITER_UNAVAILABLE", "fencing tokens are used up and no writer can reserve more");
    if (session.claims + claims.length <= locksPerSessionMax) return undefined;
    const message = `the session holds or waits for ${session.claims} locks, at most ${locksPerSessionMax} are allowed`;
    return refuse("LOCKS_FULL", message, { limit: "locksPerSessionMax" });
  }

  queueFull({ name, waiting }: Lock): Refusal | undefined {
    const { waitersMax } = this.#limits;
    if (waiting < waitersMax) return undefined;
    return refuse("QUEUE_FULL", `${waitersMax} wait for ${quote(name)} already`, { limit: "waitersMax", name });
  }
}
