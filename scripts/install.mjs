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

/**
 * The lock file names the better-sqlite3 of the oldest Node. What npm takes for a newer one where no lock file is, is
 * taken there too: compiled with the headers of Node 24.19 and newer, the old one ends the process at random.
 */
const isNewNode = Number.parseInt(process.versions.node, 10) >= 22;
const newSqlite = "13.2.0";
const quiet = ["--no-audit", "--no-fund", "--loglevel=error"];

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
    // What is not kept need not be compiled; esbuild does without its script.
    await npm(["ci", "--include=dev", ...quiet, ...(isNewNode ? ["--ignore-scripts"] : [])]);
  }
  if (isNewNode && versionPresent("better-sqlite3") !== newSqlite) {
    await npm(["install", "--no-save", ...quiet, `better-sqlite3@${newSqlite}`]);
  }
  if (!sqliteLoads()) {
    throw new Stop(
      "better-sqlite3 was installed but does not load. If npm is set to ignore-scripts, run: npm rebuild better-sqlite3 --ignore-scripts=false",
    );
  }
  writeFileSync(stampPath, stamp());
}

function versionPresent(name) {
  return JSON.parse(readFileSync(join(root, "node_modules", name, "package.json"), "utf8")).version;
}

function stamp() {
  const lockFile = createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex");
  return `${lockFile} ${process.versions.modules} ${process.platform} ${process.arch}\n`;
}

/** Somebody ran npm themselves: then npm's own note of what it installed must agree, and what is compiled must load. */
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
  // On a newer Node another one comes in its place.
  return agrees && (isNewNode || sqliteLoads());
}

/** In a process of its own: a binary of another Node version may end the process that loads it. */
function sqliteLoads() {
  const probe = 'new (require("better-sqlite3"))(":memory:").close()';
  return spawnSync(process.execPath, ["-e", probe], { cwd: root, stdio: "ignore" }).status === 0;
}

/** The npm that called us, if one did; else the one on the path. */
function npm(args) {
  const failure = `npm ${args[0]} failed: see above.`;
  const caller = process.env["npm_execpath"];
  return caller?.endsWith(".js") ? runNode([caller, ...args], { failure }) : run("npm", args, { failure });
}
