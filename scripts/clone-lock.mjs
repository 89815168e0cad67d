/**
 * Only one process at a time installs and builds in a clone; the others wait and then find everything done.
 *
 * The lock is the directory out/lock with a file that names its owner. The owner touches that file every second, so
 * that a lock counts as left behind when its process is gone or when it has not moved for 30 s (a pid may be reused).
 */
import { mkdirSync, readFileSync, rmdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { root, say } from "./process.mjs";

const lock = join(root, "out", "lock");
const ownerFile = join(lock, "pid");
const silentMsMax = 30_000;

export async function withCloneLock(work) {
  mkdirSync(join(root, "out"), { recursive: true });
  const asked = Date.now();
  let told = false;
  while (!take()) {
    if (!told && Date.now() - asked > 1_000) {
      say(`waiting for process ${readOwner() ?? "?"}, which is installing or building in this clone`);
      told = true;
    }
    await sleep(100);
  }
  const leave = () => rmSync(lock, { recursive: true, force: true });
  const touch = setInterval(() => utimesSync(ownerFile, new Date(), new Date()), 1_000);
  process.once("exit", leave);
  try {
    return await work();
  } finally {
    clearInterval(touch);
    process.off("exit", leave);
    leave();
  }
}

function take() {
  if (!makeDirectory(lock)) {
    removeIfLeftBehind();
    return false;
  }
  writeFileSync(ownerFile, String(process.pid));
  return true;
}

/** Two that find the same lock left behind must not both remove one: the second would remove the first one's new lock. */
function removeIfLeftBehind() {
  const guard = `${lock}-removal`;
  if (!isLeftBehind() || !makeDirectory(guard)) {
    if (ageMs(guard) > silentMsMax) {
      rmSync(guard, { recursive: true, force: true });
    }
    return;
  }
  try {
    if (isLeftBehind()) {
      rmSync(lock, { recursive: true, force: true });
    }
  } finally {
    rmdirSync(guard);
  }
}

function isLeftBehind() {
  const owner = readOwner();
  if (owner === undefined) {
    // Between the directory and its file lies no time worth mentioning, unless the owner died there.
    return ageMs(lock) > 5_000;
  }
  return !isAlive(owner) || ageMs(ownerFile) > silentMsMax;
}

function readOwner() {
  try {
    const pid = Number(readFileSync(ownerFile, "utf8"));
    return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

/** How long a path has not changed; a path that is not there (any more) is 0 ms old. */
function ageMs(path) {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? 0 : Date.now() - stat.mtimeMs;
}

function makeDirectory(path) {
  try {
    mkdirSync(path);
    return true;
  } catch (error) {
    if (error.code === "EEXIST") {
      return false;
    }
    throw error;
  }
}
