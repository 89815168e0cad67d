/** What do sessions that do nothing cost those who work, and the broker's memory? */
import { closeAll, openMany } from "../crew/raw-session.js";
import { memoryBytesOf } from "../crew/usage.js";
import { median } from "../report/contest.js";
import type { Report } from "../report/report.js";
import { rate, ratio, table } from "../report/table.js";
import type { Stage } from "../stage.js";

const idle = 10_000;
const trials = 3;
const limits = { connectionsMax: 20_000, sessionsMax: 20_000 };

export const question = `pairs of 16 clients beside ${rate(idle)} idle sessions, and the memory of the broker's front`;

export async function run(stage: Stage, report: Report): Promise<void> {
  const own = await stage.own({ limits });
  const pairs = async () => {
    const rates: number[] = [];
    for (let i = 0; i < trials; i++)
      rates.push((await stage.run({ who: "broker", work: "pairs", processes: 16, connections: 1, broker: own })).rate);
    return median(rates);
  };
  const resident = () => memoryBytesOf(own.broker.pid, "VmRSS") ?? Number.NaN;
  const alone = await pairs();
  const before = resident();
  const sessions = await openMany(own.broker.socket, stage.many(idle));
  const beside = await pairs();
  const after = resident();
  await closeAll(sessions);
  await stage.end(own);
  report.print(
    table(
      ["idle sessions", "pairs/s", "× without", "front MiB"],
      [
        ["0", rate(alone), "1.00", (before / 2 ** 20).toFixed(0)],
        [rate(sessions.length), rate(beside), ratio(beside, alone), (after / 2 ** 20).toFixed(0)],
      ],
    ),
  );
  report.atMost("memory of an idle session", (after - before) / sessions.length / 1024, 16, " KiB");
}
