/** One spelling for a path that may lead over symbolic links, so that two programs can tell whether they mean one file. */
import { basename, dirname, join } from "node:path";

/**
 * The path without symbolic links, as far as it is there: what is still to be made keeps its name.
 *
 * @param resolve as `fs.realpathSync`: throws for what is not there, or may not be looked at
 */
export function realPath(path: string, resolve: (path: string) => string): string {
  try {
    return resolve(path);
  } catch {
    const above = dirname(path);
    return above === path ? path : join(realPath(above, resolve), basename(path));
  }
}
