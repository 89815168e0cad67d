/**
 * Which session runs under which: a command that was started under another one's locks. Every walk over those above ends,
 * and is short.
 */
import type { Session } from "./session.js";

/** Commands may run under others so deep; what is deeper runs under none. */
const outersMax = 16;

/**
 * Not too deep, and not in a circle: an id that was forgotten may have been taken up again, under one that ran under it
 * before. They come in any order: some may run under this one already.
 */
export function mayRunUnder(session: Session, outer: Session): boolean {
  if (isUnder(outer, session)) return false;
  return outersOf(outer) + levelsUnder(session) < outersMax;
}

export function runsUnder(session: Session, outer: Session): void {
  session.outer = outer;
  outer.inner ??= new Set();
  outer.inner.add(session);
}

/** It is over: nothing runs under it any more, and it runs under nothing. */
export function letGo(session: Session): void {
  session.outer?.inner?.delete(session);
  session.outer = undefined;
  for (const inner of session.inner ?? []) inner.outer = undefined;
  session.inner = undefined;
}

/** Whether it is that one, or runs under it. */
function isUnder(session: Session, outer: Session): boolean {
  for (let one: Session | undefined = session; one !== undefined; one = one.outer) if (one === outer) return true;
  return false;
}

function outersOf(session: Session): number {
  let outers = 0;
  for (let { outer } = session; outer !== undefined; outer = outer.outer) outers++;
  return outers;
}

/** How many run under this one, each under the one before, where that goes deepest. */
function levelsUnder(session: Session): number {
  let levels = 0;
  for (let level = [...(session.inner ?? [])]; level.length > 0; levels++)
    level = level.flatMap(({ inner }) => [...(inner ?? [])]);
  return levels;
}
