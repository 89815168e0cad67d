/**
 * The broker's directories: made where they are missing, looked at where they are not. And the database's true path:
 * one file must have one name, because its log and its writer's lock lie beside it.
 */
import { lstatSync, readlinkSync, realpathSync, type Stats, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { Places } from "../places/index.js";
import { HoldfastError } from "../terms/index.js";
import { makePrivateDirectory } from "../transport/index.js";
import { readMounts, refuseNetworkFileSystem } from "./network-file-system.js";

export interface DirectoryWishes {
  readonly uid: number;
  /** Whether there will be a log file. */
  readonly logs: boolean;
  /** File systems that are used though other machines share them; by their names. */
  readonly allowed?: readonly string[];
  /** As the system tells them. */
  readonly mounts?: string | undefined;
}

/** The places with the database's true path. Throws PERMISSION or CONFIGURATION, and names what is wrong. */
export function prepareDirectories(
  places: Places,
  { uid, logs, allowed = [], mounts = readMounts() }: DirectoryWishes,
): Places {
  const ownData = dirname(places.database) === places.dataDir;
  const own = [
    places.runDir,
    dirname(places.socket),
    ...(ownData ? [places.dataDir] : []),
    ...(logs ? [places.logDir] : []),
  ];
  for (const directory of new Set(own)) makePrivateDirectory(directory, uid);
  const database = truePath(places.database);
  // The run directory has the locks that decide who serves, and the ledger.
  for (const path of [database, realpathSync(places.runDir)]) refuseNetworkFileSystem(path, allowed, mounts);
  return { ...places, database, writerLock: `${database}.writer.lock` };
}

/** Links are followed, also one whose target is not there yet in a directory that is. */
function truePath(path: string): string {
  const stats = look(path);
  if (stats?.isFile() === true) return realpathSync(path);
  if (stats !== undefined) throw misplaced(path, "is not a file");
  const directory = dirname(path);
  if (look(directory)?.isDirectory() !== true) throw misplaced(path, `cannot be there: ${directory} is no directory`);
  const place = join(realpathSync(directory), basename(path));
  const target = targetOf(place);
  return target === undefined ? place : truePath(target);
}

/** Of a link that leads nowhere yet; where links go in a circle, that was said when it was looked at. */
function targetOf(path: string): string | undefined {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() !== true) return undefined;
  return resolve(dirname(path), readlinkSync(path));
}

function look(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOTDIR") return undefined;
    throw unseen(path, error as Error);
  }
}

function unseen(path: string, cause: Error): HoldfastError {
  return new HoldfastError("PERMISSION", `cannot look at ${path}: ${cause.message}`, { details: { path }, cause });
}

function misplaced(path: string, wrong: string): HoldfastError {
  return new HoldfastError("CONFIGURATION", `the database ${path} ${wrong}`, { details: { path } });
}
