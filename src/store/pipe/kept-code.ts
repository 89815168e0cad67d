/**
 * A bundle whose compiled form is kept beside it: the next process that loads it reads what V8 made of it instead of
 * making it again, which for the broker's front is half of what loading takes.
 *
 * What is kept is used only if it is whole and was made of these very bytes (a hash of both stands at its head; V8
 * compares no more than the bundle's length, and trusts the rest), by this user or whose the bundle is, and if this V8
 * takes it. Where nothing can be written nothing is kept, and every start compiles.
 */
import { createHash } from "node:crypto";
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { Script } from "node:vm";

export interface Bundle<Exports> {
  readonly exports: Exports;
  /**
   * Keeps what V8 has compiled until now, if nothing is kept that can be used. To be called when the work of the start
   * is done, and before the process sets flags of V8, which belong to what is kept.
   */
  keep(): void;
}

/** Of SHA-256. */
const hashBytes = 32;
/** As CommonJS wraps a module; `__moduleUrl` stands for `import.meta.url`. */
const parameters = "exports, require, module, __filename, __dirname, __moduleUrl";

/** `path`: of a bundle in CommonJS. Throws what reading or running it throws. */
export function loadBundle<Exports>(path: string): Bundle<Exports> {
  // Bundles are ASCII (scripts/build.mjs).
  const source = readFileSync(path, "latin1");
  const keptPath = `${path}.${process.version}-${process.arch}.kept`;
  const cachedData = kept(keptPath, path, source);
  const script = new Script(`(function (${parameters}) {${source}\n})`, {
    filename: path,
    ...(cachedData === undefined ? {} : { cachedData }),
  });
  const module: { exports: unknown } = { exports: {} };
  const run: (...args: readonly unknown[]) => void = script.runInThisContext();
  run(module.exports, createRequire(path), module, path, dirname(path), pathToFileURL(path).href);
  const usable = cachedData !== undefined && script.cachedDataRejected !== true;
  return {
    exports: module.exports as Exports,
    keep() {
      if (usable) return;
      const code = script.createCachedData();
      keepAt(keptPath, Buffer.concat([hashOf(source, code), code]));
    },
  };
}

function hashOf(source: string, code: Buffer): Buffer {
  return createHash("sha256").update(source, "latin1").update(code).digest();
}

/** Undefined when nothing is kept, or nothing that can be used. */
function kept(path: string, bundle: string, source: string): Buffer | undefined {
  try {
    if (!isTrusted(statSync(path).uid, bundle)) return undefined;
    const bytes = readFileSync(path);
    const code = bytes.subarray(hashBytes);
    return bytes.subarray(0, hashBytes).equals(hashOf(source, code)) ? code : undefined;
  } catch {
    return undefined; // Whatever is the matter with it: the bundle is compiled.
  }
}

/** Who may write beside the bundle, but not to it, could have us run anything. */
function isTrusted(uid: number, bundle: string): boolean {
  return uid === process.getuid?.() || uid === statSync(bundle).uid;
}

/** Whole or not at all: others may be starting at this moment. */
function keepAt(path: string, bytes: Buffer): void {
  const draft = `${path}.${process.pid}`;
  try {
    writeFileSync(draft, bytes, { flag: "wx" });
    renameSync(draft, path);
  } catch {
    // It could not be kept: a directory of somebody else, a full disk. The next start compiles again.
    rmSync(draft, { force: true });
  }
}
