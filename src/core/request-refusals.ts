/** What a request is refused with, whatever it asks for, because of how the broker is. */
import { type Refusal, refuse } from "../terms/index.js";
import { notRun } from "./writes/settlement.js";

/** The ledger would have to know of it, and has no room. */
export const ledgerFull = refuse("DISK_FULL", "the broker's ledger cannot be written");

/** With so many requests of a session waiting behind its writes no upgrade comes to wait there. */
export const followersMax = 2048;

export const tooManyFollow = refuse(
  "LOCKS_FULL",
  `${followersMax} requests wait behind writes of their session already`,
);

export function ending(seenBefore: boolean): Refusal {
  return notRun({ seenBefore }, refuse("SHUTTING_DOWN", "the broker is ending"));
}

export function waitsForWriter(what: string): Refusal {
  return refuse("WRITER_UNAVAILABLE", `no writer can be had, and before one has begun it is not known ${what}`);
}
