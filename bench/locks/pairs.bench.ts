/** How many acquire+release pairs on names of their own, beside two bare echoes each and beside the peers? */
import { best, contest, names } from "../report/contest.js";
import type { Report } from "../report/report.js";
import type { Stage } from "../stage.js";
import { lockPeers } from "./lock-peers.js";

export const question = "acquire + release on distinct names";

const sizes = [1, 16, 64].map((processes) => ({ label: `${processes} clients`, processes, connections: 1 }));

export async function run(stage: Stage, report: Report): Promise<void> {
  const { standings, text } = await contest(stage, {
    work: "pairs",
    sizes,
    contestants: () => ["echo", "broker", ...lockPeers],
    beside: "echo",
    echoBytes: 100,
    unit: "pairs",
  });
  report.print(text);
  const rateOf = (who: Parameters<typeof standings.get>[1]) => standings.get("16 clients", who)?.rate;
  const [broker = 0, echo = 0] = [rateOf("broker"), rateOf("echo")];
  const peer = best(lockPeers, rateOf);
  if (peer !== undefined)
    report.atLeast(
      `pairs of 16 clients, beside the best peer (${names[peer.who]})`,
      broker / peer.figure,
      1.5,
      " times",
    );
  report.atLeast("pairs of 16 clients, beside the bare echo", broker / echo, 0.7);
}
