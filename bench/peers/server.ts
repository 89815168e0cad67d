/** A peer's server: a process of the bench's own in a directory of its own, which ends with the bench. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";

export interface Server {
  readonly pid: number;
  stop(): Promise<void>;
}

export interface Start {
  readonly command: string;
  readonly args: readonly string[];
  /** What it writes when it can be asked. */
  readonly readyWords: string;
  readonly stopSignal: NodeJS.Signals;
  readonly user?: User | undefined;
}

export interface User {
  readonly uid: number;
  readonly gid: number;
}

const startMs = 20_000;

export async function startServer({ command, args, readyWords, stopSignal, user }: Start): Promise<Server> {
  const env = { ...process.env, LC_ALL: "C" };
  // In a session of its own, as the broker is: the system divides the processors between sessions first.
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], env, detached: true, ...user });
  const onExit = () => child.kill("SIGKILL");
  process.once("exit", onExit);
  await saysThatItIsReady(child, command, readyWords);
  return {
    pid: child.pid ?? 0,
    stop: async () => {
      process.off("exit", onExit);
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill(stopSignal);
      await once(child, "exit");
    },
  };
}

function saysThatItIsReady(child: ChildProcess, command: string, words: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = "";
    const late = setTimeout(() => give(`was not ready within ${startMs} ms`), startMs);
    const give = (what: string) => {
      clearTimeout(late);
      child.kill("SIGKILL");
      reject(new Error(`${command} ${what}: ${said.slice(-1000)}`));
    };
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        said = (said + text).slice(-10_000);
        if (!said.includes(words)) return;
        clearTimeout(late);
        resolve();
      });
    }
    child.once("error", (error) => give(`could not be started (${error.message})`));
    child.once("exit", (code) => give(`ended with ${code}`));
  });
}

/** Where a program is, if it is anywhere. */
export function programPath(name: string, elsewhere: readonly string[] = []): string | undefined {
  const directories = [...(process.env["PATH"] ?? "").split(delimiter), ...elsewhere];
  return directories.map((directory) => join(directory, name)).find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Some servers refuse to run as root: then the first of these users that there is. Nothing: as whoever runs the bench. */
export function anotherUserThanRoot(names: readonly string[]): User | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const users = readFileSync("/etc/passwd", "utf8").split("\n");
  for (const name of names) {
    const [, , uid, gid] = users.find((line) => line.startsWith(`${name}:`))?.split(":") ?? [];
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  return undefined;
}
