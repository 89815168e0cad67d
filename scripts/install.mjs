/**
 * Installs the packages when node_modules is not what package-lock.json says, and does nothing otherwise.
 *
 * The stamp in node_modules holds the lock file's hash and what a compiled package depends on: the version of Node's
 * binary interface, the platform, the processor.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root, run, runNode, Stop, say } from "./process.mjs";

const stampPath = join(root, "node_modules", ".holdfast-stamp");

export function isInstalled() {
  return existsSync(stampPath) && readFileSync(stampPath, "utf8") === stamp();
}

export async function install() {
  if (isInstalled()) {
    return;
  }
  if (!isInstalledByHand()) {
    say("installing packages (npm ci); the first time SQLite may be compiled, which takes a minute or two");
    await npm(["ci", "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"]);
    if (!sqliteLoads()) {
      throw new Stop(
        "better-sqlite3 was installed but does not load. If npm is set to ignore-scripts, run: npm rebuild better-sqlite3 --ignore-scripts=false",
      );
    }
  }
  writeFileSync(stampPath, stamp());
}

function stamp() {
  const lockFile = createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex");
  return `${lockFile} ${process.versions.modules} ${process.platform} ${process.arch}\n`;
}

/** Somebody ran npm themselves: then npm's own note of what it installed must agree, and the compiled part must load. */
function isInstalledByHand() {
  const notePath = join(root, "node_modules", ".package-lock.json");
  if (!existsSync(notePath)) {
    return false;
  }
  const wanted = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
  const present = JSON.parse(readFileSync(notePath, "utf8")).packages;
  const agrees = Object.entries(wanted).every(
    ([path, entry]) => path === "" || entry.optional === true || present[path]?.version === entry.version,
  );
  return agrees && sqliteLoads();
}

/** In a process of its own: a binary of another Node version may end the process that loads it. */
function sqliteLoads() {
  const probe = 'new (require("better-sqlite3"))(":memory:").close()';
  return spawnSync(process.execPath, ["-e", probe], { cwd: root, stdio: "ignore" }).status === 0;
}

/** The npm that called us, if one did; else the one on the path. */
function npm(args) {
  const failure = "npm ci failed: see above.";
  const caller = process.env["npm_execpath"];
  return caller?.endsWith(".js") ? runNode([caller, ...args], { failure }) : run("npm", args, { failure });
}
