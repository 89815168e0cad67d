/** What `connect` takes, and what follows from it together with the surroundings of the program. */
import { realpathSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";
import { endpointFor, environmentWith, movedName, type Places, placesFor, realPath } from "../places/index.js";
import type { Encoding, ExpectedPlaces, Integers, Role } from "../protocol/index.js";
import { HoldfastError, isWellFormed, type Millis } from "../terms/index.js";
import { checkOptions, type KnownOptions } from "./known-options.js";
import { processClaim } from "./process-identity.js";
import type { ReachPlan } from "./reach.js";

export interface Environment {
  readonly [name: string]: string | undefined;
}

export interface ConnectOptions {
  /** One directory for everything of the broker. Default: HOLDFAST_DIR, else the platform's own places. */
  readonly dir?: string | undefined;
  /** The broker's Unix socket. Default: HOLDFAST_SOCKET, else the one that belongs to the directory. */
  readonly socket?: string | undefined;
  /**
   * The database file, for a broker that is started. Default: HOLDFAST_DATABASE, else `data.db` in the directory. A
   * broker that serves another one is refused with OTHER_DATABASE, unless `socket` names it.
   */
  readonly database?: string | undefined;
  /** Whether a broker may be started when none runs. Default true; HOLDFAST_START=never forbids it in any case. */
  readonly start?: boolean | "auto" | "never" | undefined;
  /** How long `connect` may take, with the start of a broker if need be (ms, default 30,000). */
  readonly startTimeoutMs?: Millis | undefined;
  /** How long a request waits for a connection that broke before it fails with CONNECTION_LOST (ms, default 30,000). */
  readonly reconnectTimeoutMs?: Millis | undefined;
  /**
   * What this connection may do: "read" neither writes nor takes locks away from others, "write" does not look after the
   * broker (status, stop). What is more is refused with FORBIDDEN. Default: HOLDFAST_ROLE, else everything.
   */
  readonly role?: Role | undefined;
  /** The name that others see beside a lock. Default: the name of the script. */
  readonly program?: string | undefined;
  /**
   * How messages are written. Both say the same; "json" (the default) can be read along and is the shorter way for small
   * messages: 140 function calls in this program for an insert, in "msgpack" 284. For 1000 rows with blobs "msgpack"
   * costs less: 830 against 1190 µs (2 cores, Node 20.20, 2026-11).
   */
  readonly encoding?: Encoding | undefined;
  /** How long the broker keeps the session (its locks, its places in queues) without a connection (ms). Default: the broker's. */
  readonly resumeWindowMs?: Millis | undefined;
  /** How INTEGER values come back: number, and bigint beyond 2^53 ("auto", the default); always one of them. */
  readonly integers?: Integers | undefined;
  /** Ends the attempt to connect; has no meaning once connected. */
  readonly signal?: AbortSignal | undefined;
  /** Instead of `process.env`. Of the lock under whose command this program runs it tells the broker too (HOLDFAST_LOCK_SESSION). */
  readonly env?: Environment | undefined;
  /** For tools that look after the broker: they get in when programs have taken all connections but the last. */
  readonly operator?: boolean | undefined;
  /** For tools that speak for a session beyond the life of one program. */
  readonly session?: SessionOptions | undefined;
  /** For tools: what a broker that is started is told (`--limit`, …), and by which file it begins. */
  readonly broker?: { readonly args?: readonly string[]; readonly entry?: string } | undefined;
}

export interface SessionOptions {
  /** 32 bytes in base64url. Whoever knows it speaks for the session. */
  readonly secret: string;
  /** The session exists: take it up with these locks, or fail with SESSION_EXPIRED. */
  readonly resume?: { readonly held: readonly { readonly name: string; readonly token: number }[] } | undefined;
  /** The session lives as long as this process, with or without a connection. */
  readonly boundTo?: number | undefined;
}

/** The options, complete. */
export interface Settings {
  readonly places: Places;
  readonly socketPath: string;
  readonly start: boolean;
  readonly startTimeoutMs: Millis;
  readonly reconnectTimeoutMs: Millis;
  readonly resumeWindowMs: Millis | undefined;
  readonly encoding: Encoding;
  readonly integers: Integers;
  /** Fields of hello. */
  readonly introduction: object;
  readonly plan: (resuming: boolean, start: boolean, runDir?: string) => ReachPlan;
}

/** Of the time that `connect` may take, a start has so much: a start that hangs is to be told as such. */
const startShare = 0.9;

const version = process.env["HOLDFAST_VERSION"] ?? "0.0.0";

const connectOptions: KnownOptions<ConnectOptions> = {
  dir: true,
  socket: true,
  database: true,
  start: true,
  startTimeoutMs: true,
  reconnectTimeoutMs: true,
  role: true,
  program: true,
  encoding: true,
  resumeWindowMs: true,
  integers: true,
  signal: true,
  env: true,
  operator: true,
  session: true,
  broker: true,
};

const sessionOptions: KnownOptions<SessionOptions> = { secret: true, resume: true, boundTo: true };
const brokerOptions: KnownOptions<NonNullable<ConnectOptions["broker"]>> = { args: true, entry: true };

/** Throws MISUSE, CONFIGURATION. */
export function settingsFrom(options: ConnectOptions): Settings {
  checkOptions("connect", options, connectOptions);
  if (options.session !== undefined) checkOptions("session of connect", options.session, sessionOptions);
  if (options.broker !== undefined) checkOptions("broker of connect", options.broker, brokerOptions);
  const { dir, socket, database, program } = options;
  for (const [name, value] of Object.entries({ dir, socket, database, program }))
    if (value !== undefined && (typeof value !== "string" || !isWellFormed(value)))
      throw new HoldfastError("MISUSE", `${name} of connect is a text, not ${String(value)}`, {
        details: { option: name },
      });
  const env = environmentWith(dir, options.env ?? process.env);
  const { platform, cwd } = process;
  // Not of `userInfo()`: a container's user need not be known by name. Absent on Windows, which is refused.
  const uid = process.geteuid?.() ?? -1;
  const places = placesFor({
    ...{ env, cwd, platform, uid, home: homedir },
    ...{ dir: options.dir, database: options.database },
    isDirectory: (path) => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true,
  });
  const { path: socketPath, named } = endpointFor({
    ...{ env, cwd, platform },
    socket: places.socket,
    given: options.socket,
  });
  const start = options.start !== false && options.start !== "never" && env["HOLDFAST_START"] !== "never";
  const startTimeoutMs = milliseconds("startTimeoutMs", options.startTimeoutMs, 30_000);
  const encoding = oneOf("encoding", options.encoding, ["json", "msgpack"]);
  const integers = oneOf("integers", options.integers, ["auto", "number", "bigint"]);
  const { args = [], entry } = options.broker ?? {};
  const startPlan = {
    places,
    env: broughtAlong(env, places, socketPath),
    args,
    entry,
    timeoutMs: startTimeoutMs * startShare,
  };
  const purpose = options.operator === true ? "operator" : "newcomer";
  return {
    places,
    socketPath,
    start,
    startTimeoutMs,
    reconnectTimeoutMs: milliseconds("reconnectTimeoutMs", options.reconnectTimeoutMs, 30_000),
    resumeWindowMs: options.resumeWindowMs,
    encoding,
    integers,
    introduction: { ...introductionOf(options, env), ...(named ? {} : { expects: expectedOf(places) }) },
    plan: (resuming, mayStart, runDir) => ({
      socket: { path: socketPath, encoding, purpose: resuming ? "resuming" : purpose },
      uid,
      named,
      moved: join(runDir ?? (named ? dirname(socketPath) : places.runDir), movedName),
      start: start && mayStart ? startPlan : undefined,
    }),
  };
}

/**
 * The socket may be one that programs with another data directory come to as well. Of a database that nobody chose, it is
 * enough that the broker keeps its files where we would: it may have been told to serve another one.
 */
function expectedOf(places: Places): ExpectedPlaces {
  return isChosen(places)
    ? { database: realPath(places.database, realpathSync) }
    : { dataDir: realPath(places.dataDir, realpathSync) };
}

/** The database is not the one that belongs to the directory. */
function isChosen({ database, dataDir }: Places): boolean {
  return database !== join(dataDir, "data.db");
}

/** A broker that is started must come to the same places as we did, whatever its working directory. */
function broughtAlong(env: Environment, places: Places, socketPath: string): Environment {
  return {
    ...env,
    ...(places.root === null ? {} : { HOLDFAST_DIR: places.root }),
    ...(isChosen(places) ? { HOLDFAST_DATABASE: places.database } : {}),
    ...(places.socket === socketPath ? {} : { HOLDFAST_SOCKET: socketPath }),
  };
}

/** As `holdfast lock` leaves it for its command: proves that whatever we wait for, that one waits for too. */
const outerSecret = /^[A-Za-z0-9_-]{43}$/;

function introductionOf(
  { program, session, role: chosen }: ConnectOptions,
  { HOLDFAST_LOCK_SESSION: outer = "", HOLDFAST_ROLE: role }: Environment,
): object {
  const subject = session?.boundTo ?? process.pid;
  const claim = processClaim(subject);
  if (session?.boundTo !== undefined && claim === undefined)
    throw new HoldfastError(
      "MISUSE",
      `a session cannot be bound to process ${subject}: it is not there, or its start time cannot be read`,
    );
  return {
    program: program ?? basename(process.argv[1] ?? process.execPath),
    version,
    ...roleIn(chosen, role),
    ...(claim === undefined ? {} : { process: claim }),
    ...(session?.boundTo === undefined ? {} : { bound: true }),
    ...(outerSecret.test(outer) ? { outer } : {}),
  };
}

/** None is said unless one is chosen: a session that is taken up keeps its own. */
function roleIn(chosen: Role | undefined, fromEnv: string | undefined): { readonly role?: Role } {
  const roles = ["read", "write", "admin"] as const;
  if (chosen !== undefined) return { role: oneOf("role", chosen, roles) };
  return fromEnv === undefined || fromEnv === "" ? {} : { role: oneOf("HOLDFAST_ROLE", fromEnv as Role, roles) };
}

function milliseconds(name: string, value: Millis | undefined, standard: Millis): Millis {
  if (value === undefined) return standard;
  if (Number.isFinite(value) && value > 0) return value;
  throw new HoldfastError("MISUSE", `${name} must be a number of milliseconds above 0, not ${value}`);
}

function oneOf<T extends string>(name: string, value: T | undefined, allowed: readonly [T, ...T[]]): T {
  if (value === undefined) return allowed[0];
  if (allowed.includes(value)) return value;
  throw new HoldfastError("MISUSE", `${name} must be one of ${allowed.join(", ")}, not ${JSON.stringify(value)}`);
}
