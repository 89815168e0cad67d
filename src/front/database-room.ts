/** Whether the disk under the database had room when a write last went there: what nobody has tried is not known. */
import type { StoreEvent } from "../core/index.js";
import type { Refusal } from "../terms/index.js";

export class DatabaseRoom {
  #full = false;
  #storedSeq = 0;

  /** The last write that came as far as the disk was refused there. */
  get full(): boolean {
    return this.#full;
  }

  hear(event: StoreEvent): void {
    if (event.kind !== "writer-settled") return;
    const { answers, storedSeq = 0 } = event;
    if (answers.some(({ answer }) => answer.kind === "refused" && isOfDisk(answer.refusal))) this.#full = true;
    // What changes nothing is answered on a full disk too, and says nothing of it.
    else if (storedSeq > this.#storedSeq) this.#full = false;
    this.#storedSeq = Math.max(this.#storedSeq, storedSeq);
  }
}

/** Limits of the broker's own have the same code, and are named. */
function isOfDisk({ refused, details }: Refusal): boolean {
  return refused === "DISK_FULL" && details?.["limit"] === undefined;
}
