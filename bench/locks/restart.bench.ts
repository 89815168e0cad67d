/** The broker is killed with SIGKILL while many locks are held: how long until a lock is granted again? */
import { kill, startHolder } from "../crew/holder.js";
import { median } from "../report/contest.js";
import type { Report } from "../report/report.js";
import { rate, table } from "../report/table.js";
import type { Stage } from "../stage.js";

const sessions = 10;
const perSessionMost = 10_000;
const rounds = 3;

export const question = `from SIGKILL of the broker, while ${rate(sessions * perSessionMost)} locks are held, to the first grant`;

export async function run(stage: Stage, report: Report): Promise<void> {
  const own = await stage.own();
  const dir = own.broker.dir;
  const perSession = stage.many(perSessionMost);
  const holder = await startHolder({ kind: "many", dir, sessions, perSession });
  const grants: number[] = [];
  const rows: string[][] = [];
  for (let i = 0; i < stage.many(rounds); i++) {
    const begun = performance.now();
    process.kill(own.broker.pid, "SIGKILL");
    // A client that was connected before: it notices, starts the broker, comes back, and asks.
    const lock = await own.admin.acquire(`after/${i}`);
    const granted = performance.now() - begun;
    while ((await own.admin.status()).sessions <= sessions) await own.admin.ping();
    await lock.release();
    const { held } = (await own.admin.status()).locks;
    grants.push(granted);
    rows.push([`round ${i + 1}`, granted.toFixed(0), rate(held)]);
  }
  await kill(holder);
  await stage.end(own);
  report.print(table(["", "first grant ms", "held after"], rows));
  report.atMost("recovery of 100,000 locks to the first grant, median", median(grants), 1000, " ms");
}
