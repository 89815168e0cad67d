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
  const details = { path };
  if (cwd === undefined) throw new HoldfastError("CONFIGURATION", `${what} must be absolute`, { details });
  let base: string;
  try {
    base = cwd();
  } catch (cause) {
    const text = `${what} must be absolute, since the working directory of this program is gone`;
    throw new HoldfastError("CONFIGURATION", text, { details, cause });
  }
  return resolve(base, path);
}
