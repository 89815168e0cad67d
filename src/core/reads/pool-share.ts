/**
 * Whose reader is it (rule 16): no session has all of them, nobody stands behind a slow read, and when every reader is
 * busy with a slow one the session that has most of them gives one up. Pure choices over the pool as it is.
 */
import { between, type Instant } from "../../terms/index.js";
import type { Reader } from "./reader.js";

/** When all readers are busy and others wait, the greediest session's oldest read is ended after so long (ms). */
const crowdedMs = 2000;

/** Whether any session could be given a reader: with a thousand waiting it must not be asked of each of them. */
export function hasRoom(readers: Iterable<Reader>, depth: number): boolean {
  for (const { state, stuck, row } of readers) if (state === "ready" && !stuck && row.length < depth) return true;
  return false;
}

/**
 * So many quick reads behind each other are run in one breath, and cost one waking of a process and one message; each by
 * itself would cost as much as all.
 */
const breath = 8;

/** Whether a read is better given to `one`: where the row is shortest; a quick one behind those that it is run with. */
function isBetter(one: Reader, than: Reader | undefined, quick: boolean): boolean {
  if (than === undefined) return true;
  const [joins, thanJoins] = [quick && one.row.length < breath, quick && than.row.length < breath];
  if (joins !== thanJoins) return joins;
  return joins ? one.row.length > than.row.length : one.row.length < than.row.length;
}

/**
 * The best reader for a read of this session, with a row shorter than `depth`. The last free one is left to those who
 * have none. `quick`: all that was read of late was.
 */
export function chooseReader(
  readers: Iterable<Reader>,
  session: string,
  depth: number,
  quick: boolean,
): Reader | undefined {
  let best: Reader | undefined;
  let bestOwn: Reader | undefined;
  let ready = 0;
  let used = 0;
  let unused = 0;
  for (const reader of readers) {
    if (reader.state !== "ready") continue;
    ready++;
    const own = reader.owners.has(session);
    if (own) used++;
    // Nobody is put behind a slow read, so a reader that has one is free for nobody.
    if (reader.stuck) continue;
    if (!own) unused++;
    if (reader.row.length >= depth) continue;
    if (isBetter(reader, best, quick)) best = reader;
    if (own && isBetter(reader, bestOwn, quick)) bestOwn = reader;
  }
  return ready < 2 || used === 0 || unused > 1 ? best : bestOwn;
}

/** All that are not slow are left to others, or there are none: the pool is too small for what waits. */
export function needsMore(readers: Iterable<Reader>): boolean {
  let free = 0;
  for (const reader of readers) {
    if (reader.state === "starting") return false;
    if (reader.state === "ready" && !reader.stuck) free++;
  }
  return free <= 1;
}

/** The reader to give up: the longest at work for the session that has most, if one that has fewer waits. */
export function greediestReader(
  readers: readonly Reader[],
  waiting: ReadonlySet<string>,
  now: Instant,
): Reader | undefined {
  const shares = new Map<string, number>();
  for (const { row } of readers) {
    const owner = row[0]?.read?.session.id;
    if (owner !== undefined) shares.set(owner, (shares.get(owner) ?? 0) + 1);
  }
  const most = Math.max(0, ...shares.values());
  const fewerWait = [...waiting].some((session) => (shares.get(session) ?? 0) < most);
  let chosen: Reader | undefined;
  for (const reader of readers) {
    const owner = reader.row[0]?.read?.session.id;
    if (owner === undefined || shares.get(owner) !== most || !fewerWait) continue;
    if (chosen === undefined || reader.headSince < chosen.headSince) chosen = reader;
  }
  if (chosen === undefined || between(chosen.headSince, now) < crowdedMs) return undefined;
  return chosen;
}
