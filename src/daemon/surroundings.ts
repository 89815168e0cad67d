/** What the broker's program finds around itself, for whatever it is to do: so that all of it comes to the same places. */
import { statSync } from "node:fs";
import { homedir } from "node:os";
import type { Surroundings } from "../places/index.js";

export function surroundings(): Omit<Surroundings, "dir" | "database"> {
  return {
    env: process.env,
    platform: process.platform,
    // Not of `userInfo()`: a container's user need not be known by name. Absent on Windows, which is refused.
    uid: process.geteuid?.() ?? -1,
    home: homedir,
    cwd: process.cwd,
    isDirectory: (path) => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true,
  };
}
