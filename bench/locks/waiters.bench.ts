/** Ten thousand wait for one name: what does it cost to join them, and does a hand-over depend on how many there are? */
import { closeAll, openMany, type RawSession } from "../crew/raw-session.js";
import { median } from "../report/contest.js";
import type { Report } from "../report/report.js";
import { rate, ratio, table } from "../report/table.js";
import type { Own, Stage } from "../stage.js";

const sessions = 100;
const perSession = 100;

export const question = `${rate(sessions * perSession)} waiters on one name: joining the queue, and hand-overs to its end`;

export async function run(stage: Stage, report: Report): Promise<void> {
  const own = await stage.own();
  const crowd = await openMany(own.broker.socket, stage.many(sessions));
  const [holder] = await openMany(own.broker.socket, 1);
  if (holder === undefined) throw new Error("nobody holds the lock");
  const drain = (each: number) => drained({ own, crowd, holder, each });
  const [most, least] = [perSession, perSession / 100];
  await drain(most / 5); // Code that has just been loaded runs slower.
  const many = await drain(most);
  const few: Drained[] = [];
  for (let i = 0; i < 20; i++) few.push(await drain(least));
  const handovers = median(few.map((one) => one.handovers));
  await closeAll([...crowd, holder]);
  await stage.end(own);
  const [largest, smallest] = [rate(most * crowd.length), rate(least * crowd.length)];
  report.print(
    table(
      ["", "per second"],
      [
        [`requests that join the queue, up to ${largest}`, rate(many.joined)],
        [`hand-overs, from ${largest} waiting to none`, rate(many.handovers)],
        [`hand-overs, from ${smallest} waiting to none`, rate(handovers)],
        ["the former as a share of the latter", ratio(many.handovers, handovers)],
      ],
    ),
  );
}

interface Drained {
  readonly joined: number;
  readonly handovers: number;
}

/** `each` requests of each session join the queue; then each gives the lock back as soon as it has it. Per second. */
async function drained(it: {
  own: Own;
  crowd: readonly RawSession[];
  holder: RawSession;
  each: number;
}): Promise<Drained> {
  const { own, crowd, holder, each } = it;
  const count = crowd.length * each;
  const held = await holder.acquire("wanted");
  const begun = performance.now();
  const one = async (session: RawSession) => {
    const grant = await session.acquire("wanted");
    await session.release(grant);
  };
  const over = Promise.all(Array.from({ length: each }, () => crowd.map(one)).flat());
  while ((await own.admin.status()).locks.waiting < count) await own.admin.ping();
  const queued = performance.now();
  await holder.release(held);
  await over;
  const perSecond = (sinceMs: number, untilMs: number) => count / ((untilMs - sinceMs) / 1000);
  return { joined: perSecond(begun, queued), handovers: perSecond(queued, performance.now()) };
}
