/** How long from nothing to the first answer, when a program needs a broker and none runs? */
import { ephemeralBroker } from "../src/client/testing.js";
import { Histogram } from "./crew/histogram.js";
import { ms, table } from "./report/table.js";
import { bundledFront, type Stage } from "./stage.js";

const rounds = 15;

export const question = "start on demand: from spawning the broker to its first answer";

export async function run(_stage: Stage, print: (text: string) => void): Promise<void> {
  const times = new Histogram();
  for (let i = 0; i < rounds; i++) {
    const begun = performance.now();
    const broker = await ephemeralBroker({ entry: bundledFront });
    const client = await broker.connect();
    await client.get("select 1");
    times.add((performance.now() - begun) * 1000);
    await client.close();
    await broker.stop();
  }
  print(
    table(
      ["", "median ms", "p90 ms", "max ms"],
      [[`${rounds} cold starts`, ms(times.at(0.5)), ms(times.at(0.9)), ms(times.maxUs)]],
    ),
  );
}
