/**
 * A database that is served from another run directory than before: after a logout that took /run/user/UID along, or by
 * a broker with another directory and the same database.
 *
 * Who held a lock there waits where the broker was, and would believe in it for ever, since nobody who could give it to
 * others seems to be there. So a word is left in that directory, before anything is granted here; the library takes it,
 * and a directory that is gone, as the sign that its window runs (`client/reach.ts`).
 *
 * A database that was copied says the same of itself, though the other is served as before: then nobody there has lost
 * anything, and no word is left.
 */
import { lstatSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { movedName, placeIn } from "../places/index.js";
import { fileIdAt } from "./file-id.js";
import type { RebirthParts, WriterReady } from "./rebirth.js";

export type WordParts = Pick<RebirthParts, "places" | "processes" | "log">;

export function leaveWord({ movedFrom }: WriterReady, parts: WordParts): void {
  const { places, log } = parts;
  // It is served from here again.
  rmSync(places.moved, { force: true });
  if (movedFrom === null || servesAnother(movedFrom, parts)) return;
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

/** A living broker has that directory, and its database is not the file that we have. */
function servesAnother(runDir: string, { places, processes }: WordParts): boolean {
  const { pid, startTime, database, databaseFile } = infoIn(runDir);
  if (typeof pid !== "number" || typeof database !== "string") return false;
  if (startTime !== processes.startTimeOf(pid)) return false;
  // The file that it has open may have another path by now. Brokers of before did not tell which that is.
  const theirs = typeof databaseFile === "string" ? databaseFile : fileIdAt(database);
  const ours = fileIdAt(places.database);
  return theirs !== undefined && ours !== undefined && theirs !== ours;
}

function infoIn(runDir: string): { readonly [field: string]: unknown } {
  try {
    const info: unknown = JSON.parse(readFileSync(placeIn(runDir).info, "utf8"));
    return typeof info === "object" && info !== null ? { ...info } : {};
  } catch {
    return {};
  }
}
