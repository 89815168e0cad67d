/**
 * Directories that are this user's alone: made 0700, and looked at before anything in them is trusted. On a shared
 * machine the mode of the directory is what keeps others from the socket (a socket's own mode is not honoured
 * everywhere), and a link or a foreign directory in its place would lead clients to somebody else's broker.
 */
import { chmodSync, closeSync, fsyncSync, lstatSync, mkdirSync, openSync, type Stats, statSync } from "node:fs";
import { dirname } from "node:path";
import { HoldfastError } from "../terms/index.js";

/**
 * Makes the directory and its missing parents (all 0700), each synced with its parent (rule 21: a name is not on disk
 * because its file is), then checks it as `checkPrivateDirectory` does. Answers which directories were made.
 */
export function makePrivateDirectory(path: string, uid: number): readonly string[] {
  const made: string[] = [];
  for (const missing of missingDirectories(path)) {
    try {
      mkdirSync(missing, 0o700);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") continue;
      throw cannot("make", missing, error);
    }
    // The mode above went through the umask, which may take away even the owner's bits.
    chmodSync(missing, 0o700);
    syncDirectory(missing);
    syncDirectory(dirname(missing));
    made.push(missing);
  }
  checkPrivateDirectory(path, uid);
  return made;
}

/** Throws PERMISSION with the command that helps unless it is a real directory, owned by `uid`, closed to all others. */
export function checkPrivateDirectory(path: string, uid: number): void {
  const stats = look(path);
  if (stats === undefined) throw new HoldfastError("PERMISSION", `the directory ${path} is not there`);
  if (stats.isSymbolicLink()) throw refusal(path, "is a symbolic link", "name the directory that it leads to");
  if (!stats.isDirectory()) throw refusal(path, "is not a directory", `mv ${quoted(path)} ${quoted(`${path}.old`)}`);
  if (stats.uid !== uid)
    throw refusal(path, `belongs to user ${stats.uid}, not to ${uid}`, `chown ${uid} ${quoted(path)}`);
  if ((stats.mode & 0o1002) === 0o1002) throw refusal(path, "is shared by all users", "choose a directory of your own");
  const mode = stats.mode & 0o777;
  if ((mode & 0o077) !== 0)
    throw refusal(path, `can be entered by others (mode ${octal(mode)})`, `chmod 700 ${quoted(path)}`);
}

/** A parent in which any user could put another directory in this one's place, if there is such a parent. */
export function openParent(path: string): string | undefined {
  for (let parent = dirname(path); ; parent = dirname(parent)) {
    const mode = statSync(parent).mode;
    if ((mode & 0o002) !== 0 && (mode & 0o1000) === 0) return parent;
    if (parent === dirname(parent)) return undefined;
  }
}

/** Makes new names in this directory survive a power loss, where the file system has such a thing for directories. */
export function syncDirectory(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (!["EINVAL", "ENOTSUP", "EOPNOTSUPP"].includes(code)) throw error;
  } finally {
    closeSync(fd);
  }
}

/** From the outermost to `path` itself. */
function missingDirectories(path: string): readonly string[] {
  const missing: string[] = [];
  for (let at = path; look(at) === undefined; at = dirname(at)) missing.unshift(at);
  return missing;
}

function look(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw cannot("look at", path, error);
  }
}

function cannot(verb: string, path: string, error: unknown): HoldfastError {
  const { code, message } = error as NodeJS.ErrnoException;
  return new HoldfastError("PERMISSION", `cannot ${verb} the directory ${path}: ${message}`, {
    details: { path, errno: code },
    cause: error,
  });
}

function refusal(path: string, wrong: string, remedy: string): HoldfastError {
  return new HoldfastError("PERMISSION", `${path} ${wrong}; to mend it: ${remedy}`, { details: { path, remedy } });
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}

/** As a shell takes it. */
function quoted(path: string): string {
  return /^[\w./@%+=:,-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
