/** Paths that somebody chose, made absolute. */
import { isAbsolute, resolve } from "node:path";
import { HoldfastError } from "../terms/index.js";

/**
 * Asks for the working directory only if the path is relative. Throws CONFIGURATION if it is and there is none.
 *
 * @param what names the path for people
 * @param cwd may throw: a working directory may be gone
 */
export function absolute(path: string, what: string, cwd: (() => string) | undefined): string {
  if (isAbsolute(path)) return resolve(path);
  if (cwd === undefined) throw relative(path, `${what} must be absolute`);
  let base: string;
  try {
    base = cwd();
  } catch (error) {
    throw relative(path, `${what} must be absolute, since the working directory of this program is gone`, error);
  }
  return resolve(base, path);
}

function relative(path: string, words: string, cause?: unknown): HoldfastError {
  return new HoldfastError("CONFIGURATION", words, { details: { path }, cause });
}
