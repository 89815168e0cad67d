/**
 * All processes of a command: who descends from it, who is in its group, and who carries the lock under which it runs,
 * however it got away. To be told to end, then to be ended.
 *
 * Who runs under a further lock is the affair of the `holdfast lock` in between, which passes on what it is told: only
 * when time is over it is ended like the others.
 */
import { carriedIn } from "./held-locks-variable.js";
import { allProcesses, environmentOf, isAlive, type ProcessIdentity, type SeenProcess } from "./processes.js";

export interface FamilyOf {
  /** Of the command. */
  readonly pid: number;
  /** It leads a group of its own; else it shares that of who called us, which is not all its family. */
  readonly ownGroup: boolean;
  /** The lock under which it runs. */
  readonly lock: { readonly token: number; readonly session: string } | undefined;
}

interface Member extends ProcessIdentity {
  /** Nobody in between passes on what it is to be told. */
  readonly direct: boolean;
}

export function familyOf({ pid, ownGroup, lock }: FamilyOf): Member[] {
  const all = allProcesses().filter((one) => one.pid !== process.pid);
  const kin = descendants(all, pid);
  return all.flatMap((one) => {
    const carried = carriedIn(environmentOf(one.pid) ?? "");
    const at = carried.findLastIndex(({ token, session }) => token === lock?.token && session === lock.session);
    const belongs = kin.has(one.pid) || (ownGroup && one.group === pid) || at >= 0;
    return belongs ? [{ pid: one.pid, startTime: one.startTime, direct: isInnermost(carried, at) }] : [];
  });
}

/** Several names of one grant stand beside each other, all with its token. */
function isInnermost(carried: readonly { readonly token: number }[], at: number): boolean {
  return at < 0 || carried.slice(at + 1).every(({ token }) => token === carried[at]?.token);
}

function descendants(all: readonly SeenProcess[], pid: number): ReadonlySet<number> {
  const children = new Map<number, number[]>();
  for (const one of all) children.set(one.parent, [...(children.get(one.parent) ?? []), one.pid]);
  const found = new Set([pid]);
  for (const member of found) for (const child of children.get(member) ?? []) found.add(child);
  return found;
}

const lookAgainMs = 20;
/** A process that may not be signalled (another user's) is waited for so long. */
const patienceMs = 10_000;

/**
 * SIGTERM to each once, SIGKILL after `graceMs` to who is still there, until two looks in a row find nobody: who starts
 * another and ends in the middle of one look may not be seen in it. Returns whom it could not end.
 */
export async function endFamily(family: FamilyOf, graceMs: number): Promise<readonly ProcessIdentity[]> {
  const told = new Set<string>();
  let clear = 0;
  for (let waitedMs = 0; clear < 2; waitedMs += lookAgainMs) {
    const members = familyOf(family);
    clear = members.length === 0 ? clear + 1 : 0;
    const untouchable: ProcessIdentity[] = [];
    for (const member of members) {
      const key = `${member.pid} ${member.startTime}`;
      const killed = waitedMs >= graceMs;
      if (!killed && (told.has(key) || !member.direct)) continue;
      told.add(key);
      if (!signal(member, killed ? "SIGKILL" : "SIGTERM")) untouchable.push(member);
    }
    if (waitedMs >= graceMs + patienceMs && untouchable.length === members.length && members.length > 0)
      return untouchable;
    await new Promise((resolve) => setTimeout(resolve, lookAgainMs));
  }
  return [];
}

/** Only if it is still that process. False: we may not. */
function signal(member: ProcessIdentity, name: "SIGTERM" | "SIGKILL"): boolean {
  if (!isAlive(member)) return true;
  try {
    process.kill(member.pid, name);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "EPERM";
  }
}
