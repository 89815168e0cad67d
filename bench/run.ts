/**
 * `npm run bench [-- NAME…] [--seconds N]`: asks the named questions, or all, one after the other on one stage, and
 * prints the answers. Ratios hold within a run; absolute figures belong to the machine.
 */
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import * as decisions from "./decisions.bench.js";
import * as handover from "./handover.bench.js";
import * as pairs from "./pairs.bench.js";
import * as reads from "./reads.bench.js";
import { Stage } from "./stage.js";
import * as start from "./start.bench.js";
import * as writes from "./writes.bench.js";

const benches = { decisions, start, writes, reads, pairs, handover } as const;
const names = Object.keys(benches) as (keyof typeof benches)[];

const { values, positionals } = parseArgs({
  options: { seconds: { type: "string", default: "4" } },
  allowPositionals: true,
});
const seconds = Number(values.seconds);
if (!(seconds > 0)) throw new RangeError(`--seconds takes a positive number, not ${values.seconds}`);
const unknown = positionals.filter((name) => !names.some((known) => known === name));
if (unknown.length > 0)
  throw new RangeError(`there is no benchmark ${unknown.join(", ")}; there are ${names.join(", ")}`);
const chosen = positionals.length === 0 ? names : names.filter((name) => positionals.includes(name));

const print = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

print(
  `${cpus().length} × ${cpus()[0]?.model ?? "CPU"}, Node ${process.version}, ${process.platform}; ${seconds} s a measurement`,
);
const stage = await Stage.open(seconds);
try {
  for (const name of chosen) {
    print(`\n${name}: ${benches[name].question}\n`);
    await benches[name].run(stage, print);
  }
} finally {
  await stage.close();
}
