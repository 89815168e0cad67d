/** Lives on several threads at once. Which thread lives which does not matter: what they come to is the same. */
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { joined, liveMany, type Seeds, type Tally } from "./tally.js";

const chunk = 100;
/** Most of what a life makes is gone with it: a large nursery is cheaper than to look after its survivors. */
const nurseryMb = 64;

/** Told how many lives are over, and which of the last ones failed; `false`: no more are begun. */
export type Progress = (done: number, failures: Tally["failures"]) => boolean;

/** `jobs` threads share the seeds. Ends early when too many lives have failed, or it was told to. */
export async function liveAll(
  { from, count, failuresMax = 20 }: Seeds,
  jobs: number,
  progress: Progress = () => true,
): Promise<Tally> {
  const tallies: Tally[] = [];
  const end = from + count;
  let next = from;
  let done = 0;
  let failures = 0;
  let goesOn = true;
  await Promise.all(
    Array.from({ length: jobs }, async () => {
      const worker = new Worker(fileURLToPath(import.meta.url), {
        resourceLimits: { maxYoungGenerationSizeMb: nurseryMb },
      });
      try {
        while (goesOn && next < end && failures < failuresMax) {
          const seeds = { from: next, count: Math.min(chunk, end - next), failuresMax };
          next += seeds.count;
          const tally = await answered(worker, seeds);
          tallies.push(tally);
          failures += tally.failures.length;
          done += tally.seeds;
          goesOn = progress(done, tally.failures) && goesOn;
        }
      } finally {
        await worker.terminate();
      }
    }),
  );
  return joined(tallies);
}

async function answered(worker: Worker, seeds: Seeds): Promise<Tally> {
  const answer = once(worker, "message") as Promise<[Tally]>;
  worker.postMessage(seeds);
  const [tally] = await answer;
  return tally;
}

if (!isMainThread) parentPort?.on("message", (seeds: Seeds) => parentPort?.postMessage(liveMany(seeds)));
