/** While a command waits for a lock: who has it and how many come first, told after a second and whenever that changes. */
import type { QueuedInfo } from "../client/index.js";
import { placeText, quoted } from "./words.js";

/** Most waits are shorter, and not worth a word. */
const silentMs = 1000;

export interface QueueNews {
  readonly hear: (info: QueuedInfo) => void;
  readonly end: () => void;
}

export function queueNews(tell: (text: string) => void): QueueNews {
  let latest: QueuedInfo | undefined;
  let told = "";
  let silent = true;
  const say = () => {
    if (silent || latest === undefined) return;
    const news = newsOf(latest);
    if (news !== told) tell(`waiting for ${quoted(latest.name)}: ${placeText(latest)}`);
    told = news;
  };
  const timer = setTimeout(() => {
    silent = false;
    say();
  }, silentMs);
  return {
    hear: (info) => {
      latest = info;
      say();
    },
    end: () => {
      clearTimeout(timer);
      silent = true;
    },
  };
}

/** What must differ for it to be told again: not the time that passes. */
function newsOf({ name, place, holders }: QueuedInfo): string {
  return JSON.stringify([name, place, holders.map(({ token, connected }) => `${token}${connected}`)]);
}
