/** What a write is refused with before the store has seen it, or when the store does not know it. */
import { type Refusal, refuse } from "../../terms/index.js";
import type { Fence } from "../command.js";
import type { Write } from "./write.js";

export function unavailable(reason: string): Refusal {
  return refuse("WRITER_UNAVAILABLE", `no writer can be had: ${reason}`, { reason });
}

/** Of one that was only looked up, and that the store does not know. */
export function unknown({ broken: fence, lookup, seq: at }: Write): Refusal {
  if (fence !== undefined) return fenced(fence);
  if (lookup === undefined) throw new Error(`write line: write ${at} was to be run and was only looked up`);
  return lookup;
}

export function fenced({ name, token }: Fence): Refusal {
  const message = `the lock ${JSON.stringify(name)} is no longer held under token ${token}`;
  return refuse("FENCED", message, { name, token });
}
