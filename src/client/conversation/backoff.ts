/** How long to wait before the next attempt to connect: doubling, bounded, and spread so that a crowd does not march. */
import type { Millis } from "../../terms/index.js";

const firstMs = 5;
const mostMs = 500;
/** A start that failed costs a process; it is not repeated twice a second. */
const mostAfterFailedStartMs = 10_000;

/** `attempts` made since the last success; `luck` from 0 (inclusive) to 1 (exclusive) comes from the caller. */
export function backoffMs(attempts: number, luck: number, startFailed: boolean): Millis {
  const bound = startFailed ? mostAfterFailedStartMs : mostMs;
  const base = Math.min(bound, (startFailed ? mostMs : firstMs) * 2 ** Math.min(attempts, 20));
  return base / 2 + (base / 2) * luck;
}
