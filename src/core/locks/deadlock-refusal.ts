/** A circle of waits in words and as fields: everybody in it, what each holds and what each waits for. */
import { type LockName, type Refusal, refuse } from "../../terms/index.js";
import type { Session } from "../sessions/session.js";
import type { Wait } from "./deadlock.js";
import { nameOf, quote } from "./lock-view.js";
import type { Conversion } from "./request.js";

export function deadlockRefusal(circle: readonly Wait[]): Refusal {
  const first = firstOf(circle);
  if (circle.length === 1) return refuse("DEADLOCK", nested(first), detailsOf(first.name, circle));
  return refusalOf(`to wait for ${quote(first.name)}`, first.name, circle);
}

/** The circle may be one of others, who would wait for what is upgraded. */
export function upgradeRefusal(name: LockName, upgrade: Conversion, circle: readonly Wait[]): Refusal {
  if (firstOf(circle).waiting === upgrade) return deadlockRefusal(circle);
  return refusalOf(`with ${quote(name)} held exclusively a wait`, name, circle);
}

function refusalOf(what: string, name: LockName, circle: readonly Wait[]): Refusal {
  const message = `${what} would never end: ${circle.map(inWords).join("; ")}`;
  return refuse("DEADLOCK", message, detailsOf(name, circle));
}

function detailsOf(name: LockName, circle: readonly Wait[]): { readonly [field: string]: unknown } {
  return { name, cycle: circle.map((wait, i) => entryOf(wait, circle.at(i - 1) ?? wait)) };
}

function firstOf(circle: readonly Wait[]): Wait {
  const [first] = circle;
  if (first === undefined) throw new Error("a circle of nobody");
  return first;
}

/** `before`: the wait that ends at this one. */
function entryOf({ waiting, name }: Wait, before: Wait): { readonly [field: string]: unknown } {
  const { session } = waiting;
  const holder = before.grant?.session;
  return {
    program: session.identity.program,
    pid: session.identity.process?.pid ?? null,
    session: session.id,
    /** What the one before waits for: held here, or by the command that this one runs under; null: it only stands before it. */
    holds: before.grant === undefined ? null : before.name,
    ...(holder === undefined || holder === session ? {} : { under: holder.id }),
    waitsFor: name,
  };
}

function inWords({ waiting, name, grant, next }: Wait): string {
  const who = nameOf(waiting.session);
  if (grant === undefined) return `${who} waits for ${quote(name)} behind ${nameOf(next.session)}`;
  const run = grant.session === next.session ? "" : `, under which ${nameOf(next.session)} runs`;
  return `${who} waits for ${quote(name)}, held by ${nameOf(grant.session)}${run}`;
}

/** It asks for what is given back only when it is done. */
function nested({ waiting, name, grant }: Wait): string {
  const holder: Session = grant?.session ?? waiting.session;
  if (holder === waiting.session)
    return `${quote(name)} is held by the program itself (${nameOf(holder)}), which gives it back only when this request is done`;
  return `${quote(name)} is held by the command that this one runs under (${nameOf(holder)}), which waits for it to end`;
}
