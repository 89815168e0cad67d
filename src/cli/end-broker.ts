/**
 * Ends a broker and waits until it is really gone: its process, or, where that cannot be seen, the socket on which it
 * listened.
 */
import { existsSync } from "node:fs";
import type { Broker } from "../client/index.js";
import { isHoldfastError } from "../terms/index.js";
import { identityOf, isAlive } from "./processes.js";

const lookAgainMs = 10;

/** It may be gone before its answer has left: that is what was asked for. */
const goneCodes: ReadonlySet<string> = new Set(["OUTCOME_UNKNOWN", "CONNECTION_LOST", "SHUTTING_DOWN"]);

/** Asks it to stop, closes the handle, and waits. False: it is still there after `patienceMs`. */
export async function endBroker(broker: Broker, patienceMs = 60_000): Promise<boolean> {
  const { pid, places } = await broker.status();
  const identity = identityOf(pid);
  await broker.call("admin.stop", {}).catch((error: unknown) => {
    if (!isHoldfastError(error) || !goneCodes.has(error.code)) throw error;
  });
  await broker.close();
  const socket = places["socket"];
  for (let waitedMs = 0; waitedMs < patienceMs; waitedMs += lookAgainMs) {
    // A zombie is gone: who has not reaped it yet is not our concern. Nor is the socket: of one that was killed it stays,
    // and the next broker has one at the same place.
    if (identity === undefined ? socket === undefined || !existsSync(socket) : !isAlive(identity)) return true;
    await new Promise((resolve) => setTimeout(resolve, lookAgainMs));
  }
  return false;
}
