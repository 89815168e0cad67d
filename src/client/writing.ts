/** A write on its way to the broker: under which key, and which locks are given back with it. */
import { HoldfastError } from "../terms/index.js";
import type { Grant, Tie } from "./conversation/index.js";
import type { Fence, WriteOptions } from "./datastore.js";
import { type Driver, Question } from "./driver.js";

/** What a write says beside its method's own parameters; those of a commit rely on what its transaction was begun with. */
export interface WriteWords {
  readonly fence?: readonly Fence[] | undefined;
  release?: readonly Fence[] | undefined;
}

export interface WriteWishes extends Pick<WriteOptions, "key" | "keepMs" | "release"> {
  readonly tie?: Tie | undefined;
  /** The locks that it relies on, where that is not said with it. */
  readonly relies?: readonly Fence[] | undefined;
}

/** Under the library's key, or under the program's own: a number would be taken for one that the library has counted. */
export function writing(
  driver: Driver,
  method: string,
  params: WriteWords,
  { key, keepMs, release, tie, relies = params.fence }: WriteWishes,
): Question {
  if (key !== undefined && typeof key !== "string")
    throw new HoldfastError("MISUSE", `key must be a text of your own, not ${String(key)}`);
  if (keepMs !== undefined && key === undefined)
    throw new HoldfastError("MISUSE", "keepMs goes with a key of your own, and there is none");
  const gives = release === true ? grantsOf(driver, relies) : undefined;
  if (gives !== undefined) params.release = relies;
  return key === undefined
    ? new Question("write", method, params, { tie, gives })
    : new Question("named", method, { ...params, key, keepMs }, { tie, gives });
}

/**
 * One that is lost is none of them: then the write is refused, or was done before. One that is being handed over is, since
 * it may stay.
 */
function grantsOf({ grants }: Driver, locks: readonly Fence[] | undefined): readonly Grant[] {
  if (locks === undefined)
    throw new HoldfastError(
      "MISUSE",
      "release is for what relies on a lock: write through the lock, or name it as fence",
    );
  const tokens = new Set(locks.map(({ token }) => token));
  return [...grants].filter(({ token, mayStay }) => mayStay && tokens.has(token));
}
