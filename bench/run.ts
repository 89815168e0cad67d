/**
 * `npm run bench [-- WORD…] [--seconds N] [--warm N] [--peers] [--quick]`: asks the named questions, or all, one after the other on one stage,
 * and prints the answers. A word is a group of questions, or a question. Ratios hold within a run; absolute figures belong to
 * the machine. `--peers` installs the packages of those that the broker is measured beside; `--quick` is for those who
 * change a benchmark.
 */
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import type { Contestant } from "./crew/order.js";
import * as decisions from "./decisions.bench.js";
import * as deaths from "./locks/deaths.bench.js";
import * as handover from "./locks/handover.bench.js";
import * as held from "./locks/held.bench.js";
import * as idle from "./locks/idle.bench.js";
import { lockPeers } from "./locks/lock-peers.js";
import * as pairs from "./locks/pairs.bench.js";
import * as restart from "./locks/restart.bench.js";
import * as spread from "./locks/spread.bench.js";
import * as waiters from "./locks/waiters.bench.js";
import { install } from "./peers/packages.js";
import { whyMissing } from "./peers/peers.js";
import { names } from "./report/contest.js";
import { Report } from "./report/report.js";
import { Stage } from "./stage.js";
import * as endless from "./store/endless.bench.js";
import * as flood from "./store/flood.bench.js";
import * as guards from "./store/guards.bench.js";
import * as mixed from "./store/mixed.bench.js";
import * as reads from "./store/reads.bench.js";
import * as recovery from "./store/recovery.bench.js";
import * as rows from "./store/rows.bench.js";
import * as start from "./store/start.bench.js";
import * as stream from "./store/stream.bench.js";
import * as writes from "./store/writes.bench.js";

interface Bench {
  readonly question: string;
  readonly run: (stage: Stage, report: Report) => Promise<void>;
}

interface Group {
  readonly benches: { readonly [name: string]: Bench };
  readonly peers: readonly Contestant[];
}

const groups: { readonly [name: string]: Group } = {
  core: { benches: { decisions }, peers: [] },
  locks: { benches: { pairs, handover, spread, held, idle, waiters, deaths, restart }, peers: lockPeers },
  store: {
    benches: { writes, reads, rows, stream, mixed, flood, endless, guards, start, recovery },
    peers: ["postgres", "redis"],
  },
};

const { values, positionals: words } = parseArgs({
  options: {
    seconds: { type: "string", default: "1.2" },
    warm: { type: "string", default: "15" },
    peers: { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
  },
  allowPositionals: true,
});
const seconds = Number(values.seconds);
if (!(seconds > 0)) throw new RangeError(`--seconds takes a positive number, not ${values.seconds}`);
const warmSeconds = Number(values.warm);
if (!(warmSeconds > 0)) throw new RangeError(`--warm takes a positive number of seconds, not ${values.warm}`);
const all = Object.entries(groups).flatMap(([group, { benches }]) =>
  Object.entries(benches).map(([name, bench]) => ({ group, name, bench })),
);
const known = new Set(all.flatMap(({ group, name }) => [group, name]));
const unknown = words.filter((word) => !known.has(word));
if (unknown.length > 0)
  throw new RangeError(`there is no benchmark ${unknown.join(", ")}; there are ${[...known].join(", ")}`);
// `locks pairs` is only the one; `locks` is all of them; nothing is everything.
const named = all.filter(({ name }) => words.includes(name));
const ofGroups = all.filter(({ group }) => words.length === 0 || words.includes(group));
const chosen = named.length > 0 ? named : ofGroups;

const report = new Report((text) => process.stdout.write(text));
const machine = `${cpus().length} × ${cpus()[0]?.model ?? "CPU"}, Node ${process.version}, ${process.platform}`;
const times = `${seconds} s a measurement, after 10,000 operations of each process or ${warmSeconds} s`;
report.print(`${machine}; ${times}; clients, broker and peers share the processors`);
if (values.quick) report.print("quick: a hundredth of everything and two processes; only to see that it works");
if (values.peers) install();
for (const who of new Set(chosen.flatMap(({ group }) => groups[group]?.peers ?? []))) {
  const missing = whyMissing(who);
  if (missing !== undefined) report.print(`MISSING ${names[who]}: ${missing}`);
}
// Each server that is started has one for "exit", and Node warns of the eleventh.
process.setMaxListeners(32);
// Whoever is ended by a signal takes what it has started with it: see the listeners of "exit".
for (const [signal, exitCode] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const)
  process.once(signal, () => process.exit(exitCode));
const stage = new Stage({ seconds, warmSeconds, quick: values.quick });
try {
  for (const { name, bench } of chosen) {
    report.print(`\n${name}: ${bench.question}\n`);
    await bench.run(stage, report);
  }
} finally {
  await stage.close();
}
report.targets();
