/** How things are, for people and for `holdfast status`. */
import { statSync } from "node:fs";
import type { Core } from "../core/index.js";
import type { ProcessStatus, StatusResult, WritesStatus } from "../protocol/index.js";
import type { Greeting } from "./letters.js";
import type { FrontOptions } from "./options.js";

export interface StatusParts {
  readonly options: FrontOptions;
  readonly greeting: Greeting;
  readonly counts: Core["counts"];
  readonly writer: Core["writer"];
  /** Where the last that was to be written found no room. */
  readonly full: { readonly database: boolean; readonly ledger: boolean };
  readonly unansweredBytes: number;
  readonly children: readonly {
    readonly role: "writer" | "reader" | "standby" | "snapshot";
    readonly pid: number;
    readonly state: string;
  }[];
  readonly startedAt: number;
  readonly wallNow: number;
  readonly idleMs: number;
}

export function statusOf(parts: StatusParts): StatusResult {
  const { options, greeting, counts, startedAt, wallNow, idleMs } = parts;
  const { places, limits, spawned } = options;
  return {
    ...greeting.broker,
    startedAt,
    uptimeMs: wallNow - startedAt,
    node: process.version,
    sqlite: options.sqliteVersion,
    epoch: greeting.epoch,
    incarnation: greeting.incarnation,
    database: { path: places.database, bytes: sizeOf(places.database), walBytes: sizeOf(`${places.database}-wal`) },
    places: placesShown(places),
    sessions: counts.sessions,
    connections: counts.connections,
    unansweredBytes: parts.unansweredBytes,
    locks: { state: parts.full.ledger ? "disk-full" : "ok", held: counts.held, waiting: counts.waiting },
    processes: processesOf(parts),
    writes: writesOf(parts),
    reads: {
      running: counts.readsRunning,
      queued: counts.readsQueued,
      snapshots: counts.snapshotsOpen,
      snapshotsWaiting: counts.snapshotsWaiting,
    },
    limits: { ...limits },
    spawned,
    idleMs,
  };
}

function placesShown(places: FrontOptions["places"]): StatusResult["places"] {
  const shown: Record<string, string> = {};
  for (const [name, path] of Object.entries(places)) if (typeof path === "string") shown[name] = path;
  return shown;
}

function processesOf({ children, options }: StatusParts): ProcessStatus[] {
  const known = children.map(({ role, pid, state }) =>
    role === "standby" ? ({ role: "writer", pid, state: "standby" } as const) : { role, pid, state },
  );
  const all: ProcessStatus[] = [{ role: "front", pid: process.pid, state: "ready" }, ...known];
  return all.map((one) => {
    const rssBytes = options.processes.residentBytesOf(one.pid);
    return rssBytes === undefined ? one : { ...one, rssBytes };
  });
}

function writesOf({ writer, counts, full }: StatusParts): WritesStatus {
  const { settled, queued, dispatched } = counts;
  const common = { settled, queued, dispatched };
  return writer.kind === "unavailable"
    ? { state: "unavailable", reason: writer.reason, ...common }
    : { state: full.database ? "disk-full" : "ok", ...common };
}

/** By stat only: opening and closing a SQLite file here would drop the locks this process has on it (rule 19). */
function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
