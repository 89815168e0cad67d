/** Ten thousand wait for one name: what does it cost to join them, and does a hand-over depend on how many there are? */
import { closeAll, openMany, type RawSession } from "../crew/raw-session.js";
import type { Report } from "../report/report.js";
import { rate, ratio, table } from "../report/table.js";
import type { Stage } from "../stage.js";

const sessions = 100;
const perSession = 100;

export const question = `${rate(sessions * perSession)} waiters on one name: joining the queue, and hand-overs to its end`;

export async function run(stage: Stage, report: Report): Promise<void> {
  const own = await stage.own();
  const crowd = await openMany(own.broker.socket, stage.many(sessions));
  const count = crowd.length * perSession;
  const [holder] = await openMany(own.broker.socket, 1);
  if (holder === undefined) throw new Error("nobody holds the lock");
  const held = await holder.acquire("wanted");
  const begun = performance.now();
  const drained = wait(crowd);
  while ((await own.admin.status()).locks.waiting < count) await own.admin.ping();
  const queued = performance.now();
  await holder.release(held);
  const times = await drained;
  await closeAll([...crowd, holder]);
  await stage.end(own);
  const speed = (from: number, to: number) => (to - from) / (((times[to - 1] ?? 0) - (times[from] ?? 0)) / 1000);
  const part = count / 5;
  const first = speed(0, part);
  const last = speed(count - part, count);
  report.print(
    table(
      ["", "per second"],
      [
        ["requests that join the queue", rate(count / ((queued - begun) / 1000))],
        [`hand-overs with ${rate(count)} to ${rate(count - part)} waiting`, rate(first)],
        [`hand-overs with ${rate(part)} to 0 waiting`, rate(last)],
        ["as a share of these", ratio(first, last)],
      ],
    ),
  );
}

/** Each gives the lock back as soon as it has it. Answers when each had it, in order. */
async function wait(crowd: readonly RawSession[]): Promise<readonly number[]> {
  const times: number[] = [];
  const one = async (session: RawSession) => {
    const grant = await session.acquire("wanted");
    times.push(performance.now());
    await session.release(grant);
  };
  await Promise.all(Array.from({ length: perSession }, () => crowd.map(one)).flat());
  return times;
}
