/** The long run of torture: round after round, until its time is over or a round contradicts itself. */
import { Home, type Life } from "../support/broker.js";
import { contradictions } from "./judge.js";
import { Workload } from "./workload.js";

const operations = 4000;
const kills = 9;

/** Gives what is wrong, and what was done in words. */
export async function consistencyRun(life: Life, minutes: number): Promise<{ wrong: string[]; summary: string }> {
  const seed = Math.floor(performance.now() * 1000) % 2 ** 32;
  const workload = await Workload.start(new Home(life), seed);
  const until = performance.now() + minutes * 60_000;
  const total = { rounds: 0, operations: 0, unknown: 0, writerKills: 0, brokerKills: 0 };
  let wrong: string[] = [];
  do {
    const { history, writerKills, brokerKills } = await workload.round({ operations, kills });
    wrong = contradictions(history);
    total.rounds++;
    total.operations += history.operations.length;
    total.unknown += history.operations.filter(({ outcome }) => outcome === "unknown").length;
    total.writerKills += writerKills;
    total.brokerKills += brokerKills;
  } while (wrong.length === 0 && performance.now() < until);
  const found = wrong.length === 0 ? "one order explains each round" : "no order explains the last round";
  const summary =
    `consistency, seed ${seed}: ${total.rounds} rounds, ${total.operations} operations, ${total.unknown} of unknown outcome, ` +
    `${total.writerKills} kills of the writer, ${total.brokerKills} of the broker; ${found}`;
  return { wrong, summary };
}
