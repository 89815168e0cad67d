/** Names and tokens as they come from the wire, as the core takes them: a name has passed its check, or is refused. */
import type { Fence } from "../core/index.js";
import { isRefusal, type Limits, type LockName, lockName, type Refusal, refuse, token } from "../terms/index.js";

type NameLimits = Pick<Limits, "nameBytesMax">;

export function nameFrom(text: string, { nameBytesMax }: NameLimits): LockName | Refusal {
  const name = lockName(text, nameBytesMax);
  return typeof name === "string"
    ? name
    : refuse("NAME_INVALID", `the lock name ${name.wrong}`, { limit: "nameBytesMax" });
}

type Listed = readonly { readonly name: string; readonly token: number }[];

/** What is given back with a write; absent when nothing is. */
export function releaseFrom({ release }: { readonly release?: Listed }, limits: NameLimits) {
  return release === undefined || release.length === 0 ? undefined : fencesFrom(release, limits);
}

export function fencesFrom(listed: Listed | undefined, limits: NameLimits): Fence[] | Refusal {
  const fences: Fence[] = [];
  for (const fence of listed ?? []) {
    const name = nameFrom(fence.name, limits);
    if (isRefusal(name)) return name;
    fences.push({ name, token: token(fence.token) });
  }
  return fences;
}
