/**
 * Three kinds of time that must not be mixed, and the only arithmetic on them. Deadlines live on the monotonic clock;
 * wall time is for people to read and for nothing else.
 */

declare const brand: unique symbol;

/** Milliseconds of the machine's monotonic clock (CLOCK_MONOTONIC: one scale for all processes of one boot). */
export type Instant = number & { readonly [brand]: "Instant" };
/** A length of time in milliseconds. */
export type Millis = number;
/** Milliseconds since 1970, for display and for rows that people read. */
export type WallTime = number & { readonly [brand]: "WallTime" };

export function instant(ms: number): Instant {
  return ms as Instant;
}

export function wallTime(ms: number): WallTime {
  return ms as WallTime;
}

export function after(start: Instant, ms: Millis): Instant {
  return (start + ms) as Instant;
}

export function between(start: Instant, end: Instant): Millis {
  return end - start;
}

export function later(a: Instant, b: Instant): Instant {
  return a > b ? a : b;
}
