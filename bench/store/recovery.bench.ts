/** The broker is killed with SIGKILL while its log is long: how long until it answers again? */
import { note } from "../crew/connection.js";
import { median } from "../report/contest.js";
import type { Report } from "../report/report.js";
import { table } from "../report/table.js";
import type { Own, Stage } from "../stage.js";

const MiB = 2 ** 20;
const walBytes = 64 * MiB;
const rounds = 3;
/** Beyond what is measured, so that the log is not folded before. */
const limits = { walBytesMax: 512 * MiB };
const blockRows = 2000;
const block = `with recursive n(i) as (select 1 union all select i + 1 from n where i < ${blockRows}) insert into written (note) select hex(randomblob(200)) || '${note}' from n`;
/** Keeps a snapshot open, so that the log cannot begin anew. */
const forEver = "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n, stock";

export const question = "from SIGKILL of the broker with a log of 64 MiB to the next answer";

export async function run(stage: Stage, report: Report): Promise<void> {
  const rows: string[][] = [];
  const times: number[] = [];
  for (let i = 0; i < stage.many(rounds); i++) {
    const own = await stage.own({ limits });
    const bytes = await fill(own, stage.many(walBytes));
    const begun = performance.now();
    process.kill(own.broker.pid, "SIGKILL");
    await own.admin.execute("insert into written (n) values (1)");
    const took = performance.now() - begun;
    times.push(took);
    rows.push([`round ${i + 1}`, (bytes / MiB).toFixed(0), took.toFixed(0)]);
    await stage.end(own);
  }
  report.print(table(["", "log MiB", "next durable write ms"], rows));
  report.print(`median: ${median(times).toFixed(0)} ms`);
}

async function fill({ broker, admin }: Own, bytesLeast: number): Promise<number> {
  const other = await broker.connect({ start: false });
  other.get(forEver, [], { timeoutMs: 120_000 }).catch(() => {}); // Ended by the kill.
  let bytes = 0;
  while (bytes < bytesLeast) {
    await admin.execute(block);
    bytes = (await admin.status()).database.walBytes;
  }
  other.detach();
  return bytes;
}
