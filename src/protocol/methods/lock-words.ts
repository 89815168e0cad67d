/** The words of the lock service on the wire. */

export type LockMode = "exclusive" | "shared" | "semaphore";

export const lockModes = ["exclusive", "shared", "semaphore"] as const satisfies readonly LockMode[];

/** What can happen at a name. */
export const lockEventKinds = [
  "queued",
  "granted",
  "upgraded",
  "downgraded",
  "released",
  "lost",
  "cancelled",
  "timed-out",
  "refused-deadlock",
  "resized",
  "free",
] as const;
