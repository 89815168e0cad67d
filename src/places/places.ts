/**
 * Where everything of one broker lies. Values in, absolute paths out: nothing is read, made or looked for here, so
 * that the library, the command line and the broker come to the same answer from the same surroundings.
 *
 *   one root (`dir`, or HOLDFAST_DIR)          ROOT/data  ROOT/run  ROOT/log  ROOT/config
 *   Linux, by the XDG base directories         data  ~/.local/share/holdfast    run     $XDG_RUNTIME_DIR/holdfast, else
 *                                                                                       /run/user/UID/holdfast or /tmp/holdfast-UID
 *                                              log   ~/.local/state/holdfast    config  ~/.config/holdfast
 *   macOS                                      data  ~/Library/Application Support/holdfast   run  ~/Library/Caches/holdfast
 *                                              log   ~/Library/Logs/holdfast    config  ~/.config/holdfast
 *
 * TMPDIR has no say in it: programs that differ in it must find the same broker.
 *
 * A database elsewhere (`database`, or HOLDFAST_DATABASE) takes its writer's lock along: two brokers with different
 * roots on one file must exclude each other. Where the one goes on after the other, a word is left in the run directory
 * that the other had.
 */
import { isAbsolute, join } from "node:path";
import { HoldfastError } from "../terms/index.js";
import { absolute } from "./absolute.js";
import { sharedPlace, socketPath } from "./socket-path.js";

/** The file in a run directory that says where its database is served now. */
export const movedName = "moved";

export interface Surroundings {
  readonly env: { readonly [name: string]: string | undefined };
  readonly platform: string;
  readonly uid: number;
  /** As `os.homedir()` says it; asked only where a place in it is needed. May throw: not every user has one. */
  readonly home: () => string;
  /** One directory for all; overrules HOLDFAST_DIR. */
  readonly dir?: string | undefined;
  /** The database file; overrules HOLDFAST_DATABASE. */
  readonly database?: string | undefined;
  /**
   * Against what a relative `dir` or `database` is meant; asked only for such a one. Without it they must be absolute.
   * May throw: the working directory may be gone.
   */
  readonly cwd?: (() => string) | undefined;
  /**
   * Whether a directory is there. Asked once, on Linux without XDG_RUNTIME_DIR, for /run/user/UID: a cron job or `su`
   * has no such variable, and must find the broker of the same user's desktop all the same.
   */
  readonly isDirectory?: ((path: string) => boolean) | undefined;
}

export interface Places {
  /** The one directory that holds all, or null when the platform's own places are used. */
  readonly root: string | null;
  readonly database: string;
  readonly dataDir: string;
  readonly runDir: string;
  readonly logDir: string;
  readonly configDir: string;
  readonly socket: string;
  /** SQLite file, locked by the front for life: one broker a run directory. */
  readonly brokerLock: string;
  /** SQLite file, locked by a client while it starts a broker. */
  readonly spawnLock: string;
  /** SQLite file beside the database, locked by the writer for life: one writer a database. */
  readonly writerLock: string;
  /** broker.json: who runs here; for people and as a hint, never as proof. */
  readonly info: string;
  /** children.json: whom the next front must kill. */
  readonly children: string;
  readonly progress: string;
  readonly ledger: string;
  /** Secrets of sessions that live as long as a process (`holdfast acquire`). */
  readonly boundDir: string;
  /** Is there while the database that was served from here is served from elsewhere; says from where. */
  readonly moved: string;
  readonly logFile: string;
}

interface Directories {
  readonly root: string | null;
  readonly data: string;
  readonly run: string;
  readonly log: string;
  readonly config: string;
}

export function placesFor(surroundings: Surroundings): Places {
  if (surroundings.platform === "win32")
    throw new HoldfastError("CONFIGURATION", "Holdfast needs Unix sockets and signals; Windows is not supported");
  const directories = directoriesFor(surroundings);
  const { root, data, run, log, config } = directories;
  const chosen = chosenPath(surroundings, "HOLDFAST_DATABASE", surroundings.database);
  const database = chosen ?? join(data, "data.db");
  return {
    root,
    database,
    dataDir: data,
    ...placeIn(run),
    logDir: log,
    configDir: config,
    socket: socketPath(join(run, "broker.sock"), surroundings),
    spawnLock: join(run, "spawn.lock"),
    writerLock: `${database}.writer.lock`,
    children: join(run, "children.json"),
    progress: join(run, "writer.progress"),
    ledger: join(run, "ledger.db"),
    boundDir: join(run, "bound"),
    moved: join(run, movedName),
    logFile: join(log, "holdfast.log"),
  };
}

/** What decides, and tells, which broker has a run directory. */
export function placeIn(runDir: string): Pick<Places, "runDir" | "brokerLock" | "info"> {
  return { runDir, brokerLock: join(runDir, "broker.lock"), info: join(runDir, "broker.json") };
}

function directoriesFor(surroundings: Surroundings): Directories {
  const root = chosenPath(surroundings, "HOLDFAST_DIR", surroundings.dir);
  if (root !== undefined)
    return {
      root,
      data: join(root, "data"),
      run: join(root, "run"),
      log: join(root, "log"),
      config: join(root, "config"),
    };
  return surroundings.platform === "darwin" ? macosDirectories(surroundings) : xdgDirectories(surroundings);
}

function macosDirectories({ env, home }: Surroundings): Directories {
  const library = join(homeOf(home), "Library");
  return {
    root: null,
    data: join(library, "Application Support", "holdfast"),
    run: join(library, "Caches", "holdfast"),
    log: join(library, "Logs", "holdfast"),
    config: join(xdgValue(env, "XDG_CONFIG_HOME") ?? join(homeOf(home), ".config"), "holdfast"),
  };
}

function xdgDirectories({ env, home, uid, isDirectory }: Surroundings): Directories {
  const own = `/run/user/${uid}`;
  const runtime = xdgValue(env, "XDG_RUNTIME_DIR") ?? (isDirectory?.(own) === true ? own : undefined);
  return {
    root: null,
    data: join(xdgValue(env, "XDG_DATA_HOME") ?? join(homeOf(home), ".local", "share"), "holdfast"),
    run: runtime === undefined ? sharedPlace(uid) : join(runtime, "holdfast"),
    log: join(xdgValue(env, "XDG_STATE_HOME") ?? join(homeOf(home), ".local", "state"), "holdfast"),
    config: join(xdgValue(env, "XDG_CONFIG_HOME") ?? join(homeOf(home), ".config"), "holdfast"),
  };
}

/** Of an empty or a relative one each working directory would have a broker of its own. */
function homeOf(home: Surroundings["home"]): string {
  let path: string;
  try {
    path = home();
  } catch (error) {
    throw homeless("the broker's files lie in the home directory, and this user has none", error);
  }
  if (isAbsolute(path)) return path;
  throw homeless(`the home directory "${path}" (HOME) is no absolute path`);
}

function homeless(why: string, cause?: unknown): HoldfastError {
  const remedy = "set HOME to an absolute path, or choose a directory with --dir (`dir`) or HOLDFAST_DIR";
  return new HoldfastError("CONFIGURATION", `${why}; ${remedy}`, { cause });
}

/** XDG Base Directory Specification 0.8: an empty value is none, and a relative one is to be ignored. */
function xdgValue(env: Surroundings["env"], name: string): string | undefined {
  const value = env[name];
  return value === undefined || !isAbsolute(value) ? undefined : value;
}

/** A path that somebody chose: by option, else by environment. Never ignored, unlike the platform's variables. */
function chosenPath({ env, cwd }: Surroundings, variable: string, option: string | undefined): string | undefined {
  const fromEnv = env[variable] === "" ? undefined : env[variable];
  const value = option ?? fromEnv;
  if (value === undefined) return undefined;
  const source = option === undefined ? variable : `the option that overrules ${variable}`;
  if (value === "") throw new HoldfastError("CONFIGURATION", `${source} gives an empty path`);
  if (value.includes("\0")) throw new HoldfastError("CONFIGURATION", `${source} gives a path with a NUL in it`);
  return absolute(value, `the path "${value}" (${source})`, cwd);
}
