/**
 * Whether the installed better-sqlite3 can be loaded by this Node, found out without loading it: a binary made for
 * another Node does not always throw, it may end the process (13.x on Node 20 does). Throws NATIVE_MODULE, and says
 * what to run.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { HoldfastError } from "../terms/index.js";

export interface InstalledModule {
  readonly folder: string;
  readonly version: string;
  /** The range of Node versions that the package names, if it names one. */
  readonly nodeRange: string | undefined;
  /** Whether there is anything to load: compiled here, or brought along. */
  readonly hasBinary: boolean;
}

/** The newest better-sqlite3 that still runs on Node 20. */
const oldNodeAdvice = "npm install better-sqlite3@12";
const rebuildAdvice = "npm rebuild better-sqlite3";
/** The first that does not rely on what Node has changed under older ones. It needs this Node, at least. */
const newNodeAdvice = "npm install better-sqlite3@13";
const newNode = 22;
const newModule = 13;

/**
 * What a binary calls whose objects unregister themselves when they are collected: with the headers of Node 24.19 and
 * newer every wrapped object does. Outside of a script, as when an idle process collects, Node ends the process then
 * ("Assertion failed: (env) != nullptr").
 */
const fatalCall = "RemoveEnvironmentCleanupHook";

export function findModule(require: NodeJS.Require): InstalledModule {
  let manifest: string;
  try {
    manifest = require.resolve("better-sqlite3/package.json");
  } catch (cause) {
    throw unfit("better-sqlite3 is not installed", oldNodeAdvice, cause);
  }
  const folder = dirname(manifest);
  const { version, engines } = readManifest(manifest);
  return { folder, version, nodeRange: engines, hasBinary: hasBinary(folder) };
}

/** `nodeVersion` as in `process.versions.node`. */
export function checkModule(module: InstalledModule, nodeVersion: string): void {
  const { version, nodeRange } = module;
  if (nodeRange !== undefined && !satisfies(nodeVersion, nodeRange))
    throw unfit(`better-sqlite3 ${version} needs Node ${nodeRange}, this is Node ${nodeVersion}`, oldNodeAdvice);
  if (!module.hasBinary)
    throw unfit(`better-sqlite3 ${version} in ${module.folder} has no compiled part`, rebuildAdvice);
  if (majorOf(nodeVersion) >= newNode && majorOf(version) < newModule && endsProcess(module))
    throw unfit(
      `better-sqlite3 ${version} was compiled for a Node under which it ends the process at random`,
      newNodeAdvice,
    );
}

function endsProcess({ folder }: InstalledModule): boolean {
  return binaries(folder).some((path) => existsSync(path) && readFileSync(path).includes(fatalCall));
}

function majorOf(version: string): number {
  return Number.parseInt(version, 10);
}

/** What loading said although the check had passed: most often a binary of another Node's interface. */
export function loadFailure(module: InstalledModule, cause: unknown): HoldfastError {
  const said = cause instanceof Error ? (cause.message.split("\n")[0] ?? "") : String(cause);
  return unfit(`better-sqlite3 ${module.version} does not load: ${said}`, rebuildAdvice, cause);
}

export function requireFromHere(): NodeJS.Require {
  return createRequire(import.meta.url);
}

/**
 * Ranges as they stand in `engines`: alternatives of `20.x`, `>=22`, `^20.19.0`, `22`, several of them together. What is
 * written in another way is taken for a yes: the package knows better than this function, and loading is still to come.
 */
export function satisfies(version: string, range: string): boolean {
  return range.split("||").some((alternative) =>
    alternative
      .replace(/([<>=^~])\s+/g, "$1")
      .trim()
      .split(/\s+/)
      .every((part) => meets(version, part)),
  );
}

function meets(version: string, part: string): boolean {
  const found = /^(>=|<=|>|<|=|\^|~)?v?(\d+)(?:\.(\d+|x|\*))?(?:\.(\d+|x|\*))?$/.exec(part);
  if (found === null) return true;
  const wanted = found
    .slice(2)
    .map((digits) => (digits === undefined || !/^\d/.test(digits) ? undefined : Number(digits)));
  const given = version.split(".").map((digits) => Number.parseInt(digits, 10));
  const order = compare(given, wanted);
  switch (found[1]) {
    case ">=":
      return order >= 0;
    case ">":
      return order > 0;
    case "<=":
      return order <= 0;
    case "<":
      return order < 0;
    case "^":
      return order >= 0 && given[0] === wanted[0];
    case "~":
      return order >= 0 && given[0] === wanted[0] && (wanted[1] === undefined || given[1] === wanted[1]);
    default:
      return order === 0;
  }
}

/** A part that is not named equals every number. */
function compare(given: readonly number[], wanted: readonly (number | undefined)[]): number {
  for (const [place, number] of wanted.entries()) {
    const difference = number === undefined ? 0 : (given[place] ?? 0) - number;
    if (difference !== 0) return difference;
  }
  return 0;
}

function readManifest(path: string): { version: string; engines: string | undefined } {
  const manifest: unknown = JSON.parse(readFileSync(path, "utf8"));
  const { version, engines } = manifest as { version?: unknown; engines?: { node?: unknown } };
  return {
    version: typeof version === "string" ? version : "of unknown version",
    engines: typeof engines?.node === "string" ? engines.node : undefined,
  };
}

function hasBinary(folder: string): boolean {
  if (binaries(folder).some((path) => existsSync(path))) return true;
  const broughtAlong = join(folder, "prebuilds");
  return existsSync(broughtAlong) && readdirSync(broughtAlong).some((name) => name.includes(`-${process.arch}`));
}

/** Where a compiled one may lie. */
function binaries(folder: string): string[] {
  return ["build/Release", "build/Debug", "build"].map((place) => join(folder, place, "better_sqlite3.node"));
}

function unfit(what: string, advice: string, cause?: unknown): HoldfastError {
  return new HoldfastError("NATIVE_MODULE", `${what}; run: ${advice}`, {
    details: { run: advice },
    ...(cause === undefined ? {} : { cause }),
  });
}
