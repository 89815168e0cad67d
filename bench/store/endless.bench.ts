/** Statements that never end, beside a canary: what does it feel? */
import type { Broker } from "../../src/client/index.js";
import { note, statements } from "../crew/connection.js";
import { Histogram } from "../crew/histogram.js";
import type { Report } from "../report/report.js";
import { ms, table } from "../report/table.js";
import type { Stage } from "../stage.js";

/** More than there are readers from the beginning. */
const endless = 4;
const seconds = 3;
const forEver = "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n";

export const question = `a canary beside ${endless} reads that never end (ended by their time limit, asked again at once)`;

export async function run(stage: Stage, report: Report): Promise<void> {
  const own = await stage.common();
  const [canary, culprit] = [await own.broker.connect(), await own.broker.connect()];
  await feel(canary, 1);
  const alone = await feel(canary, seconds);
  const over = new AbortController();
  let ended = 0;
  const culprits = Array.from({ length: endless }, async () => {
    while (!over.signal.aborted) {
      try {
        await culprit.get(forEver, [], { timeoutMs: 1000, signal: over.signal });
      } catch {
        ended++;
      }
    }
  });
  const beside = await feel(canary, seconds);
  over.abort();
  await Promise.all(culprits);
  await Promise.all([canary.close(), culprit.close()]);
  const rows = [
    ["nobody", ...cells(alone)],
    [`${endless} that never end, ${ended} ended`, ...cells(beside)],
  ];
  report.print(
    table(["beside", ...Object.keys(alone).flatMap((what) => [`${what} p50 ms`, "p99 ms", "max ms"])], rows),
  );
}

async function feel(canary: Broker, forSeconds: number): Promise<{ readonly [what: string]: Histogram }> {
  const felt = { reads: new Histogram(), writes: new Histogram(), locks: new Histogram() };
  const timed = async (into: Histogram, request: () => Promise<unknown>) => {
    const begun = performance.now();
    await request();
    into.add((performance.now() - begun) * 1000);
  };
  const until = performance.now() + forSeconds * 1000;
  for (let n = 0; performance.now() < until; n++) {
    await timed(felt.reads, () => canary.get(statements.read, [n % 1000]));
    await timed(felt.writes, () => canary.execute(statements.write, [-2, n, note]));
    await timed(felt.locks, () => canary.withLock("canary", () => {}));
  }
  return felt;
}

function cells(felt: { readonly [what: string]: Histogram }): string[] {
  return Object.values(felt).flatMap((one) => [one.at(0.5), one.at(0.99), one.maxUs].map(ms));
}
