/** `holdfast stop`: ends the broker in good order and waits until it is gone. Starts none, not even to stop it. */
import { type Command, optionsOf } from "../command.js";
import { formatDuration, parseDuration } from "../durations.js";
import { endBroker } from "../end-broker.js";
import { exitCodes } from "../exit-codes.js";
import { reachRunning } from "../reach.js";

export const stop: Command = {
  prints: false,
  define(parser) {
    parser.option("-w, --wait <time>", "how long to wait for its end: 30 (seconds), 500ms, 2m", "60s");
  },

  async run(call) {
    const { wait } = optionsOf<{ wait: string }>(call);
    if (call.operands.length > 0) call.misused("stop takes no operands");
    const patienceMs = parseDuration(wait);
    if (patienceMs === undefined) return call.misused(`"${wait}" is not a length of time: 30 (seconds), 500ms, 2m`);
    const broker = await reachRunning(call);
    if (broker === undefined) {
      call.output.comment("holdfast: no broker was running");
      return exitCodes.noBroker;
    }
    const start = performance.now();
    if (await endBroker(broker, patienceMs)) {
      call.output.comment(`stopped after ${formatDuration(performance.now() - start)}`);
      return exitCodes.ok;
    }
    call.output.warn(
      `the broker has been told to stop, and is still busy after ${formatDuration(patienceMs)}; holdfast logs may tell why`,
    );
    return exitCodes.refused;
  },
};
