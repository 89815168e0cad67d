/**
 * The process `front.js`: a broker, started by a client or a supervisor. When a client waits for it, its first children
 * begin before its own code is loaded.
 */
import { type BegunChild, beginChildren } from "../store/index.js";
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

const begun = begin();
const { runFront } = await import("./run-front.js");
await runFront(begun);
