/** How fast do a million rows go to a program, and how much memory does that take, in every process? */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Contestant } from "../crew/order.js";
import type { StreamOrder, StreamOutcome } from "../crew/streamer.main.js";
import { memoryBytesOf, treeOf } from "../crew/usage.js";
import { openDirect } from "../floor/direct.js";
import { openPostgres } from "../peers/postgres-work.js";
import { median, names } from "../report/contest.js";
import type { Report } from "../report/report.js";
import { rate, ratio, table } from "../report/table.js";
import type { Own, Stage } from "../stage.js";

const rowsMost = 1_000_000;
const rounds = 3;
const note = "'a note of about this length, to event ' || i";
const schema = "create table event (id integer primary key, member integer, note text)";
const fill = (rows: number) =>
  `with recursive n(i) as (select 1 union all select i + 1 from n where i < ${rows}) insert into event select i, i % 64, ${note} from n`;
const streamer = fileURLToPath(new URL("../crew/streamer.main.js", import.meta.url));

export const question = `a stream of ${rate(rowsMost)} rows, as objects, one by one`;

interface Peak {
  readonly label: string;
  readonly bytes: number;
}

export async function run(stage: Stage, report: Report): Promise<void> {
  const rows = stage.many(rowsMost);
  const own = await stage.own();
  await own.admin.script(schema);
  await own.admin.execute(fill(rows), [], { timeoutMs: 120_000 });
  const direct = openDirect(stage.places.database);
  for (const sql of ["drop table if exists event", schema, fill(rows)]) direct.exec(sql);
  direct.close();
  const contestants: Contestant[] = ["sqlite", "broker"];
  if (!stage.isMissing("postgres")) {
    contestants.push("postgres");
    await fillPostgres(stage, rows);
  }
  const lines: string[][] = [];
  const rates = new Map<Contestant, number>();
  for (const who of contestants) {
    const outcomes: StreamOutcome[] = [];
    for (let i = 0; i < stage.many(rounds); i++) outcomes.push(await streamed(stage, who, own));
    if (outcomes.some((one) => one.rows !== rows)) throw new Error(`${names[who]} did not give all rows`);
    const speed = median(outcomes.map((one) => one.rows / (one.totalMs / 1000)));
    rates.set(who, speed);
    const client = { label: "client", bytes: median(outcomes.map((one) => one.peakBytes)) };
    lines.push([
      names[who],
      rate(speed),
      ratio(speed, rates.get("sqlite") ?? Number.NaN),
      median(outcomes.map((one) => one.firstMs)).toFixed(1),
      [client, ...(who === "broker" ? await peaksOf(own) : [])].map(shown).join(", "),
    ]);
  }
  await stage.end(own);
  report.print(table(["", "rows/s", "× in process", "first row ms", "most memory of each process, MiB"], lines));
}

async function streamed(stage: Stage, who: Contestant, own: Own): Promise<StreamOutcome> {
  const child = fork(streamer, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const order: StreamOrder = { who, places: stage.placesWith(who === "broker" ? own : undefined) };
  child.send(order);
  const exit = once(child, "exit");
  const [outcome] = await Promise.race([
    once(child, "message"),
    exit.then(([code]) => {
      throw new Error(`the reader of the stream ended with ${String(code)}`);
    }),
  ]);
  await exit;
  return outcome as StreamOutcome;
}

/** Those that have ended are not seen; the broker keeps the process of a stream for the next. */
async function peaksOf({ broker, admin }: Own): Promise<Peak[]> {
  const roles = new Map((await admin.status()).processes.map(({ pid, role }) => [pid, String(role)]));
  return treeOf(broker.pid)
    .map((pid) => ({ label: roles.get(pid) ?? "other", bytes: memoryBytesOf(pid, "VmHWM") ?? Number.NaN }))
    .sort((a, b) => a.label.localeCompare(b.label));
}

function shown({ label, bytes }: Peak): string {
  return `${label} ${(bytes / 2 ** 20).toFixed(0)}`;
}

async function fillPostgres(stage: Stage, rows: number): Promise<void> {
  await stage.peers.processesOf("postgres");
  const client = await openPostgres(stage.places.postgresDir);
  await client.query(schema);
  await client.query(`insert into event select i, i % 64, ${note} from generate_series(1, ${rows}) as i`);
  await client.query("analyze event");
  await client.end();
}
