/**
 * All processes of a command: who descends from it, who is in its group, and who carries the lock under which it runs,
 * however it got away. To be told to end, then to be ended.
 *
 * Who has begun a session of its own and carries nothing of the lock is a daemon that others may rely on, as the broker
 * is that a program has started: it and its children are no part of the command, whether who started it lives or not.
 *
 * Who runs under a further lock is the affair of the `holdfast lock` in between, which passes on what it is told: only
 * when time is over it is ended like the others.
 */
import { carriedIn, carriedLocks } from "./held-locks-variable.js";
import { markOf } from "./lock-mark.js";
import { allProcesses, environmentOf, isAlive, type ProcessIdentity, type SeenProcess } from "./processes.js";

export interface FamilyOf {
  /** Of the command. */
  readonly pid: number;
  /** It leads a group of its own; else it shares that of who called us, which is not all its family. */
  readonly ownGroup: boolean;
  /** The lock under which it runs. */
  readonly lock: { readonly token: number; readonly session: string } | undefined;
  /** Who has been told to end before. With what they start meanwhile they see to their end, as long as there is time. */
  readonly told?: readonly ProcessIdentity[] | undefined;
}

interface Member extends ProcessIdentity {
  /** It is to be told to end: it has not been, and nobody in between passes that on. */
  readonly direct: boolean;
}

export function familyOf({ pid, ownGroup, lock, told = [] }: FamilyOf): Member[] {
  const others = allProcesses().filter((one) => one.pid !== process.pid);
  const all = others.map((one) => ({ ...one, sign: signOf(one.pid, lock) }));
  const kin = descendants(
    all.filter(({ leadsSession, sign }) => !leadsSession || sign !== "none"),
    pid,
  );
  const ending = new Set(told.filter(isAlive).flatMap((one) => [...descendants(all, one.pid)]));
  return all.flatMap((one) => {
    const carries = one.sign === "innermost" || one.sign === "further";
    const belongs = carries || kin.has(one.pid) || (ownGroup && one.group === pid);
    const direct = one.sign !== "further" && !ending.has(one.pid);
    return belongs ? [{ pid: one.pid, startTime: one.startTime, direct }] : [];
  });
}

/** What a process shows of the lock; `hidden`: another user's shows nothing to us. */
type Sign = "none" | "innermost" | "further" | "hidden";

function signOf(pid: number, lock: FamilyOf["lock"]): Sign {
  const environment = environmentOf(pid);
  if (environment === undefined) return "hidden";
  const carried = [...carriedLocks(markOf(pid)), ...carriedIn(environment)];
  const at = carried.findLastIndex(({ token, session }) => token === lock?.token && session === lock.session);
  if (at < 0) return "none";
  // Several names of one grant stand beside each other, all with its token.
  return carried.slice(at).every(({ token }) => token === lock?.token) ? "innermost" : "further";
}

function descendants(all: readonly SeenProcess[], pid: number): ReadonlySet<number> {
  const children = new Map<number, number[]>();
  for (const one of all) children.set(one.parent, [...(children.get(one.parent) ?? []), one.pid]);
  const found = new Set([pid]);
  for (const member of found) for (const child of children.get(member) ?? []) found.add(child);
  return found;
}

/** How often those that were found are looked at: one file each. */
const lookAgainMs = 20;
/** How often all processes are looked at while some of those found live: they may have started others. */
const lookAroundMs = 250;
/** A process that may not be signalled (another user's) is waited for so long. */
const patienceMs = 10_000;
/** As so much a longer pause counts: who stood still with us (SIGSTOP, a machine that sleeps) has had no time to end. */
const pauseMs = 1000;

/**
 * SIGTERM to each once, SIGKILL after `graceMs` to who is still there, until two looks in a row find nobody: who starts
 * another and ends in the middle of one look may not be seen in it. Returns whom it could not end.
 */
export async function endFamily(
  family: FamilyOf,
  graceMs: number,
  now = () => performance.now(),
): Promise<readonly ProcessIdentity[]> {
  const waitedMs = stopwatch(now);
  const told = new Set<string>();
  let members: readonly Member[] = [];
  let nextLookMs = 0;
  for (let clear = 0; ; ) {
    const atMs = waitedMs();
    const killed = atMs >= graceMs;
    members = members.filter(isAlive);
    if (members.length === 0 || atMs >= nextLookMs) {
      members = familyOf(family);
      nextLookMs = waitedMs() + lookAroundMs;
      // Once more before they are killed: whom a dead one has started is not seen to be its child any more.
      if (!killed) nextLookMs = Math.min(nextLookMs, graceMs);
      clear = members.length === 0 ? clear + 1 : 0;
      if (clear === 2) return [];
    }
    const untouchable: ProcessIdentity[] = [];
    for (const member of members) {
      const key = `${member.pid} ${member.startTime}`;
      if (!killed && (told.has(key) || !member.direct)) continue;
      told.add(key);
      if (!signal(member, killed ? "SIGKILL" : "SIGTERM")) untouchable.push(member);
    }
    if (atMs >= graceMs + patienceMs && untouchable.length === members.length && members.length > 0) return untouchable;
    await new Promise((resolve) => setTimeout(resolve, lookAgainMs));
  }
}

/** Milliseconds since it was made; between two questions no more than `pauseMs` count. */
function stopwatch(now: () => number): () => number {
  let askedAt = now();
  let ms = 0;
  return () => {
    const before = askedAt;
    askedAt = now();
    ms += Math.min(askedAt - before, pauseMs);
    return ms;
  };
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
