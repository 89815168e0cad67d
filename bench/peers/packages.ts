/**
 * The peers' packages, from the package that stands beside this file's source: they are no part of the project, and
 * are installed only when somebody asks for them.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const manifest = fileURLToPath(new URL("../../../bench/peers/package.json", import.meta.url));
const directory = dirname(manifest);
const packages = createRequire(manifest);

export type PackageName = "ioredis" | "live-mutex" | "pg" | "proper-lockfile" | "redlock";

/** What of it is used is declared where it is used. */
export function load<Shape>(name: PackageName): Shape {
  return packages(name) as Shape;
}

export function isInstalled(name: PackageName): boolean {
  return existsSync(join(directory, "node_modules", name, "package.json"));
}

/** As the lock file says, and without running anything of theirs. */
export function install(): void {
  const args = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  const { status } = spawnSync("npm", args, { cwd: directory, stdio: ["ignore", 2, 2] });
  if (status !== 0) throw new Error(`npm ci in ${directory} failed: see above`);
}
