/**
 * npm run mutants [-- WORD…] [--seeds N] [--jobs J] [--thorough]     plants each bug, and tells which tests found it
 * npm run mutants -- --rules [RULE…] [--write] [--thorough]            takes out each rule instead, and tells who noticed
 *
 * With words, only those whose name or file has one of them. `--thorough`: on every rung, not only up to the first that
 * finds it. `--write` puts what was found about the rules into test/RULES-REMOVED.md.
 */
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Found, hunt } from "./hunt.js";
import { mutants } from "./list.js";
import type { Mutant } from "./mutant.js";
import { huntRules } from "./rules-hunt.js";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");
const say = (line: string) => process.stdout.write(`${line}\n`);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: "string", default: "6000" },
    jobs: { type: "string", default: "2" },
    thorough: { type: "boolean", default: false },
    rules: { type: "boolean", default: false },
    write: { type: "boolean", default: false },
  },
});
if (values.rules)
  process.exit(
    (await huntRules(root, { wanted: positionals, write: values.write, thorough: values.thorough, say })) ? 0 : 1,
  );
const options = { seeds: Number(values.seeds), jobs: Number(values.jobs), thorough: values.thorough };
const wanted = mutants.filter(
  ({ name, file }) =>
    positionals.length === 0 || positionals.some((word) => name.includes(word) || file.includes(word)),
);

const began = performance.now();
let survivors = 0;

// The scratch copy as it is must pass: else everything would be found.
for (const { rung, by } of await hunt(undefined, root, { ...options, seeds: 200 })) {
  say(`without a bug, ${rung} fails: ${by}`);
  process.exitCode = 1;
}
if (process.exitCode !== undefined) process.exit();
for (const mutant of wanted) await one(mutant);

async function one(mutant: Mutant): Promise<void> {
  const found = await hunt(mutant, root, options);
  if (found.length === 0) survivors++;
  say(`${found.length === 0 ? "SURVIVES" : "found   "}  ${mutant.name}  [${mutant.rule}, ${mutant.file}]`);
  for (const one of found) say(`            ${line(one)}`);
}

function line({ rung, by, seconds }: Found): string {
  return `${rung.padEnd(10)} ${seconds.toFixed(1).padStart(5)} s  ${by}`;
}

const seconds = ((performance.now() - began) / 1000).toFixed(0);
say(`mutants: ${wanted.length - survivors} of ${wanted.length} found, ${options.seeds} seeds each, ${seconds} s`);
if (survivors > 0) process.exitCode = 1;
