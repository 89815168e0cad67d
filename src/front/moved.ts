/**
 * A database that is served from another run directory than before: after a logout that took /run/user/UID along, or by
 * a broker with another directory and the same database.
 *
 * Who held a lock there waits where the broker was, and would believe in it for ever, since nobody who could give it to
 * others seems to be there. So a word is left in that directory, before anything is granted here; the library takes it,
 * and a directory that is gone, as the sign that its window runs (`client/reach.ts`).
 */
import { lstatSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { movedName } from "../places/index.js";
import type { RebirthParts, WriterReady } from "./rebirth.js";

export function leaveWord({ movedFrom }: WriterReady, { places, log }: Pick<RebirthParts, "places" | "log">): void {
  // It is served from here again.
  rmSync(places.moved, { force: true });
  if (movedFrom === null) return;
  try {
    // Only where it was ours: somebody else may have put a directory of that name there since.
    if (lstatSync(movedFrom).uid === process.geteuid?.())
      writeFileSync(join(movedFrom, movedName), `${places.runDir}\n`, { flag: "wx", mode: 0o600 });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // Where the directory is gone that is word enough.
    if (code === "ENOENT" || code === "EEXIST") return;
    log("no word can be left where the database was served before: who held a lock there does not hear of it", {
      movedFrom,
      error: message,
    });
  }
}
