/** How many acquire+release pairs on names of their own, beside two bare echoes each and beside the peers? */
import type { Contestant } from "../crew/order.js";
import { best, contest, names } from "../report/contest.js";
import type { Report } from "../report/report.js";
import type { Stage } from "../stage.js";
import { lockPeers } from "./lock-peers.js";

const servers = lockPeers.filter((who) => who !== "proper-lockfile" && who !== "flock");

export const question = "acquire + release on distinct names";

const connections = { label: "1 process, 16 connections", processes: 1, connections: 16 };
const sizes = [
  ...[1, 16, 64].map((processes) => ({ label: `${processes} clients`, processes, connections: 1 })),
  connections,
];

export async function run(stage: Stage, report: Report): Promise<void> {
  const { standings, text } = await contest(stage, {
    work: "pairs",
    sizes,
    // For locks that are files a connection is nothing.
    contestants: (size) => ["echo", "broker", ...(size === connections ? servers : lockPeers)],
    beside: "echo",
    echoBytes: 100,
    unit: "pairs",
  });
  report.print(text);
  const rateOf = (who: Contestant) => standings.get("16 clients", who)?.rate;
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
  const ofOne = (who: Contestant) => standings.get(connections.label, who)?.rate ?? 0;
  report.atLeast(`pairs of ${connections.label}, beside the bare echo`, ofOne("broker") / ofOne("echo"), 0.7);
}
