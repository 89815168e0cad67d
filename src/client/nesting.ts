/** What tasks of a program are in, one within another, as an asynchronous context carries it along. */

export interface Nested<Self> {
  /** The one of several that it belongs to. */
  readonly owner: object;
  /** The one around it, which may be another owner's. */
  readonly outer: Self | undefined;
  /** Its work has ended. What began in it may go on, as a timer does, and stands in the one around from then on. */
  readonly over: boolean;
}

/** This one or the first around it that is not over. */
export function living<One extends Nested<One>>(from: One | undefined): One | undefined {
  let one = from;
  while (one?.over === true) one = one.outer;
  return one;
}

/** The same of this owner's. */
export function nearest<One extends Nested<One>>(owner: object, from: One | undefined): One | undefined {
  let one = living(from);
  while (one !== undefined && one.owner !== owner) one = living(one.outer);
  return one;
}
