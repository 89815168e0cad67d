/** What stands in a member's own record. The last line of one that was killed may be half of one. */
import type { LedgerLine } from "./orders.js";

export function linesOf(text: string): LedgerLine[] {
  return text
    .slice(0, text.lastIndexOf("\n") + 1)
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as LedgerLine);
}
