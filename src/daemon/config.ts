/**
 * Everything that can be set, from the options of a call and the environment, as one value. Options go before the
 * environment, the environment before what is standard. A wrong setting is refused by name; nothing is guessed.
 */
import { parseArgs } from "node:util";
import { endpointFor, type Places, placesFor, type Surroundings } from "../places/index.js";
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
}

export interface Config {
  readonly version: string;
  /** With the socket where it was chosen to be. */
  readonly places: Places;
  readonly limits: Limits;
  readonly spawned: boolean;
  /** Whether it may end what still runs under a lock that was lost. */
  readonly signals: boolean;
  /** Absent: what fits where the log goes. */
  readonly logLevel: LogLevel | undefined;
  /** Where the children's programs lie, if not beside this one. */
  readonly entryDir: string | undefined;
}

/** A client's spawner gives the pipe as the first descriptor after the standard ones. */
const readyFdOfSpawned = 3;

export function configFrom(options: ServeOptions, around: Omit<Surroundings, "dir" | "database">): Config {
  const { env, platform, cwd } = around;
  const { dir, database, version } = options;
  const places = placesFor({ ...around, dir, database });
  const { path: socket } = endpointFor({ env, platform, socket: places.socket, given: options.socket, cwd });
  const spawned = options.spawned ?? false;
  return {
    version,
    places: { ...places, socket },
    limits: limitsFrom(env["HOLDFAST_LIMITS"], options.limits),
    spawned,
    signals: options.signals ?? true,
    logLevel: logLevelFrom(options.logLevel ?? env["HOLDFAST_LOG_LEVEL"]),
    entryDir: env["HOLDFAST_ENTRY_DIR"],
  };
}

/** What `front.js` is asked to do: to serve, or, with `takeOver`, to take over that database and end. */
export interface FrontArguments extends ServeOptions {
  readonly takeOver?: string | undefined;
  readonly force?: boolean | undefined;
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
        "log-level": { type: "string" },
        spawned: { type: "boolean" },
        "no-signals": { type: "boolean" },
        import: { type: "string" },
        force: { type: "boolean" },
      },
    });
    const { limit = [], "log-level": logLevel, "no-signals": noSignals, import: takeOver, ...rest } = values;
    return {
      version,
      ...(takeOver === undefined ? {} : { takeOver }),
      ...rest,
      limits: parseLimits(limit, "--limit"),
      logLevel,
      ...(noSignals === true ? { signals: false } : {}),
    };
  } catch (error) {
    throw error instanceof HoldfastError ? error : wrongSetting("MISUSE", error as Error);
  }
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
