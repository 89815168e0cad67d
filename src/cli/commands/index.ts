/** Every command: name, sentence, and where it is written. The order is the order of `holdfast --help`. */
import type { CommandEntry } from "../command.js";

export const commands: readonly CommandEntry[] = [
  {
    name: "serve",
    summary: "run the broker in the foreground",
    load: async () => (await import("./serve.js")).serve,
  },
  {
    name: "status",
    summary: "what runs, where its files and log lie",
    load: async () => (await import("./status.js")).status,
  },
  {
    name: "stop",
    summary: "end the broker, and wait until it is gone",
    load: async () => (await import("./stop.js")).stop,
  },
  { name: "ping", summary: "one round trip", load: async () => (await import("./ping.js")).ping },
  {
    name: "logs",
    summary: "the log of a broker that was started on demand",
    load: async () => (await import("./logs.js")).logs,
  },
  {
    name: "sql",
    summary: "run SQL: a statement with values, or a script",
    load: async () => (await import("./sql.js")).sql,
  },
  {
    name: "watch",
    summary: "what is committed to tables, as it happens",
    load: async () => (await import("./watch.js")).watch,
  },
  { name: "lock", summary: "run a command while holding a lock", load: async () => (await import("./lock.js")).lock },
  {
    name: "locks",
    summary: "who holds which lock, who waits; break, transfer, watch",
    load: async () => (await import("./locks.js")).locks,
  },
  {
    name: "elect",
    summary: "run a command while this one leads, of all that stand for it",
    load: async () => (await import("./elect.js")).elect,
  },
  {
    name: "acquire",
    summary: "take a lock for a process that goes on, such as this shell",
    load: async () => (await import("./acquire.js")).acquire,
  },
  {
    name: "release",
    summary: "give back what `acquire` took",
    load: async () => (await import("./release.js")).release,
  },
  {
    name: "import",
    summary: "rows of CSV or JSON lines into a table; or take over a database file",
    load: async () => (await import("./import.js")).importFile,
  },
  {
    name: "export",
    summary: "a table, or what a statement finds, as CSV or JSON lines",
    load: async () => (await import("./export.js")).exportRows,
  },
  {
    name: "backup",
    summary: "copy the database while it is in use, and verify the copy",
    load: async () => (await import("./backup.js")).backup,
  },
  {
    name: "check",
    summary: "whether the database is whole",
    load: async () => (await import("./check.js")).check,
  },
  {
    name: "restore",
    summary: "put a backup back",
    load: async () => (await import("./restore.js")).restore,
  },
  {
    name: "demo",
    summary: "eight processes, one database, two kills; then count",
    load: async () => (await import("./demo.js")).demo,
  },
  {
    name: "version",
    summary: "versions of holdfast, Node and the protocol",
    load: async () => (await import("./version.js")).version,
  },
];
