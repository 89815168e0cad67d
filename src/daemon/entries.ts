/** The files with which the front's children begin: beside the bundle of the front, or where the compiler put them. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { HoldfastError } from "../terms/index.js";

export interface Entries {
  readonly writer: string;
  readonly reader: string;
}

/** `chosen` is a directory in which bundles lie. */
export function findEntries(chosen: string | undefined): Entries {
  const here = dirname(fileURLToPath(import.meta.url));
  const bundles = chosen ?? here;
  const bundled = { writer: join(bundles, "writer.js"), reader: join(bundles, "reader.js") };
  if (existsSync(bundled.writer)) return bundled;
  const store = join(here, "..", "store");
  const compiled = { writer: join(store, "writer", "writer.main.js"), reader: join(store, "reader", "reader.main.js") };
  if (chosen === undefined && existsSync(compiled.writer)) return compiled;
  throw new HoldfastError(
    "START_FAILED",
    `the broker's programs are not in ${bundles}: the installation is incomplete`,
  );
}
