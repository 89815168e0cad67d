/**
 * Whether some waits are surely part of no circle: the question that is asked of many at once, before each is looked at
 * by itself (deadlock.ts). Everything is taken to wait for all that is before it: for each holder of its name and each
 * request ahead, whatever their modes, and for slots of a semaphore for all who have some. What comes back to itself
 * nowhere even so, is no circle. Each wait, grant, name and session is looked at once.
 */
import { isPresent, type Session } from "../sessions/session.js";
import { type Grant, isHeld } from "./grant.js";
import type { Lock } from "./lock.js";
import { placesOf, type Waiting } from "./request.js";
import { withInner } from "./under.js";
import { addTo } from "./under-index.js";

/** A name stands for all that keep it, a session for all its waits that do not say what they were made under. */
type Node =
  | { readonly is: "wait"; readonly of: Waiting }
  | { readonly is: "name"; readonly of: Lock }
  | { readonly is: "grant"; readonly of: Grant }
  | { readonly is: "session"; readonly of: Session };

interface Step {
  readonly node: Node;
  readonly next: Iterator<Node>;
}

/** `waits`: of those who are there. */
export function areCircleFree(waits: Iterable<Waiting>): boolean {
  const walk = new Walk();
  for (const waiting of waits) if (!walk.comesToAnEnd({ is: "wait", of: waiting })) return false;
  return true;
}

class Walk {
  readonly #begun = new Set<Node["of"]>();
  readonly #done = new Set<Node["of"]>();
  /** Of sessions whose grants were met: which waits say that they were made under which. */
  readonly #listed = new Map<Session, ReadonlyMap<Grant, readonly Waiting[]>>();

  comesToAnEnd(first: Node): boolean {
    const way: Step[] = [];
    if (!this.#enter(first, way)) return false;
    for (let step = way.at(-1); step !== undefined; step = way.at(-1)) {
      const next = step.next.next();
      if (next.done !== true) {
        if (!this.#enter(next.value, way)) return false;
        continue;
      }
      this.#done.add(step.node.of);
      way.pop();
    }
    return true;
  }

  /** False: it is on the way already. */
  #enter(node: Node, way: Step[]): boolean {
    if (this.#done.has(node.of)) return true;
    if (this.#begun.has(node.of)) return false;
    this.#begun.add(node.of);
    way.push({ node, next: this.#waitsFor(node)[Symbol.iterator]() });
    return true;
  }

  #waitsFor(node: Node): Iterable<Node> {
    switch (node.is) {
      case "wait":
        return beforeWait(node.of);
      case "name":
        return beforeName(node.of);
      case "grant":
        return this.#beforeEndOf(node.of);
      case "session":
        return unsaidWaits(node.of);
    }
  }

  /** What is done before it is given back. */
  *#beforeEndOf(grant: Grant): Iterable<Node> {
    if (!isHeld(grant)) return;
    const { session } = grant;
    yield { is: "session", of: session };
    for (const waiting of this.#listedOf(session).get(grant) ?? []) yield { is: "wait", of: waiting };
  }

  #listedOf(session: Session): ReadonlyMap<Grant, readonly Waiting[]> {
    const known = this.#listed.get(session);
    if (known !== undefined) return known;
    const listed = new Map<Grant, Waiting[]>();
    this.#listed.set(session, listed);
    if (!isPresent(session)) return listed;
    for (const waiting of session.waits.values())
      for (const grant of waiting.under ?? []) addTo(listed, grant, waiting);
    return listed;
  }
}

function* beforeWait(waiting: Waiting): Iterable<Node> {
  if (waiting.kind === "conversion") {
    const { lock, grant: own } = waiting.holding;
    for (const { grant } of lock.holdings()) if (grant !== own) yield { is: "grant", of: grant };
    return;
  }
  for (const { lock, presentAhead } of placesOf(waiting)) {
    yield { is: "name", of: lock };
    if (presentAhead !== undefined) yield { is: "wait", of: presentAhead.request };
  }
}

function* beforeName(lock: Lock): Iterable<Node> {
  for (const { grant } of lock.holdings()) yield { is: "grant", of: grant };
  const { conversion } = lock;
  if (conversion !== undefined && isPresent(conversion.session)) yield { is: "wait", of: conversion };
}

/** Its own, and all of those who run under it. */
function* unsaidWaits(session: Session): Iterable<Node> {
  for (const one of withInner(session)) {
    if (!isPresent(one)) continue;
    for (const waiting of one.waits.values())
      if (one !== session || waiting.under === undefined) yield { is: "wait", of: waiting };
  }
}
