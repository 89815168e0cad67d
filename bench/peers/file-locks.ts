/** Locks that are files: no server. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { OpenLocker } from "../crew/connection.js";
import { load } from "./packages.js";

interface Retries {
  readonly forever: true;
  readonly minTimeout: number;
  readonly maxTimeout: number;
}

interface Package {
  lock(file: string, options: { realpath: false; retries: Retries }): Promise<() => Promise<void>>;
}

/** A directory is made, and made again and again until that goes well; as often as a timer of Node can. */
export const properLockfileLocker: OpenLocker = async ({ places }) => {
  const { lock } = load<Package>("proper-lockfile");
  const retries = { forever: true, minTimeout: 1, maxTimeout: 1 } as const;
  return {
    lock: (name) => lock(join(places.filesDir, name), { realpath: false, retries }),
    close: () => {},
  };
};

/** The command of a shell: one process a lock, which says when it has it, and gives it back when told. */
export const flockLocker: OpenLocker = async ({ places }) => {
  const lock = async (name: string) => {
    const file = join(places.filesDir, `${name}.flock`);
    const child = spawn("flock", [file, "sh", "-c", "echo; read -r _"], { stdio: ["pipe", "pipe", "inherit"] });
    const exit = once(child, "exit");
    await once(child.stdout, "data");
    return async () => {
      child.stdin.end("\n");
      await exit;
    };
  };
  return { lock, close: () => {} };
};
