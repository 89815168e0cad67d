/**
 * Two surroundings of one user can lead to one socket and yet to different databases: programs whose HOME, XDG_DATA_HOME
 * or HOLDFAST_DATABASE differ, and whose run directory does not. Whoever says what he expects is refused before he has
 * a session, so that nothing of his is ever written where he does not look for it.
 */
import { realpathSync } from "node:fs";
import { type Places, realPath } from "../places/index.js";
import type { HelloParams } from "../protocol/index.js";
import { type Refusal, refuse } from "../terms/index.js";

export type ServedPlaces = Pick<Places, "database" | "dataDir">;

export function otherDatabase(expects: HelloParams["expects"], places: ServedPlaces): Refusal | undefined {
  if (expects === undefined) return undefined;
  const { database, dataDir } = expects;
  if (isThere(database, places.database) && isThere(dataDir, places.dataDir)) return undefined;
  const served = { database: places.database, dataDir: places.dataDir };
  const wanted = database === undefined ? `its files in ${dataDir}` : `the database ${database}`;
  return refuse(
    "OTHER_DATABASE",
    `the broker at this socket serves ${served.database}, this program would have ${wanted}`,
    served,
  );
}

/** Both spellings of the broker's own path are known, and nothing is looked up at a path that somebody sent. */
function isThere(expected: string | undefined, own: string): boolean {
  return expected === undefined || expected === own || expected === realPath(own, realpathSync);
}
