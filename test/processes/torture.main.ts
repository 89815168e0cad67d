/**
 * npm run torture -- --locks [--rounds N]            contenders for locks and their broker, stopped and killed at random, for long
 * npm run torture -- --consistency [--minutes N]     programs that write and read, their broker killed on the way, judged as one order
 */
import { parseArgs } from "node:util";
import { consistencyRun } from "../consistency/long-run.js";
import { Home, type Life } from "../support/broker.js";
import { Chaos, summary } from "./chaos.js";

const { values } = parseArgs({
  options: {
    locks: { type: "boolean", default: false },
    rounds: { type: "string", default: "200" },
    consistency: { type: "boolean", default: false },
    minutes: { type: "string", default: "5" },
  },
});
const lasts: (() => void | Promise<void>)[] = [];
const life: Life = { after: (clean) => lasts.push(clean) };

async function locks(): Promise<{ wrong: readonly string[]; summary: string }> {
  const report = await new Chaos(life, new Home(life)).run(Number(values.rounds));
  return { wrong: report.contradictions, summary: summary(report) };
}

try {
  const told = values.consistency ? await consistencyRun(life, Number(values.minutes)) : await locks();
  for (const error of told.wrong) process.stdout.write(`${error}\n`);
  process.stdout.write(`${told.summary}\n`);
  if (told.wrong.length > 0) process.exitCode = 1;
} finally {
  for (const clean of lasts) await clean();
}
