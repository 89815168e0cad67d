/**
 * What contenders for locks saw, each in its own file, and what whoever kills them did; and whether all of it together can
 * be told as one story: per name the grants in the order of their tokens, none beside one that excludes it, each within
 * the time in which it was asked for and had. All instants are of the machine's one steady clock (ms).
 */

/** One line of a contender's file, written with fsync before it goes on. */
export type Line =
  | { readonly kind: "asked"; readonly ask: number; readonly name: string; readonly mode: Mode; readonly at: number }
  /** The broker has said that it waits. */
  | { readonly kind: "queued"; readonly ask: number; readonly at: number }
  | { readonly kind: "granted"; readonly ask: number; readonly token: number; readonly at: number }
  /** It wrote the next number into the register of the name, under the lock. */
  | { readonly kind: "wrote"; readonly ask: number; readonly value: number; readonly at: number }
  /** Before its release is sent, or when it heard that it has lost it. */
  | { readonly kind: "over"; readonly ask: number; readonly at: number };

export type Mode = "exclusive" | "shared";

export interface Story {
  readonly member: string;
  readonly lines: readonly Line[];
  /** When it was killed, just before; absent: it was not. */
  readonly killedAt?: number;
}

/** Instants from when on nobody's place is sure for a while: the broker was killed, or somebody was stopped. */
export type Disturbances = readonly number[];

export interface Grant {
  readonly member: string;
  readonly name: string;
  readonly mode: Mode;
  readonly token: number;
  readonly askedAt: number;
  readonly queuedAt: number | undefined;
  readonly grantedAt: number;
  /** From then on others may have it; infinite when it was never given back. */
  readonly overAt: number;
  readonly wrote: number | undefined;
}

export function grantsOf({ member, lines, killedAt = Number.POSITIVE_INFINITY }: Story): Grant[] {
  const grants: Grant[] = [];
  for (const line of lines) {
    if (line.kind !== "granted") continue;
    const { ask, token, at: grantedAt } = line;
    const same = lines.filter((one) => one.ask === ask);
    const asked = same.find((one) => one.kind === "asked");
    if (asked?.kind !== "asked") throw new Error(`${member} was granted what it had not asked for`);
    const { name, mode, at: askedAt } = asked;
    const queuedAt = same.find((one) => one.kind === "queued")?.at;
    const over = same.find((one) => one.kind === "over")?.at ?? Number.POSITIVE_INFINITY;
    const wrote = same.find((one) => one.kind === "wrote");
    const value = wrote?.kind === "wrote" ? wrote.value : undefined;
    grants.push({
      ...{ member, name, mode, token, askedAt, queuedAt, grantedAt },
      ...{ overAt: Math.min(over, killedAt), wrote: value },
    });
  }
  return grants;
}

/** Whatever contradicts the promises; empty: nothing does. */
export function contradictions(stories: readonly Story[], disturbances: Disturbances): string[] {
  const byName = new Map<string, Grant[]>();
  for (const grant of stories.flatMap(grantsOf)) byName.set(grant.name, [...(byName.get(grant.name) ?? []), grant]);
  return [...byName.values()].flatMap((grants) => ofOneName(grants, disturbances));
}

function ofOneName(grants: readonly Grant[], disturbances: Disturbances): string[] {
  const inOrder = grants.toSorted((a, b) => a.token - b.token);
  const found: string[] = [];
  for (const [i, later] of inOrder.entries()) {
    for (const earlier of inOrder.slice(0, i)) {
      const error = ofTwo(earlier, later) ?? outOfOrder(earlier, later, disturbances);
      if (error !== undefined) found.push(error);
    }
  }
  return [...found, ...registerErrors(inOrder)];
}

/** `later` has the higher token. */
function ofTwo(earlier: Grant, later: Grant): string | undefined {
  const both = `${text(earlier)} and ${text(later)}`;
  if (earlier.token === later.token) return `one token twice: ${both}`;
  const excludes = earlier.mode === "exclusive" || later.mode === "exclusive";
  if (excludes && later.grantedAt < earlier.overAt && earlier.grantedAt < later.overAt) return `at once: ${both}`;
  if (later.overAt < earlier.askedAt) return `a token went back: ${both}`;
  return undefined;
}

/** Who was known to wait before the other asked is granted before him, unless something came between. */
function outOfOrder(earlier: Grant, later: Grant, disturbances: Disturbances): string | undefined {
  if (later.queuedAt === undefined || later.queuedAt >= earlier.askedAt) return undefined;
  if (disturbances.some((at) => at >= later.askedAt && at <= later.grantedAt)) return undefined;
  return `overtaken: ${text(later)} waited when ${text(earlier)} asked`;
}

/** Each exclusive holder has read what the one before it had written, and wrote one more. */
function registerErrors(inOrder: readonly Grant[]): string[] {
  const found: string[] = [];
  let last: Grant | undefined;
  for (const grant of inOrder) {
    if (grant.wrote === undefined) continue;
    if (last?.wrote !== undefined && grant.wrote <= last.wrote)
      found.push(`${text(grant)} wrote ${grant.wrote} after ${text(last)} wrote ${last.wrote}`);
    last = grant;
  }
  return found;
}

function text({ member, name, mode, token }: Grant): string {
  return `${member}'s ${mode} grant ${token} of ${name}`;
}
