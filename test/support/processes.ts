/** Processes as the tests see them: from /proc, by pid and start time, so that a pid used again is never hit. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { until } from "./patience.js";

export interface KnownProcess {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat. */
  readonly startTime: string;
}

/** From the state (field 3) on; undefined when there is no such process. */
function statFields(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}

/** R, S, D, T (stopped), Z (zombie) …; undefined when it is gone. */
export function stateOf(pid: number): string | undefined {
  return statFields(pid)?.[0];
}

export function startTimeOf(pid: number): string | undefined {
  return statFields(pid)?.[19];
}

export function known(pid: number): KnownProcess {
  return { pid, startTime: startTimeOf(pid) ?? "gone" };
}

/** Gone, or a zombie that nobody has reaped yet: nothing of it runs. */
export function isGone({ pid, startTime }: KnownProcess): boolean {
  const fields = statFields(pid);
  return fields === undefined || fields[19] !== startTime || fields[0] === "Z" || fields[0] === "X";
}

export function kill(process_: KnownProcess, signal: NodeJS.Signals): void {
  if (isGone(process_)) return;
  try {
    process.kill(process_.pid, signal);
  } catch {
    // It ended between the look and the signal.
  }
}

export async function gone(what: string, process_: KnownProcess): Promise<void> {
  await until(`the end of ${what} (pid ${process_.pid})`, () => isGone(process_));
}

/** Signals that come to a process and to nobody else: it is seen to stand still. */
export async function stop(process_: KnownProcess): Promise<void> {
  kill(process_, "SIGSTOP");
  await until(`process ${process_.pid} to stand still`, () => stateOf(process_.pid) === "T");
}

/** The processes that a process has started and that are there. */
export function childrenOf(pid: number): KnownProcess[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && statFields(Number(name))?.[1] === String(pid))
    .map((name) => known(Number(name)));
}

/**
 * Ends the processes that were told of a directory, in their words or by their surroundings, until there is none; it
 * may be some of them only, by their words. Linux only.
 */
export async function endAllOn(dir: string, ofWords: (words: string) => boolean = () => true): Promise<void> {
  if (!existsSync("/proc/self/environ")) return;
  await until(`the end of what runs on ${dir}`, () => {
    const found = runningOn(dir, ofWords);
    for (const one of found) kill(one, "SIGKILL");
    return found.length === 0;
  });
}

function runningOn(dir: string, ofWords: (words: string) => boolean): KnownProcess[] {
  const pids = readdirSync("/proc").map(Number).filter(Number.isSafeInteger);
  return pids.map(known).filter(({ pid }) => {
    try {
      const [words = "", told] = ["cmdline", "environ"].map((file) => readFileSync(`/proc/${pid}/${file}`, "latin1"));
      // A dead one that nobody has asked for has no words left.
      return pid !== process.pid && words !== "" && ofWords(words) && `${words} ${told}`.includes(dir);
    } catch {
      // It is gone, or somebody else's.
      return false;
    }
  });
}
