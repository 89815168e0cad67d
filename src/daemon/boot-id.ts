/**
 * Names this run of the machine: another value after each start of it, one value in between. What was only in the page
 * cache belongs to one boot; so do pids, start times and monotonic instants.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { HoldfastError } from "../terms/index.js";

export function readBootId(): string {
  const id = process.platform === "linux" ? fromProc() : (fromSysctl("kern.bootsessionuuid") ?? bootTime());
  // A made-up one would make the ledger look as if the machine had been restarted, and void everybody's locks.
  if (id === undefined || id === "") throw new HoldfastError("START_FAILED", "the system does not tell its boot id");
  return id;
}

function fromProc(): string | undefined {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return undefined;
  }
}

/** `{ sec = 1700000000, usec = 12345 } Tue Nov 14 …`: the seconds; the rest moves when the clock is set. */
function bootTime(): string | undefined {
  return /sec = (\d+)/.exec(fromSysctl("kern.boottime") ?? "")?.[1];
}

function fromSysctl(name: string): string | undefined {
  const { status, stdout } = spawnSync("sysctl", ["-n", name], { encoding: "utf8" });
  return status === 0 ? stdout.trim() : undefined;
}
