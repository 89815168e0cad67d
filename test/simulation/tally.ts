/** Many lives, one after the other, and what they come to together. */
import { addCounts, type Counts } from "./coverage.js";
import { LifeFailure, live } from "./swarm.js";
import { without } from "./throwers.js";
import { TraceSum } from "./trace.js";

export interface Tally {
  seeds: number;
  events: number;
  /** The hash of all traces. */
  hash: string;
  counts: Counts;
  /** In which seed each of them was counted first. */
  firsts: Counts;
  failures: { readonly seed: number; readonly message: string }[];
}

export interface Seeds {
  readonly from: number;
  readonly count: number;
  /** With so many failures it is enough. */
  readonly failuresMax?: number;
}

export function liveMany(seeds: Seeds): Tally {
  return without(() => liveEach(seeds));
}

function liveEach({ from, count, failuresMax = 20 }: Seeds): Tally {
  const tally: Tally = { seeds: 0, events: 0, hash: "0", counts: {}, firsts: {}, failures: [] };
  const sum = new TraceSum();
  for (let seed = from; seed < from + count && tally.failures.length < failuresMax; seed++) {
    tally.seeds++;
    try {
      const { events, hash, counts } = live(seed);
      tally.events += events;
      sum.add(seed, hash);
      addCounts(tally.counts, counts);
      for (const what of Object.keys(counts)) tally.firsts[what] ??= seed;
    } catch (error) {
      if (!(error instanceof LifeFailure)) throw error;
      tally.failures.push({ seed, message: error.message });
    }
  }
  tally.hash = sum.hash;
  return tally;
}

export function joined(tallies: readonly Tally[]): Tally {
  const sum = new TraceSum();
  const all: Tally = { seeds: 0, events: 0, hash: "", counts: {}, firsts: {}, failures: [] };
  for (const { seeds, events, hash, counts, firsts, failures } of tallies) {
    all.seeds += seeds;
    all.events += events;
    sum.merge(hash);
    addCounts(all.counts, counts);
    for (const [what, seed] of Object.entries(firsts)) all.firsts[what] = Math.min(all.firsts[what] ?? seed, seed);
    all.failures.push(...failures);
  }
  all.hash = sum.hash;
  return all;
}
