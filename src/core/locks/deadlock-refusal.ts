/**
 * A circle of waits in words and as fields: who is in it, what each holds and what each waits for. Of a long one the first
 * and the last, and how many are between: the broker keeps what it says.
 */
import { type LockName, type Refusal, refuse } from "../../terms/index.js";
import type { Session } from "../sessions/session.js";
import type { Wait } from "./deadlock.js";
import { nameOf, othersText, quote } from "./lock-view.js";
import type { Conversion } from "./request.js";

/** So many of a circle are named. */
const namedMax = 16;
/** So many characters of a name stand in the sentence; the fields have all of it. */
const shownMax = 64;

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
  const words = circle.slice(0, firstsOf(circle)).map(inWords);
  const unnamed = unnamedOf(circle);
  if (unnamed > 0) words.push(`and ${othersText(unnamed)} between`);
  words.push(...circle.slice(firstsOf(circle) + unnamed).map(inWords));
  return refuse("DEADLOCK", `${what} would never end: ${words.join("; ")}`, detailsOf(name, circle));
}

function detailsOf(name: LockName, circle: readonly Wait[]): { readonly [field: string]: unknown } {
  const unnamed = unnamedOf(circle);
  const entry = (wait: Wait, at: number) => entryOf(wait, circle.at(at - 1) ?? wait);
  const cycle = circle.slice(0, firstsOf(circle)).map(entry);
  for (let at = firstsOf(circle) + unnamed; at < circle.length; at++) cycle.push(entry(circle[at] as Wait, at));
  return { name, cycle, ...(unnamed === 0 ? {} : { unnamed }) };
}

/** Before those who are left out. */
function firstsOf({ length }: readonly Wait[]): number {
  return Math.min(length, namedMax - 1);
}

function unnamedOf({ length }: readonly Wait[]): number {
  return Math.max(0, length - namedMax);
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
  const who = inShort(nameOf(waiting.session));
  const what = quote(inShort(name));
  const other = inShort(nameOf(next.session));
  if (grant === undefined) return `${who} waits for ${what} behind ${other}`;
  const run = grant.session === next.session ? "" : `, under which ${other} runs`;
  return `${who} waits for ${what}, held by ${inShort(nameOf(grant.session))}${run}`;
}

function inShort(text: string): string {
  if (text.length <= shownMax) return text;
  // Not half a character at the end.
  return `${text.slice(0, shownMax - 1).replace(/[\ud800-\udbff]$/, "")}…`;
}

/** It asks for what is given back only when it is done. */
function nested({ waiting, name, grant }: Wait): string {
  const holder: Session = grant?.session ?? waiting.session;
  if (holder === waiting.session)
    return `${quote(name)} is held by the program itself (${nameOf(holder)}), which gives it back only when this request is done`;
  return `${quote(name)} is held by the command that this one runs under (${nameOf(holder)}), which waits for it to end`;
}
