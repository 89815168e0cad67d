/**
 * Starts a broker in the background and waits until it says that it is ready, or why it is not. It is never polled and
 * never guessed at: readiness comes as a line over a pipe, a failure with the broker's own words.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, fstatSync, mkdirSync, openSync, readFileSync } from "node:fs";
import type { Socket } from "node:net";
import { fileURLToPath } from "node:url";
import type { Places } from "../places/index.js";
import { isRefusalCode, type Millis, type Refusal, refuse } from "../terms/index.js";
import { afterwards, orAborted, withTimeLimit } from "./pulse.js";

export interface StartPlan {
  readonly places: Places;
  /** The surroundings of this program; the broker gets what the list below allows. */
  readonly env: { readonly [name: string]: string | undefined };
  /** What the broker is told beside `--spawned`. */
  readonly args: readonly string[];
  /** The file with which it begins; found beside this one when absent. */
  readonly entry?: string | undefined;
  readonly timeoutMs: Millis;
}

export type StartOutcome =
  | { readonly kind: "ready"; readonly pid: number }
  /** Another broker has the place, or is about to leave it. */
  | { readonly kind: "running" }
  | { readonly kind: "failed"; readonly refusal: Refusal };

/** "Already running": see the exit codes of the command line. */
const exitCodeRunning = 75;
/** How long the broker's last words may take to arrive after its end. */
const lastWordsMs = 250;
const tailBytesMax = 2000;

export async function startBroker(plan: StartPlan, signal: AbortSignal): Promise<StartOutcome> {
  const entry = plan.entry ?? findEntry();
  if (entry === undefined) return failed("the broker's program (front.js) is not where this library was installed");
  let log: Log & { readonly file: number };
  try {
    log = openLog(plan.places);
  } catch (error) {
    return { kind: "failed", refusal: fileRefusal(error as NodeJS.ErrnoException) };
  }
  const child = spawn(process.execPath, [entry, "--spawned", ...plan.args], {
    cwd: "/",
    detached: true,
    env: allowed(plan.env),
    stdio: ["ignore", log.file, log.file, "pipe"],
  });
  closeSync(log.file);
  if (child.pid === undefined) return noProcess(child);
  const pipe = child.stdio[3] as Socket;
  const outcome = outcomeOf(child, plan, log).finally(() => {
    pipe.destroy();
    child.unref();
  });
  // Who does not want to wait any longer leaves it to itself: it will serve others, or is ended when its time is over.
  return orAborted(outcome, signal, () => {
    pipe.unref();
    child.unref();
  });
}

/** The system has made none, and where it is out of files there is no pipe to it either. Why, is told as an event. */
function noProcess(child: ChildProcess): Promise<StartOutcome> {
  return new Promise((resolve) => {
    child.on("error", (error) => resolve(failed(`the broker could not be started: ${error.message}`)));
  });
}

function outcomeOf(child: ChildProcess, { timeoutMs }: StartPlan, log: Log): Promise<StartOutcome> {
  return new Promise((resolve) => {
    // What never becomes ready must not keep the place for ever.
    const late = () => {
      child.kill("SIGTERM");
      resolve(failed(`the broker was not ready within ${timeoutMs} ms${tailOf(log)}`, log));
    };
    void withTimeLimit(lastWords(child, log), timeoutMs, late).then(resolve);
  });
}

/** What the child says, or what its end says. Never rejects. */
function lastWords(child: ChildProcess, log: Log): Promise<StartOutcome> {
  return new Promise((resolve) => {
    const pipe = child.stdio[3] as Socket;
    let words = "";
    let ended: string | undefined;
    let exitCode: number | null = null;
    let decided = false;
    const decide = () => {
      if (decided) return;
      const line = firstLine(words);
      if (line === undefined && ended === undefined) return;
      decided = true;
      if (line !== undefined) resolve(outcomeIn(line, child.pid ?? 0));
      else if (exitCode === exitCodeRunning) resolve({ kind: "running" });
      else resolve(failed(`the broker ${ended} before it was ready${tailOf(log)}`, log));
    };
    pipe.setEncoding("utf8");
    pipe.on("data", (text: string) => {
      words += text;
      if (words.includes("\n")) decide();
    });
    pipe.on("error", () => {}); // Its end says the same.
    pipe.on("close", decide);
    child.on("error", (error) => resolve(failed(`the broker could not be started: ${error.message}`)));
    child.on("exit", (code, killedBy) => {
      exitCode = code;
      ended = killedBy === null ? `ended with exit code ${code}` : `was killed by ${killedBy}`;
      if (pipe.closed) decide();
      else afterwards(lastWordsMs, decide);
    });
  });
}

function firstLine(words: string): string | undefined {
  const end = words.indexOf("\n");
  return end < 0 ? undefined : words.slice(0, end).trim();
}

/** `READY`, or `{"error": {"code", "message"}}`. */
function outcomeIn(line: string, pid: number): StartOutcome {
  if (line === "READY") return { kind: "ready", pid };
  try {
    const { error } = JSON.parse(line) as { error?: { code?: unknown; message?: unknown } };
    const message = typeof error?.message === "string" ? error.message : line;
    if (error?.code === "ALREADY_RUNNING") return { kind: "running" };
    const cause = typeof error?.code === "string" && isRefusalCode(error.code) ? error.code : undefined;
    return failed(`the broker could not be started: ${message}`, undefined, cause);
  } catch {
    return failed(`the broker could not be started: ${line}`);
  }
}

function failed(message: string, log?: Log, cause?: string): StartOutcome {
  const details = { ...(log === undefined ? {} : { log: log.path }), ...(cause === undefined ? {} : { cause }) };
  return { kind: "failed", refusal: refuse("START_FAILED", message, details) };
}

function fileRefusal(error: NodeJS.ErrnoException): Refusal {
  const code =
    error.code === "EACCES" || error.code === "EPERM" || error.code === "EROFS" ? "PERMISSION" : "START_FAILED";
  return refuse(code, `the broker's directories cannot be used: ${error.message}`, { path: error.path });
}

// The log: the broker appends to it, and we read what it wrote since we opened it.

interface Log {
  readonly path: string;
  /** Its size before the start. */
  readonly from: number;
}

function openLog({ runDir, logDir, logFile }: Places): Log & { readonly file: number } {
  for (const directory of [runDir, logDir]) mkdirSync(directory, { recursive: true, mode: 0o700 });
  const file = openSync(logFile, "a", 0o600);
  return { path: logFile, file, from: fstatSync(file).size };
}

/** What the broker has written, if anything: its end, since the reason comes last. */
function tailOf({ from, path }: Log): string {
  try {
    // From the start again if the log was changed for a new one meanwhile.
    const bytes = readFileSync(path);
    const text = bytes
      .subarray(bytes.length < from ? 0 : from)
      .subarray(-tailBytesMax)
      .toString("utf8")
      .trim();
    return text === "" ? ` and wrote nothing to ${path}` : `; the end of ${path}:\n${text}`;
  } catch {
    return "";
  }
}

// The program and its surroundings.

/** Bundled, it lies beside the command line or beside the library's folder; else where the compiler put it. */
function findEntry(): string | undefined {
  for (const place of ["./front.js", "../front.js", "../daemon/front.main.js"]) {
    const path = fileURLToPath(new URL(place, import.meta.url));
    if (existsSync(path)) return path;
  }
  return undefined;
}

/** What of the first client's environment the broker of all clients may see. */
const allowedNames = new Set([
  ...["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TMP", "TEMP"],
  "LD_LIBRARY_PATH",
]);
const allowedPrefixes = ["LC_", "XDG_", "HOLDFAST_"];
/** What concerns one client only. */
const keptBack = new Set([
  ...["HOLDFAST_START", "HOLDFAST_READY_FD"],
  ...["HOLDFAST_LOCK_NAME", "HOLDFAST_LOCK_TOKEN", "HOLDFAST_LOCKS", "HOLDFAST_LOCK_SESSION"],
]);

function allowed(env: StartPlan["env"]): NodeJS.ProcessEnv {
  const names = Object.keys(env).filter(
    (name) =>
      allowedNames.has(name) || (allowedPrefixes.some((prefix) => name.startsWith(prefix)) && !keptBack.has(name)),
  );
  return Object.fromEntries(names.map((name) => [name, env[name]]));
}
