/** A process that holds locks, to be killed. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { HolderOrder } from "./holder.main.js";

const main = fileURLToPath(new URL("./holder.main.js", import.meta.url));

/** Resolves when it holds them. */
export async function startHolder(order: HolderOrder): Promise<ChildProcess> {
  const child = fork(main, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  child.send(order);
  await Promise.race([
    once(child, "message"),
    once(child, "exit").then(([code]) => {
      throw new Error(`the holder ended with ${String(code)}`);
    }),
  ]);
  return child;
}

export async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}
