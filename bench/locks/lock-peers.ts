/** Who else gives locks to the programs of one machine. */
import type { Contestant } from "../crew/order.js";

export const lockPeers: readonly Contestant[] = [
  "live-mutex",
  "redis",
  "redlock",
  "postgres",
  "proper-lockfile",
  "flock",
];
