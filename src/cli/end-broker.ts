/** Ends a broker and waits until it is really gone: its process, and the socket on which it listened. */
import { existsSync } from "node:fs";
import type { Broker } from "../client/index.js";

const lookAgainMs = 10;

/** Asks it to stop, closes the handle, and waits. False: it is still there after `patienceMs`. */
export async function endBroker(broker: Broker, patienceMs = 60_000): Promise<boolean> {
  const { pid, places } = await broker.status();
  await broker.call("admin.stop", {});
  await broker.close();
  const socket = places["socket"];
  for (let waitedMs = 0; waitedMs < patienceMs; waitedMs += lookAgainMs) {
    if (!isAlive(pid) && (socket === undefined || !existsSync(socket))) return true;
    await new Promise((resolve) => setTimeout(resolve, lookAgainMs));
  }
  return false;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
