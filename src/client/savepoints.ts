/**
 * Which savepoint of its transaction a task of the program is in. SQLite keeps them in a stack, whatever their names: all
 * that is asked of the transaction meanwhile lies in the innermost, and goes with it. So one is made within another, and
 * not beside it: of two tasks that go on beside each other, the one that throws would take along what the other has done.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { HoldfastError } from "../terms/index.js";
import { living, type Nested, nearest } from "./nesting.js";
import type { Failed } from "./step-promise.js";

interface Savepoint extends Nested<Savepoint> {
  readonly name: string;
  over: boolean;
}

const current = new AsyncLocalStorage<Savepoint>();

/** Those of one transaction. */
export class Savepoints {
  #count = 0;
  #innermost: Savepoint | undefined;

  /** Why nothing may be committed as yet; undefined when none is open. Its end is not waited for: it may wait for the commit. */
  get unfinished(): Failed | undefined {
    const open = this.#innermost;
    if (open === undefined) return undefined;
    const message =
      "a savepoint is open: what is done in it would be committed in part; await its end before the commit";
    return { error: new HoldfastError("MISUSE", message, { details: { open: open.name } }) };
  }

  /** Runs `work` in the next one, by its name. Throws MISUSE when one is open that this is not asked for in. */
  async run<T>(work: (name: string) => Promise<T>): Promise<T> {
    const outer = living(current.getStore());
    const open = this.#innermost;
    if (nearest(this, outer) !== open) {
      const message = "a savepoint is open, and another one is made within it or after it, not beside it";
      throw new HoldfastError("MISUSE", message, { details: { open: open?.name } });
    }
    const savepoint: Savepoint = { owner: this, name: `savepoint_${++this.#count}`, outer, over: false };
    this.#innermost = savepoint;
    try {
      return await current.run(savepoint, () => work(savepoint.name));
    } finally {
      savepoint.over = true;
      this.#innermost = nearest(this, this.#innermost);
    }
  }
}
