/** `holdfast ping`: one round trip to the broker that runs; starts none. */
import type { Command } from "../command.js";
import { formatDuration } from "../durations.js";
import { exitCodes } from "../exit-codes.js";
import { reachRunning } from "../reach.js";

export const ping: Command = {
  prints: true,
  define() {},
  async run(call) {
    if (call.operands.length > 0) call.misused("ping takes no operands");
    const broker = await reachRunning(call);
    if (broker === undefined) {
      call.output.warn("no broker is running");
      return exitCodes.noBroker;
    }
    try {
      const start = performance.now();
      await broker.ping();
      const ms = performance.now() - start;
      call.output.thing({ ms: Math.round(ms * 1000) / 1000 }, () => [formatDuration(ms)]);
      return exitCodes.ok;
    } finally {
      await broker.close();
    }
  },
};
