/**
 * The law of the house: the rooms, whom each may import, and what it may import from outside.
 *
 * The compiler knows it as the `references` of each room's tsconfig.json, the linter as the patterns in biome.json.
 * It is written here once more on purpose: a reference that is added in passing must be added here too, with thought.
 */

/** The path of a room below src/. A path with a slash is a pure room inside a room, with a project of its own. */
export type RoomName = keyof typeof rooms;

export interface Room {
  /** The rooms it may import, each by its door. */
  readonly imports: readonly string[];
  /** Node's modules and packages it may import: whole names, or `node:*` for all of Node. */
  readonly outside: readonly string[];
  /** Compiles with the language alone: no Node, no clock, no timer. */
  readonly pure: boolean;
}

export const rooms = {
  terms: { imports: [], outside: [], pure: true },
  core: { imports: ["terms"], outside: [], pure: true },
  // The tongue: bytes, schemas and hashes, no sockets and no files.
  protocol: {
    imports: ["terms"],
    outside: ["typebox", "@msgpack/msgpack", "node:buffer", "node:crypto", "node:util"],
    pure: false,
  },
  // Path arithmetic; what the environment and the user are comes in as values.
  places: { imports: ["terms"], outside: ["node:path", "node:url", "node:crypto"], pure: false },
  sqlite: { imports: ["terms"], outside: ["better-sqlite3", "node:*"], pure: false },
  ledger: { imports: ["terms", "core", "sqlite"], outside: ["node:*"], pure: false },
  "store/gate": { imports: ["terms"], outside: [], pure: true },
  store: { imports: ["store/gate", "terms", "core", "protocol", "sqlite"], outside: ["node:*"], pure: false },
  transport: { imports: ["terms", "protocol", "places"], outside: ["ws", "node:*"], pure: false },
  front: {
    imports: ["terms", "core", "protocol", "ledger", "store", "transport", "places"],
    outside: ["ioredis", "node:*"],
    pure: false,
  },
  daemon: {
    imports: ["terms", "core", "protocol", "places", "sqlite", "ledger", "store", "transport", "front"],
    outside: ["pino", "typebox", "node:*"],
    pure: false,
  },
  "client/conversation": { imports: ["terms"], outside: [], pure: true },
  client: { imports: ["client/conversation", "terms", "protocol", "places"], outside: ["ws", "node:*"], pure: false },
  // daemon only in commands/serve.ts, lazily: one-place.test.ts.
  // better-sqlite3 in one file only, for the demo of doing without a broker: one-place.test.ts.
  // store/gate, so that the shell cuts what is typed as the broker does.
  cli: {
    imports: ["terms", "client", "places", "store/gate", "daemon"],
    outside: ["commander", "csv-parse", "better-sqlite3", "node:*"],
    pure: false,
  },
} as const satisfies Record<string, Room>;

export const roomNames = Object.keys(rooms) as RoomName[];

/** The room a file below src/ belongs to; the innermost one, so that src/store/gate/x.ts is of store/gate. */
export function roomOf(file: string): RoomName | undefined {
  const within = roomNames.filter((name) => file.startsWith(`src/${name}/`));
  return within.sort((a, b) => b.length - a.length)[0];
}

/** Whether one room may import another (or itself). */
export function mayImport(from: RoomName, to: RoomName): boolean {
  const allowed: readonly string[] = rooms[from].imports;
  return from === to || allowed.includes(to);
}
