/**
 * npm run torture -- --locks [--rounds N]     contenders for locks and their broker, stopped and killed at random, for long
 */
import { parseArgs } from "node:util";
import { Home, type Life } from "../support/broker.js";
import { Chaos, summary } from "./chaos.js";

const { values } = parseArgs({
  options: { locks: { type: "boolean", default: true }, rounds: { type: "string", default: "200" } },
});
const lasts: (() => void | Promise<void>)[] = [];
const life: Life = { after: (clean) => lasts.push(clean) };

try {
  const report = await new Chaos(life, new Home(life)).run(Number(values.rounds));
  for (const error of report.contradictions) process.stdout.write(`${error}\n`);
  process.stdout.write(`${summary(report)}\n`);
  if (report.contradictions.length > 0) process.exitCode = 1;
} finally {
  for (const clean of lasts) await clean();
}
