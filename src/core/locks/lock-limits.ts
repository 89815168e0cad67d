/** What is too much: of one session, of one request, in one queue. Looked at before anything is decided. */
import { type Limits, type LockName, type Refusal, refuse } from "../../terms/index.js";
import type { Claim } from "../command.js";
import type { Session } from "../sessions/session.js";
import type { Lock } from "./lock.js";
import { quote } from "./lock-view.js";
import type { TokenBlock } from "./token-block.js";

/**
 * What is left of a hello for all but the locks that its session has (bytes, and a part of the frame): secrets, the
 * program's name, locks whose release the client has not heard of, requests that are to be refused.
 */
const helloRestBytes = 16 * 1024;
const helloRestPart = 1 / 8;
/** What a hello has of a lock beside its name (bytes): the words around it, its token, the key of a request for it. */
const besideNameBytes = 64;
/** A byte of a name takes three at most: a letter of two bytes may be written as six. */
const writtenBytesMax = 3;

/** What a lock takes in the hello that lists it (bytes), in whichever way of JSON its client writes the name. */
export function listedBytes(name: LockName): number {
  let bytes = besideNameBytes;
  for (let at = 0; at < name.length; at++) {
    const unit = name.charCodeAt(at);
    if (unit >= 0x7f) bytes += 6;
    else bytes += isEscaped(unit) ? 2 : 1;
  }
  return bytes;
}

/** Quote, backslash; by some the slash too. */
function isEscaped(unit: number): boolean {
  return unit === 0x22 || unit === 0x5c || unit === 0x2f;
}

/** The same for all that are claimed. */
export function listedBytesOf(claims: readonly Claim[]): number {
  let bytes = 0;
  for (const { name } of claims) bytes += listedBytes(name);
  return bytes;
}

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
    if (session.claims + claims.length <= locksPerSessionMax) return this.#unlistable(session, claims);
    const message = `the session holds or waits for ${session.claims} locks, at most ${locksPerSessionMax} are allowed`;
    return refuse("LOCKS_FULL", message, { limit: "locksPerSessionMax" });
  }

  /** After a lost connection its hello must list them all in one frame, or it would never get in again. */
  #unlistable(session: Session, claims: readonly Claim[]): Refusal | undefined {
    const { frameBytesMax, nameBytesMax } = this.#limits;
    const left = frameBytesMax * (1 - helloRestPart) - helloRestBytes - session.listedBytes;
    if (claims.length * (besideNameBytes + writtenBytesMax * nameBytesMax) <= left) return undefined;
    if (listedBytesOf(claims) <= left) return undefined;
    const message = `the names of the ${session.claims} locks that the session holds or waits for, and these, are more than its next hello could list in one frame`;
    return refuse("LOCKS_FULL", message, { limit: "frameBytesMax" });
  }

  queueFull({ name, waiting }: Lock): Refusal | undefined {
    const { waitersMax } = this.#limits;
    if (waiting < waitersMax) return undefined;
    return refuse("QUEUE_FULL", `${waitersMax} wait for ${quote(name)} already`, { limit: "waitersMax", name });
  }
}
