/**
 * The process `front.js`: a broker, started by a client or a supervisor. When a client waits for it, its first children
 * begin before its own code is loaded.
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type BegunChild, type Bundle, beginChildren, loadBundle } from "../store/index.js";
import { limitsWith } from "../terms/index.js";
import { findEntries } from "./entries.js";

function begin(): readonly BegunChild[] | undefined {
  if (!process.argv.includes("--spawned")) return undefined;
  // Nothing that the broker or its children make is for others.
  process.umask(0o077);
  try {
    const { childBytesMax } = limitsWith();
    return beginChildren(findEntries(process.env["HOLDFAST_ENTRY_DIR"]), childBytesMax);
  } catch {
    // What stands in the way is told by the broker itself, when it starts them.
    return undefined;
  }
}

/** Bundled, it lies beside this file; else it is where the compiler put it. */
async function load(): Promise<Bundle<typeof import("./run-front.js")>> {
  const bundle = fileURLToPath(new URL("./run-front.cjs", import.meta.url));
  if (existsSync(bundle)) return loadBundle(bundle);
  return { exports: await import("./run-front.js"), keep: () => {} };
}

const children = begin();
const { exports: front, keep } = await load();
await front.runFront({ children, keepCode: keep });
