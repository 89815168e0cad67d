/** What a watch is to the conversation, whatever is watched: see watches.ts for its states. */
export type WatchState = "new" | "asked" | "open" | "ended";

export abstract class Watched {
  /** The methods that begin it and end it at the broker. */
  abstract readonly opens: string;
  abstract readonly closes: string;
  state: WatchState = "new";
  /** Its number for the broker; 0 while new. */
  id = 0;
  /** The question that is under way; meaningful while asked, 0 without a connection. */
  request = 0;

  /** What is asked for, from behind what was passed on last. */
  abstract params(): object;

  /** What was passed on does not count any more. */
  abstract beginsAnew(): void;
}
