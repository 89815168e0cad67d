/**
 * How often does one contended name change hands? Only when it comes to another client than the one who had it last does
 * it count: who asks again and again and has it again and again hands nothing over.
 */
import type { Contestant } from "../crew/order.js";
import { best, contest, names } from "../report/contest.js";
import type { Report } from "../report/report.js";
import { rate } from "../report/table.js";
import type { Measured, Stage } from "../stage.js";
import { lockPeers } from "./lock-peers.js";

export const question = "hand-over of one contended name";

const sizes = [2, 16, 64].map((processes) => ({ label: `${processes} clients`, processes, connections: 1 }));

/** Echoes change no hands: they are as many messages as a hand-over takes. */
const rateOf = (it: Measured) => (it.changesRate === 0 ? it.rate : it.changesRate);

export async function run(stage: Stage, report: Report): Promise<void> {
  const { standings, text } = await contest(stage, {
    work: "handover",
    sizes,
    contestants: () => ["echo", "broker", ...lockPeers],
    beside: "echo",
    echoBytes: 100,
    unit: "hand-overs",
    rateOf,
    extra: { head: "acquired/s", cell: (it) => rate(it.rate) },
  });
  report.print(text);
  report.print("p50, p99 and max are the wait for the lock; of the echo, both messages.");
  for (const { label } of sizes) {
    const figure = (of: (it: Measured) => number) => (who: Contestant) => {
      const it = standings.get(label, who);
      return it === undefined ? undefined : of(it);
    };
    compare(report, `hand-overs among ${label}`, figure(rateOf));
    compare(
      report,
      `acquisitions of the contended name by ${label}`,
      figure((it) => it.rate),
    );
  }
}

function compare(report: Report, what: string, figure: (who: Contestant) => number | undefined): void {
  const peer = best(lockPeers, figure);
  if (peer === undefined) return;
  report.atLeast(
    `${what}, beside the best peer (${names[peer.who]})`,
    (figure("broker") ?? 0) / peer.figure,
    2,
    " times",
  );
}
