/**
 * Streams whose client does not read: what their processes send is left in the pipes until it does, so that a client
 * that stands still fills the broker's memory with no more than this, however many streams it has and whatever credit it
 * has given for them.
 */
import type { SnapshotProcessId } from "../terms/index.js";

/** Of what one client has not read, so much does not yet hold its streams back. */
export const unreadBytesMax = 1024 * 1024;

/** A conversation, as far as it matters here. */
interface Reader {
  readonly link: { readonly bufferedBytes: number };
}

export class StreamHolds<One extends Reader> {
  readonly #hold: (process: SnapshotProcessId, held: boolean) => void;
  /** Whose rows went to it since it was last looked at. */
  readonly #sent = new Map<One, Set<SnapshotProcessId>>();
  readonly #held = new Map<One, Set<SnapshotProcessId>>();

  constructor(hold: (process: SnapshotProcessId, held: boolean) => void) {
    this.#hold = hold;
  }

  /** Rows of this process were sent to it. */
  sent(one: One, process: SnapshotProcessId): void {
    const processes = this.#sent.get(one);
    if (processes === undefined) this.#sent.set(one, new Set([process]));
    else processes.add(process);
  }

  /** Once a turn, when all that was sent has been handed on. */
  look(): void {
    for (const [one, processes] of this.#sent)
      if (one.link.bufferedBytes > unreadBytesMax) this.#holdBack(one, processes);
    this.#sent.clear();
  }

  /** It has read everything; or it is gone, and what is still sent to it is dropped. */
  release(one: One): void {
    const processes = this.#held.get(one);
    if (processes === undefined) return;
    this.#held.delete(one);
    for (const process of processes) this.#hold(process, false);
  }

  #holdBack(one: One, processes: ReadonlySet<SnapshotProcessId>): void {
    const held = this.#held.get(one) ?? new Set<SnapshotProcessId>();
    this.#held.set(one, held);
    for (const process of processes) {
      if (held.has(process)) continue;
      held.add(process);
      this.#hold(process, true);
    }
  }
}
