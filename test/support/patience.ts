/**
 * Waiting without sleeping: for a promise, or for what only looking can tell (another process is gone, a file is
 * there). There is one bound for all, far beyond what a loaded machine needs; when it is over, what was awaited is
 * told. It decides nothing else: no test passes or fails by how long something took.
 *
 * HOLDFAST_TEST_PATIENCE_MS is another bound, for runs that are expected to wait in vain.
 */
import { setTimeout as sleep } from "node:timers/promises";

const boundMs = Number(process.env["HOLDFAST_TEST_PATIENCE_MS"] ?? 90_000);
const lookAgainMs = 10;

/** The promise's own outcome, or an error that names what did not come. */
export async function within<T>(what: string, promise: Promise<T>): Promise<T> {
  const end = new AbortController();
  const late = sleep(boundMs, undefined, { signal: end.signal }).then(() => {
    throw new Error(`waited ${boundMs / 1000} s in vain for ${what}`);
  });
  // Ended below, as soon as the other is there.
  late.catch(() => undefined);
  try {
    return await Promise.race([promise, late]);
  } finally {
    end.abort();
  }
}

/** Looks again and again until there is something (not undefined, not false). */
export async function until<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
): Promise<T> {
  const search = { over: false };
  try {
    return await within(what, seen(look, search));
  } finally {
    search.over = true;
  }
}

/**
 * Lets time pass because time is what the test is about: a process stands still for longer than a limit. What is
 * expected must hold however long it really was.
 */
export async function standStillFor(ms: number): Promise<void> {
  await sleep(ms);
}

async function seen<T>(
  look: () => T | undefined | false | Promise<T | undefined | false>,
  search: { readonly over: boolean },
): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (search.over) throw new Error("nobody waits for it any more");
    await sleep(lookAgainMs);
  }
}
