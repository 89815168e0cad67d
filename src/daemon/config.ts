/**
 * Everything that can be set, from the options of a call and the environment, as one value. Options go before the
 * environment, the environment before what is standard. A wrong setting is refused by name; nothing is guessed.
 */
import { parseArgs } from "node:util";
import { endpointFor, environmentWith, type Places, placesFor, type Surroundings } from "../places/index.js";
import { HoldfastError, type Limits, limitsWith } from "../terms/index.js";
import { isLogLevel, type LogLevel, logLevels } from "./log.js";

export interface ServeOptions {
  /** The package's version. */
  readonly version: string;
  readonly dir?: string | undefined;
  readonly socket?: string | undefined;
  readonly database?: string | undefined;
  readonly limits?: { readonly [name: string]: number } | undefined;
  /** Started by a client in the background: logs to a file, and ends itself when nobody needs it. */
  readonly spawned?: boolean | undefined;
  readonly logLevel?: string | undefined;
  /** false: it signals no process, for a broker that serves others than its own user. */
  readonly signals?: boolean | undefined;
  /** Network file systems, by name, on which the database may lie all the same. */
  readonly allowFilesystem?: readonly string[] | undefined;
}

export interface Config {
  readonly version: string;
  /** With the socket where it was chosen to be. */
  readonly places: Places;
  readonly limits: Limits;
  readonly spawned: boolean;
  /** Whether it may end what still runs under a lock that was lost. */
  readonly signals: boolean;
  /** Network file systems that are used all the same, by name. */
  readonly allowFilesystem: readonly string[];
  /** Absent: what fits where the log goes. */
  readonly logLevel: LogLevel | undefined;
  /** Where the children's programs lie, if not beside this one. */
  readonly entryDir: string | undefined;
}

/** A client's spawner gives the pipe as the first descriptor after the standard ones. */
const readyFdOfSpawned = 3;

export function configFrom(options: ServeOptions, around: Omit<Surroundings, "dir" | "database">): Config {
  const { platform, cwd } = around;
  const { dir, database, version } = options;
  const env = environmentWith(dir, around.env);
  const places = placesFor({ ...around, env, dir, database });
  const { path: socket } = endpointFor({ env, platform, socket: places.socket, given: options.socket, cwd });
  const spawned = options.spawned ?? false;
  return {
    version,
    places: { ...places, socket },
    limits: limitsFrom(env["HOLDFAST_LIMITS"], options.limits),
    spawned,
    signals: options.signals ?? true,
    allowFilesystem: options.allowFilesystem ?? wordsIn(env["HOLDFAST_ALLOW_FILESYSTEM"]),
    logLevel: logLevelFrom(options.logLevel ?? env["HOLDFAST_LOG_LEVEL"]),
    entryDir: env["HOLDFAST_ENTRY_DIR"],
  };
}

/** The broker that is about to leave its place to an errand. */
export interface Predecessor {
  readonly pid: number;
  /** Its run directory, if that is not the one that the errand would have. */
  readonly runDir: string | undefined;
}

/** Work in a run of its own, instead of serving. Files as absolute paths. */
export type Errand =
  | { readonly kind: "import"; readonly file: string; readonly after: Predecessor | undefined; readonly force: boolean }
  | { readonly kind: "restore"; readonly file: string; readonly after: Predecessor | undefined }
  | { readonly kind: "backup"; readonly file: string; readonly force: boolean }
  | { readonly kind: "check"; readonly quick: boolean };

/** What `front.js` is asked to do: to serve, or an errand. */
export interface FrontArguments extends ServeOptions {
  readonly errand?: Errand | undefined;
}

/** The options in the words of a command line: what `front.js` is started with. */
export function optionsFrom(args: readonly string[], version: string): FrontArguments {
  try {
    const { values } = parseArgs({
      args: [...args],
      strict: true,
      allowPositionals: false,
      options: {
        dir: { type: "string" },
        socket: { type: "string" },
        database: { type: "string" },
        limit: { type: "string", multiple: true },
        "allow-filesystem": { type: "string", multiple: true },
        "log-level": { type: "string" },
        spawned: { type: "boolean" },
        "no-signals": { type: "boolean" },
        import: { type: "string" },
        restore: { type: "string" },
        after: { type: "string" },
        "after-in": { type: "string" },
        backup: { type: "string" },
        check: { type: "boolean" },
        force: { type: "boolean" },
        quick: { type: "boolean" },
      },
    });
    const { limit = [], "log-level": logLevel, "no-signals": noSignals, dir, socket, database, spawned } = values;
    const { "allow-filesystem": allowFilesystem } = values;
    const errand = errandFrom(values);
    return {
      version,
      ...(errand === undefined ? {} : { errand }),
      ...(dir === undefined ? {} : { dir }),
      ...(socket === undefined ? {} : { socket }),
      ...(database === undefined ? {} : { database }),
      ...(spawned === undefined ? {} : { spawned }),
      limits: parseLimits(limit, "--limit"),
      ...(allowFilesystem === undefined ? {} : { allowFilesystem }),
      logLevel,
      ...(noSignals === true ? { signals: false } : {}),
    };
  } catch (error) {
    throw error instanceof HoldfastError ? error : wrongSetting("MISUSE", error as Error);
  }
}

function errandFrom(values: {
  readonly import?: string;
  readonly restore?: string;
  readonly after?: string;
  readonly "after-in"?: string;
  readonly backup?: string;
  readonly check?: boolean;
  readonly force?: boolean;
  readonly quick?: boolean;
}): Errand | undefined {
  const { import: takeOver, restore, backup, check = false, force = false, quick = false } = values;
  const after = values.after === undefined ? undefined : { pid: Number(values.after), runDir: values["after-in"] };
  if (takeOver !== undefined) return { kind: "import", file: takeOver, after, force };
  if (restore !== undefined) return { kind: "restore", file: restore, after };
  if (backup !== undefined) return { kind: "backup", file: backup, force };
  return check ? { kind: "check", quick } : undefined;
}

function wrongSetting(code: "MISUSE" | "CONFIGURATION", cause: Error): HoldfastError {
  return new HoldfastError(code, cause.message, { cause });
}

/** The pipe on which a starting client waits. Found before anything else is looked at: a wrong setting must reach it too. */
export function readyFdFrom(env: Surroundings["env"], spawned: boolean): number | undefined {
  const text = env["HOLDFAST_READY_FD"];
  if (text === undefined || text === "") return spawned ? readyFdOfSpawned : undefined;
  const fd = Number(text);
  return /^\d+$/.test(text) && fd > 2 ? fd : undefined;
}

function wordsIn(text = ""): readonly string[] {
  return text.split(/[\s,]+/).filter((word) => word !== "");
}

function limitsFrom(fromEnv: string | undefined, chosen: { readonly [name: string]: number } = {}): Limits {
  const words = fromEnv === undefined ? [] : fromEnv.split(",").filter((word) => word.trim() !== "");
  try {
    return limitsWith({ ...parseLimits(words, "HOLDFAST_LIMITS"), ...chosen });
  } catch (error) {
    throw error instanceof RangeError ? wrongSetting("CONFIGURATION", error) : error;
  }
}

function parseLimits(words: readonly string[], source: string): { readonly [name: string]: number } {
  const limits: { [name: string]: number } = {};
  for (const word of words) {
    const [, name, value] = /^\s*([A-Za-z]+)=(\d+)\s*$/.exec(word) ?? [];
    if (name === undefined || value === undefined)
      throw new HoldfastError("CONFIGURATION", `${source}: "${word}" is not NAME=VALUE with a whole number`);
    limits[name] = Number(value);
  }
  return limits;
}

function logLevelFrom(text: string | undefined): LogLevel | undefined {
  if (text === undefined || text === "" || isLogLevel(text)) return text === "" ? undefined : text;
  throw new HoldfastError("CONFIGURATION", `log level "${text}" is none of ${logLevels.join(", ")}`);
}
