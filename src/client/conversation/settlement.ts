/**
 * The writes of a session that is over, and that nobody has answered: before one is sent again it must be known that
 * it was never applied (rule 6). Asked in chunks; nothing is sent under the new session until the last is known.
 */
import type { Verdict } from "./answers.js";
import type { Call } from "./call.js";

/** The broker takes so many keys in one question. */
const chunkMax = 1024;

/** A write and the key under which the session that is over had sent it. */
export interface Unanswered {
  readonly call: Call;
  readonly key: number;
}

export class Settlement {
  /** The secret of the session that is over. */
  readonly secret: string;
  #left: readonly Unanswered[];
  #asked: readonly Unanswered[] = [];

  constructor(secret: string, unanswered: readonly Unanswered[]) {
    this.secret = secret;
    this.#left = unanswered;
  }

  /** The keys to ask for next, none when all is known. What was asked and not answered is asked again. */
  nextKeys(): number[] {
    const open = [...this.#asked, ...this.#left].filter(isOpen);
    this.#asked = open.slice(0, chunkMax);
    this.#left = open.slice(chunkMax);
    return this.#asked.map(({ key }) => key);
  }

  /** The calls that were asked about, each with what is known of it now. A key without a word is unknown. */
  take(verdicts: ReadonlyMap<number, Verdict>): (readonly [Call, Verdict])[] {
    const asked = this.#asked.filter(isOpen);
    this.#asked = [];
    return asked.map(({ call, key }) => [call, verdicts.get(key) ?? { kind: "unknown" }]);
  }
}

/** A call whose program did not wait any longer is settled already. */
function isOpen({ call }: Unanswered): boolean {
  return call.state !== "settled";
}
