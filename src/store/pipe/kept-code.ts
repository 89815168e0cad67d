/**
 * A bundle whose compiled form is kept beside it: the next process that loads it reads what V8 made of it instead of
 * making it again, which for the broker's front is half of what loading takes.
 *
 * What is kept is used only if it is whole and was made of these very bytes (a hash of both stands at its head; V8
 * compares no more than the bundle's length, and trusts the rest), by this user or whose the bundle is, and if this V8
 * takes it. Where nothing can be written nothing is kept, and every start compiles.
 */
import { createHash } from "node:crypto";
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { Script } from "node:vm";

export interface Bundle<Exports> {
  readonly exports: Exports;
  /**
   * Keeps what V8 has compiled until now, if nothing is kept that can be used. To be called when the work of the start
   * is done, and before the process sets flags of V8, which belong to what is kept. Does not throw when that is not possible.
   */
  keep(): void;
}

/** Of SHA-256. */
const hashBytes = 32;
/** As CommonJS wraps a module; `__moduleUrl` stands for `import.meta.url`. */
const parameters = "exports, require, module, __filename, __dirname, __moduleUrl";

/** `path`: of a bundle in CommonJS. Throws what reading or running it throws. */
export function loadBundle<Exports>(path: string): Bundle<Exports> {
  // But for its comments a bundle is ASCII (scripts/build.mjs).
  const source = readFileSync(path, "latin1");
  const place = `${path}.${process.version}-${process.arch}`;
  const keptPath = `${place}.kept`;
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
      keepAt(keptPath, `${place}.draft.kept`, Buffer.concat([hashOf(source, code), code]));
    },
  };
}

function hashOf(source: string, code: Buffer): Buffer {
  return createHash("sha256").update(source, "latin1").update(code).digest();
}

/** Undefined when nothing is kept, or nothing that can be used. */
function kept(path: string, bundle: string, source: string): Buffer | undefined {
  try {
    const bytes = readTrusted(path, bundle);
    const code = bytes?.subarray(hashBytes);
    if (bytes === undefined || code === undefined) return undefined;
    return bytes.subarray(0, hashBytes).equals(hashOf(source, code)) ? code : undefined;
  } catch {
    return undefined; // Whatever is the matter with it: the bundle is compiled.
  }
}

/** Who may write beside the bundle, but not to it, could have us run anything: also by a link to a file of our own. */
function readTrusted(path: string, bundle: string): Buffer | undefined {
  const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const { uid } = fstatSync(file);
    const isTrusted = uid === process.getuid?.() || uid === statSync(bundle).uid;
    return isTrusted ? readFileSync(file) : undefined;
  } finally {
    closeSync(file);
  }
}

/**
 * Others may be starting at this moment. Who finds a draft takes it away and keeps nothing: it may be one of a process
 * that was killed.
 */
function keepAt(path: string, draft: string, bytes: Buffer): void {
  try {
    writeFileSync(draft, bytes, { flag: "wx" });
    renameSync(draft, path);
  } catch {
    // It could not be kept: a directory of somebody else, a full disk. The next start compiles again.
    removeDraft(draft);
  }
}

function removeDraft(draft: string): void {
  try {
    rmSync(draft, { force: true });
  } catch {
    // A directory in which files can be made and not removed: no more than this one is left there.
  }
}
