/**
 * While a command waits for a lock: who has it and how many come first, told after a second and whenever that changes.
 * An answer that does not come (the broker is away) is no news.
 */
import type { Broker } from "../client/index.js";
import { inTheWay, type LockInfo } from "./words.js";

const firstLookMs = 1000;
const lookMs = 1000;

export interface QueueWatch {
  readonly end: () => void;
}

export function watchQueue(broker: Broker, name: string, tell: (text: string) => void): QueueWatch {
  let ended = false;
  let told = "";
  let timer = setTimeout(look, firstLookMs);
  async function look(): Promise<void> {
    try {
      const lock = await lockNow(broker, name);
      const news = newsOf(lock, broker.session);
      if (!ended && news !== told) tell(inTheWay(lock, placeOf(lock, broker.session)));
      told = news;
    } catch {
      // The wait itself goes on, or ends with words of its own.
    }
    if (!ended) timer = setTimeout(look, lookMs);
  }
  return {
    end: () => {
      ended = true;
      clearTimeout(timer);
    },
  };
}

export async function lockNow(broker: Broker, name: string): Promise<LockInfo | undefined> {
  const { locks } = await broker.call("lock.list", { name });
  return locks[0];
}

/** 1 is next; undefined when this session does not wait. */
export function placeOf(lock: LockInfo | undefined, session: string): number | undefined {
  return lock?.waiters.find((waiter) => waiter.session === session)?.place;
}

/** What must differ for it to be told again: not the time that passes. */
function newsOf(lock: LockInfo | undefined, session: string): string {
  const tokens = lock?.holders.map(({ token, connected }) => `${token}${connected}`) ?? [];
  return JSON.stringify([tokens, lock?.draining, placeOf(lock, session)]);
}
