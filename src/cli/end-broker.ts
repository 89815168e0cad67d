/** Ends a broker and waits until it is really gone: its process, and the socket on which it listened. */
import { existsSync } from "node:fs";
import type { Broker } from "../client/index.js";
import { isHoldfastError } from "../terms/index.js";
import { identityOf, isAlive } from "./processes.js";

const lookAgainMs = 10;

/** Asks it to stop, closes the handle, and waits. False: it is still there after `patienceMs`. */
export async function endBroker(broker: Broker, patienceMs = 60_000): Promise<boolean> {
  const { pid, places } = await broker.status();
  const identity = identityOf(pid);
  await broker.call("admin.stop", {}).catch((error: unknown) => {
    // It may be gone before its answer has left: that is what was asked for.
    if (!isHoldfastError(error) || (error.code !== "CONNECTION_LOST" && error.code !== "SHUTTING_DOWN")) throw error;
  });
  await broker.close();
  const socket = places["socket"];
  for (let waitedMs = 0; waitedMs < patienceMs; waitedMs += lookAgainMs) {
    // A zombie is gone: who has not reaped it yet is not our concern.
    const gone = identity === undefined || !isAlive(identity);
    if (gone && (socket === undefined || !existsSync(socket))) return true;
    await new Promise((resolve) => setTimeout(resolve, lookAgainMs));
  }
  return false;
}
