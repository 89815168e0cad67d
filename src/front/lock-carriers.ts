/** What the front asks the operating system about processes that run under locks; the daemon has the answers. */
import type { ProcessIdentity } from "../core/index.js";
import type { SessionId, Token } from "../terms/index.js";

/** A process whose environment says under which locks it runs (the variable HOLDFAST_LOCKS). */
export interface LockCarrier extends ProcessIdentity {
  readonly locks: readonly CarriedLock[];
}

/** Tokens of two brokers can be equal; sessions are not. */
export interface CarriedLock {
  readonly token: Token;
  readonly session: SessionId;
}

export interface LockCarriers {
  /**
   * Looks at every process whose environment may be read, one in each step, and yields those that carry locks. Never the
   * broker itself nor its children. Throws when it cannot look: then nobody knows who is there.
   */
  look(): Iterable<LockCarrier | undefined>;
  /**
   * Sends it, if the process is still that one and is one of the broker's own user. `not-ours`: it may not be
   * signalled, only waited for.
   */
  signal(process: ProcessIdentity, signal: "SIGTERM" | "SIGKILL"): "sent" | "gone" | "not-ours";
}
