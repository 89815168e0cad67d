/** What do locks that are held cost those who take others, and the broker's memory? */
import { statSync } from "node:fs";
import { openMany, type RawSession } from "../crew/raw-session.js";
import { memoryBytesOf } from "../crew/usage.js";
import { median } from "../report/contest.js";
import type { Report } from "../report/report.js";
import { microseconds, rate, ratio, table } from "../report/table.js";
import type { Measured, Own, Stage } from "../stage.js";

const counts = [10, 10_000, 1_000_000];
const perSession = 10_000;
/** Asked for at once by one session. */
const inFlight = 1000;
const trials = 3;

export const question = "pairs of 16 clients while so many locks are held, and the memory of the broker's front";

export async function run(stage: Stage, report: Report): Promise<void> {
  const own = await stage.own();
  const sessions: RawSession[] = [];
  const rows: string[][] = [];
  const rates: number[] = [];
  const memory: number[] = [];
  try {
    let held = 0;
    for (const count of counts.map((one) => stage.many(one))) {
      const begun = performance.now();
      sessions.push(...(await openMany(own.broker.socket, Math.ceil(count / perSession) - sessions.length)));
      await hold(sessions, held, count);
      const seconds = (performance.now() - begun) / 1000;
      const taken = rate((count - held) / seconds);
      held = count;
      const measured: Measured[] = [];
      for (let i = 0; i < trials; i++)
        measured.push(await stage.run({ who: "broker", work: "pairs", processes: 16, connections: 1, broker: own }));
      const middle = median(measured.map((it) => it.rate));
      const resident = memoryBytesOf(own.broker.pid, "VmRSS") ?? Number.NaN;
      rates.push(middle);
      memory.push(resident);
      rows.push([
        rate(count),
        taken,
        rate(middle),
        ratio(middle, rates[0] ?? Number.NaN),
        microseconds(median(measured.map(({ serverCpuUs }) => (serverCpuUs?.user ?? 0) + (serverCpuUs?.system ?? 0)))),
        (resident / 2 ** 20).toFixed(0),
        ((await ledgerBytes(own)) / 2 ** 20).toFixed(0),
      ]);
    }
    const head = ["held", "taken/s", "pairs/s", "× with 10", "broker CPU µs", "front MiB", "ledger MiB"];
    report.print(table(head, rows));
    const [few = 0, , many = 0] = rates;
    report.atLeast("pairs with 1,000,000 held locks, beside those with 10", many / few, 0.9);
    const [little = 0, , much = 0] = memory;
    report.atMost("memory of a held lock", (much - little) / stage.many(1_000_000), 600, " bytes");
  } finally {
    await stage.end(own);
  }
}

async function hold(sessions: readonly RawSession[], from: number, to: number): Promise<void> {
  const work = sessions.map(async (session, i) => {
    const last = Math.min(to, (i + 1) * perSession);
    for (let at = Math.max(from, i * perSession); at < last; at += inFlight) {
      const names = Array.from({ length: Math.min(inFlight, last - at) }, (_, n) => `held/${at + n}`);
      await Promise.all(names.map((name) => session.acquire(name)));
    }
  });
  await Promise.all(work);
}

/** With its log. */
async function ledgerBytes({ admin }: Own): Promise<number> {
  const { ledger = "" } = (await admin.status()).places;
  return [ledger, `${ledger}-wal`].reduce(
    (sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0),
    0,
  );
}
