/** A holder is killed with SIGKILL: how long until the next one has the lock? */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { Histogram } from "../crew/histogram.js";
import { startHolder } from "../crew/holder.js";
import type { Contestant, Order } from "../crew/order.js";
import { openLocker } from "../crew/workloads.js";
import { names } from "../report/contest.js";
import type { Report } from "../report/report.js";
import { ms, table } from "../report/table.js";
import type { Stage } from "../stage.js";

const rounds = 15;
/** The next one surely waits by then. */
const queuedMs = 30;

export const question = "from SIGKILL of a holder to the next grant";

export async function run(stage: Stage, report: Report): Promise<void> {
  const rows: string[][] = [];
  for (const who of ["broker", "live-mutex", "postgres"] as const) {
    if (stage.isMissing(who)) continue;
    const times = await deaths(stage, who);
    rows.push([names[who], ms(times.at(0.5)), ms(times.at(0.9)), ms(times.maxUs)]);
  }
  report.print(table(["", "median ms", "p90 ms", "max ms"], rows));
  report.print(
    "Redis (both) and proper-lockfile cannot tell: there the next one waits for the end of the lease, by their own standards 10 s and more.",
  );
}

async function deaths(stage: Stage, who: Contestant): Promise<Histogram> {
  const times = new Histogram();
  await stage.peers.processesOf(who);
  const places = stage.placesWith(who === "broker" ? await stage.common() : undefined);
  const order: Order = {
    ...{ who, work: "pairs", places, member: 0, connections: 1 },
    ...{ warmOperations: 0, warmMsMin: 0, warmMsMax: 0, seconds: 0, echoBytes: 0 },
  };
  const next = await openLocker(who)(order, 0);
  for (let i = 0; i < stage.many(rounds); i++) {
    const name = `death-${i}`;
    const holder = await startHolder({ kind: "one", order, name });
    const waiting = next.lock(name);
    await sleep(queuedMs);
    const begun = performance.now();
    const exit = once(holder, "exit");
    holder.kill("SIGKILL");
    const unlock = await waiting;
    times.add((performance.now() - begun) * 1000);
    await unlock();
    await exit;
  }
  await next.close();
  return times;
}
