/** While a command waits for a lock: who has it and how many come first, told after a second and whenever that changes. */
import type { QueuedInfo } from "../client/index.js";
import { placeText, quoted } from "./words.js";

/** Most waits are shorter, and not worth a word. */
export const silentMs = 1000;

export interface QueueNews {
  readonly hear: (info: QueuedInfo) => void;
  readonly end: () => void;
}

/** `now`: in ms, from wherever. */
export function queueNews(tell: (text: string) => void, now = () => performance.now()): QueueNews {
  let latest: QueuedInfo | undefined;
  let heardAt = 0;
  let told = "";
  let silent = true;
  const say = () => {
    if (silent || latest === undefined) return;
    const news = newsOf(latest);
    if (news !== told) tell(`waiting for ${quoted(latest.name)}: ${placeText(after(latest, now() - heardAt))}`);
    told = news;
  };
  const timer = setTimeout(() => {
    silent = false;
    say();
  }, silentMs);
  return {
    hear: (info) => {
      latest = info;
      heardAt = now();
      say();
    },
    end: () => {
      clearTimeout(timer);
      silent = true;
    },
  };
}

/** As it is so many ms later. */
function after(info: QueuedInfo, ms: number): QueuedInfo {
  const holders = info.holders.map((one) => ({
    ...one,
    heldMs: one.heldMs + ms,
    leaseLeftMs: one.leaseLeftMs === null ? null : Math.max(0, one.leaseLeftMs - ms),
  }));
  return { ...info, holders };
}

/** What must differ for it to be told again: not the time that passes. */
function newsOf({ name, place, holders, ending }: QueuedInfo): string {
  return JSON.stringify([name, place, ending, holders.map(({ token, connected }) => `${token}${connected}`)]);
}
