/**
 * Whether what lies at the broker's place is this user's own. In a directory that all users share (/tmp) anybody may
 * have been there first, with a broker of his own.
 */
import { lstatSync, type Stats } from "node:fs";
import { type Refusal, refuse } from "../terms/index.js";

/**
 * Why a directory is not trusted; nothing when nobody but `uid` and root can have put anything there. It is what the
 * broker demands of it as well. Throws what the system says when it cannot be looked at, or is not there.
 */
export function distrust(directory: string, uid: number): Refusal | undefined {
  const stats = lstatSync(directory);
  const mode = stats.mode & 0o777;
  if (stats.isSymbolicLink()) return refusal(directory, "is a symbolic link", elsewhere);
  if (!stats.isDirectory()) return refusal(directory, "is not a directory", elsewhere);
  if (!isOwn(stats, uid)) return refusal(directory, `belongs to user ${stats.uid}, not to ${uid}`, elsewhere);
  if ((mode & 0o077) === 0) return undefined;
  const wrong = `can be entered by others (mode ${mode.toString(8).padStart(4, "0")})`;
  return refusal(directory, wrong, "give it the mode 0700");
}

/** The same of a socket in a directory that is trusted; nothing as well where there is none. */
export function distrustSocket(path: string, uid: number): Refusal | undefined {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined || isOwn(stats, uid)) return undefined;
  return refusal(path, `belongs to user ${stats.uid}, not to ${uid}`, elsewhere);
}

const elsewhere = "choose another directory (`dir`, HOLDFAST_DIR)";

function isOwn(stats: Stats, uid: number): boolean {
  return stats.uid === uid || stats.uid === 0;
}

function refusal(path: string, wrong: string, remedy: string): Refusal {
  const why = "a broker there need not be yours, and nothing is sent to it";
  const named = "if the broker there is meant, name its socket (`socket`, HOLDFAST_SOCKET)";
  return refuse("PERMISSION", `${path} ${wrong}: ${why}; ${remedy}, or ${named}`, { path });
}
