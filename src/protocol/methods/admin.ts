/** The methods for those who look after the broker. */
import type { Method } from "../method.js";
import * as is from "../schema.js";
import type { Empty } from "./session.js";

export interface DatabaseStatus {
  readonly path: string;
  readonly bytes: number;
  readonly walBytes: number;
}

export interface LocksStatus {
  readonly state: "ok" | "disk-full";
  readonly held: number;
  readonly waiting: number;
}

export interface ProcessStatus {
  readonly role: "front" | "writer" | "reader" | "snapshot";
  readonly pid: number;
  readonly state: string;
  readonly rssBytes?: number;
}

export interface WritesStatus {
  readonly state: "ok" | "unavailable" | "disk-full";
  readonly reason?: string;
  readonly settled: number;
  readonly queued: number;
  readonly dispatched: number;
}

export interface ReadsStatus {
  readonly running: number;
  readonly queued: number;
  readonly snapshots: number;
  readonly snapshotsWaiting: number;
}

export interface StatusResult {
  readonly version: string;
  readonly pid: number;
  readonly startTime: string;
  readonly startedAt: number;
  readonly uptimeMs: number;
  readonly node: string;
  readonly sqlite: string;
  readonly epoch: number;
  readonly incarnation: string;
  readonly database: DatabaseStatus;
  readonly places: { readonly [name: string]: string };
  readonly sessions: number;
  readonly connections: number;
  readonly unansweredBytes: number;
  readonly locks: LocksStatus;
  readonly processes: readonly ProcessStatus[];
  readonly writes: WritesStatus;
  readonly reads: ReadsStatus;
  readonly limits: { readonly [name: string]: number };
  readonly spawned: boolean;
  readonly idleMs: number;
}

const nothing = is.schemaOf<Empty>()(is.Nothing);

const processStatus = is.ObjectOf({
  role: is.OneOf(["front", "writer", "reader", "snapshot"], "What it does"),
  pid: is.WholeNumber("Its number", 1),
  state: is.Text({ description: "starting, ready, busy, ending …: for people" }),
  rssBytes: is.Optional(is.WholeNumber("Its memory, where the system tells")),
});

const statusResult = is.ObjectOf({
  version: is.Text({ description: "The broker's version" }),
  pid: is.WholeNumber("The front's process", 1),
  startTime: is.Text({ description: "Tells this life from another with the same pid" }),
  startedAt: is.Integer({ description: "Wall clock, milliseconds since 1970" }),
  uptimeMs: is.WholeNumber("Since the front began"),
  node: is.Text({ description: "Node's version" }),
  sqlite: is.Text({ description: "SQLite's version" }),
  epoch: is.WholeNumber("Counts the writers that the database has had"),
  incarnation: is.Text({ description: "Changes when the database file was replaced" }),
  database: is.ObjectOf({
    path: is.Text({ description: "The database file" }),
    bytes: is.WholeNumber("Its size"),
    walBytes: is.WholeNumber("The size of its write-ahead log"),
  }),
  places: is.RecordOf(is.Text(), "Files and directories by name"),
  sessions: is.WholeNumber("Sessions, with those that are away"),
  connections: is.WholeNumber("Open connections"),
  unansweredBytes: is.WholeNumber("Memory for requests of these that are not answered, about"),
  locks: is.ObjectOf({
    state: is.OneOf(["ok", "disk-full"], "Whether locks are granted, or the disk has no room to write them down"),
    held: is.WholeNumber("Locks that are held"),
    waiting: is.WholeNumber("Requests that wait for one"),
  }),
  processes: is.ArrayOf(processStatus),
  writes: is.ObjectOf({
    state: is.OneOf(
      ["ok", "unavailable", "disk-full"],
      "Whether writes are taken, or the last that came to the disk found no room",
    ),
    reason: is.Optional(is.Text({ description: "Why not" })),
    settled: is.WholeNumber("Writes settled by this front"),
    queued: is.WholeNumber("Writes that wait in the front"),
    dispatched: is.WholeNumber("Writes in the writer's hands"),
  }),
  reads: is.ObjectOf({
    running: is.WholeNumber("Reads that run"),
    queued: is.WholeNumber("Reads that wait"),
    snapshots: is.WholeNumber("Streams and reading transactions that have a snapshot"),
    snapshotsWaiting: is.WholeNumber("Those that wait for one"),
  }),
  limits: is.RecordOf(is.Integer(), "The limits by name"),
  spawned: is.Flag({ description: "Started by a client: ends itself when idle" }),
  idleMs: is.WholeNumber("For how long no client has been connected"),
});

export const adminMethods = {
  "admin.status": {
    summary: "How the broker is.",
    params: nothing,
    result: is.schemaOf<StatusResult>()(statusResult),
    keyed: "never",
    beforeHello: false,
    refusals: [],
  } satisfies Method<Empty, StatusResult>,
  "admin.stop": {
    summary: "Ends the broker: it takes nothing new, finishes what runs, and exits with 0.",
    params: nothing,
    result: nothing,
    keyed: "never",
    beforeHello: false,
    refusals: [],
  } satisfies Method<Empty, Empty>,
};
