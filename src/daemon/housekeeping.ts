/**
 * What a broker looks after from time to time: stuck connections each second, itself every other second. The one timer
 * of the daemon. It counts and does not measure, so that a broker that was stopped for an hour finds one second gone.
 */

const lookMs = 1000;
const looksPerSelfCheck = 2;

export interface Chores {
  /** Each second. */
  readonly look: () => void;
  /** Every other second. */
  readonly selfCheck: () => void;
}

/** Gives the way to end it. */
export function keepHouse({ look, selfCheck }: Chores): () => void {
  let looks = 0;
  const timer = setInterval(() => {
    looks += 1;
    look();
    if (looks % looksPerSelfCheck === 0) selfCheck();
  }, lookMs);
  return () => clearInterval(timer);
}
