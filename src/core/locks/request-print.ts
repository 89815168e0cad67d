/**
 * A number for what a lock request asks, so that a key that comes again with another request is noticed. Counts: the
 * method, its names, and its token, number of slots, heir or other key. Does not count what a client may say differently
 * when it sends the request again, or what a grant does not keep for good: how, how long and why a lock is wanted. 31
 * bits that mix well; as that of a write it guards against mistakes of the sender, not against malice.
 */
import { impossible, type LockName, type RequestKey } from "../../terms/index.js";
import type { Claim, LockCommand } from "../command.js";
import type { RequestPrint } from "../sessions/finished-requests.js";
import { claimsWanted, type Waiting } from "./request.js";

export type KeyedLockCommand = Extract<LockCommand, { readonly key: RequestKey }>;

export function printOf(ask: KeyedLockCommand): RequestPrint {
  switch (ask.kind) {
    case "acquire":
      return printOfAcquire(ask.claims);
    case "convert":
      return printOfConvert(ask.to, ask.name);
    case "cancel-acquire":
      return print(`cancel\n${ask.of}`);
    case "release":
      return print(`release\n${ask.name}\n${ask.token}`);
    case "break":
      return print(`break\n${ask.name}\n${ask.token}`);
    case "transfer":
      return print(`transfer\n${ask.name}\n${ask.token}\n${ask.to}`);
    case "resize":
      return print(`resize\n${ask.name}\n${ask.slots}`);
    default:
      return impossible(ask, "keyed lock command");
  }
}

/** Of the request that waits, or of one that was granted. */
export function printOfWaiting(waiting: Waiting): RequestPrint {
  if (waiting.kind === "request") return printOfAcquire(claimsWanted(waiting));
  return printOfConvert("exclusive", waiting.holding.lock.name);
}

/** Its names in whatever order, each once: as a grant has them. */
export function printOfAcquire(claims: readonly Claim[]): RequestPrint {
  const [first] = claims;
  if (claims.length === 1 && first !== undefined) return print(`acquire\n${first.name}`);
  return print(["acquire", ...new Set(claims.map(({ name }) => name).sort())].join("\n"));
}

export function printOfConvert(to: "exclusive" | "shared", name: LockName): RequestPrint {
  return print(`${to}\n${name}`);
}

/** A name has no line breaks. FNV-1a over UTF-16 units, with the last step of MurmurHash3. */
function print(text: string): RequestPrint {
  let mixed = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) mixed = Math.imul(mixed ^ text.charCodeAt(at), 0x01000193);
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return ((mixed ^ (mixed >>> 16)) & 0x7fff_ffff) as RequestPrint;
}
