/** Another process that takes a lock of the kernel, says so, and keeps it until it is ended. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { known } from "./processes.js";

/** Whoever asks for it ends it. */
export async function lockHolder(path: string): Promise<ChildProcess> {
  const room = new URL("../../src/sqlite/index.js", import.meta.url).href;
  const code = `import { FileLock } from ${JSON.stringify(room)};
    globalThis.lock = FileLock.take(${JSON.stringify(path)}, 0);
    console.log(globalThis.lock === undefined ? "no" : "yes");
    setInterval(() => {}, 1 << 30);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: ["ignore", "pipe", "inherit"] });
  const [said] = (await once(child.stdout, "data")) as [Buffer];
  assert.equal(said.toString().trim(), "yes");
  return child;
}

/** As a front would have it written down that had started this process as its writer. */
export function notedAsWriter({ pid }: ChildProcess, bootId: string): string {
  const { startTime } = known(pid ?? 0);
  return JSON.stringify([{ pid, startTime, role: "writer", bootId }]);
}

export async function endHolder(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}
