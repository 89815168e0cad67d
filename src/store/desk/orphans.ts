/**
 * The children of a front that was killed live on until they notice, and one that is stopped or busy never does (rule 2).
 * So every front writes its children down before it speaks to them, and the next one ends what it finds written.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { startTimeOf } from "./process-identity.js";

export interface ChildRecord {
  readonly pid: number;
  readonly startTime: string;
  readonly role: string;
  /** The run of the machine: after a restart the numbers are those of strangers. */
  readonly bootId: string;
}

const goneMsMax = 10_000;
const lookEveryMs = 10;

/** Whole or not at all: what reads it may come at any moment. */
export function writeChildren(path: string, children: readonly ChildRecord[]): void {
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, JSON.stringify(children), { mode: 0o600 });
  renameSync(draft, path);
}

export function forgetChildren(path: string): void {
  rmSync(path, { force: true });
}

/**
 * Ends every child that a front before this one has written down, and waits until they are gone, 10 s at most. Gives
 * those that are still there: a process inside a system call that does not return. The writer's lock tells the rest.
 */
export async function killOrphans(places: { readonly children: string }): Promise<readonly ChildRecord[]> {
  let living = readChildren(places.children).filter(isThere);
  for (const { pid } of living) kill(pid);
  const until = performance.now() + goneMsMax;
  for (living = living.filter(isThere); living.length > 0 && performance.now() < until; living = living.filter(isThere))
    await sleep(lookEveryMs);
  return living;
}

/** Those of an earlier front that are there still, written down as they were. */
export function livingOrphans(path: string): readonly ChildRecord[] {
  return readChildren(path).filter(isThere);
}

export function isThere({ pid, startTime }: ChildRecord): boolean {
  return startTimeOf(pid) === startTime;
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It went by itself in the meantime; whether it is there is asked again anyway.
  }
}

function readChildren(path: string): readonly ChildRecord[] {
  let records: unknown;
  try {
    records = JSON.parse(readFileSync(path, "utf8"));
  } catch {
    // No front before this one, or one that ended well.
    return [];
  }
  const bootId = currentBootId();
  return Array.isArray(records)
    ? records.filter((record) => isRecord(record) && (bootId === undefined || record.bootId === bootId))
    : [];
}

function isRecord(value: unknown): value is ChildRecord {
  const { pid, startTime } = (value ?? {}) as Partial<ChildRecord>;
  return Number.isSafeInteger(pid) && Number(pid) > 1 && typeof startTime === "string";
}

/** Undefined where it cannot be had; then the start time alone must do. */
export function currentBootId(): string | undefined {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return undefined;
  }
}
