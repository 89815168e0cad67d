/**
 * Sends the tests after one mutant, the cheap ones first: those of its room, the stories, the small worlds, the
 * simulation. What fails, or does not come to an end, has found it.
 */
import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { type Mutant, mutated } from "./mutant.js";
import { Scratch } from "./scratch.js";

/** The rungs of the ladder. */
export const rungs = ["unit", "stories", "exhaustive", "simulation"] as const;
export type Rung = (typeof rungs)[number];

export interface Found {
  readonly rung: Rung;
  /** The test, or the seed. */
  readonly by: string;
  readonly seconds: number;
}

export interface HuntOptions {
  readonly seeds: number;
  readonly jobs: number;
  /** On all rungs, though one has found it. */
  readonly thorough?: boolean;
  readonly only?: readonly Rung[] | undefined;
}

const rungMsMax = 180_000;

/** Files of tests that are after bugs of this source, on the lowest rung. Folders stand for all in them. */
const unitTests: readonly (readonly [source: string, tests: readonly string[]])[] = [
  ["src/core/locks/", ["core/locks", "core/watches"]],
  ["src/core/sessions/", ["core/sessions", "core/locks"]],
  ["src/core/client-requests", ["core/sessions", "core/client-requests"]],
  ["src/core/", ["core", "front/rebirth"]],
  ["src/front/rebirth", ["front/rebirth", "front/past"]],
  ["src/client/conversation/", ["client/conversation"]],
  ["src/front/", ["front", "core/core"]],
  ["src/ledger/", ["ledger", "front/rebirth"]],
  ["src/daemon/", ["daemon/processes"]],
  ["src/protocol/", ["protocol"]],
];

/** Where it was found; of a thorough hunt all rungs that found it. */
export async function hunt(mutant: Mutant | undefined, root: string, options: HuntOptions): Promise<Found[]> {
  const scratch = new Scratch(root);
  const found: Found[] = [];
  try {
    if (mutant !== undefined) scratch.build(mutant.file, mutated(mutant, root));
    for (const rung of rungs) {
      if (options.only !== undefined && !options.only.includes(rung)) continue;
      const began = performance.now();
      const by = await climbed(scratch.dir, rung, mutant?.file ?? "src/core/", options);
      if (by === undefined) continue;
      found.push({ rung, by, seconds: (performance.now() - began) / 1000 });
      if (options.thorough !== true) break;
    }
  } finally {
    scratch.remove();
  }
  return found;
}

function climbed(dir: string, rung: Rung, source: string, { seeds, jobs }: HuntOptions): Promise<string | undefined> {
  const tests = join(dir, "out", "test");
  switch (rung) {
    case "unit": {
      const [, wanted = []] = unitTests.find(([room]) => source.startsWith(room)) ?? [];
      return tested(dir, testsIn(tests, wanted));
    }
    case "stories":
      return tested(dir, testsIn(tests, ["scenarios"]));
    case "exhaustive":
      return tested(dir, testsIn(tests, ["exhaustive"]));
    case "simulation":
      return simulated(dir, seeds, jobs);
  }
}

function testsIn(tests: string, wanted: readonly string[]): string[] {
  return wanted.flatMap((one) => {
    const file = join(tests, `${one}.test.js`);
    if (existsSync(file)) return [file];
    const folder = join(tests, one);
    if (!existsSync(folder)) return [];
    return readdirSync(folder, { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith(".test.js"))
      .map((entry) => join(entry.parentPath, entry.name));
  });
}

/** The name of the first test that fails. */
async function tested(dir: string, files: readonly string[]): Promise<string | undefined> {
  if (files.length === 0) return undefined;
  const { code, output } = await ran(dir, ["--test", "--test-reporter=tap", ...files]);
  if (code === 0) return undefined;
  const [, name] = /^\s*not ok \d+ - (.*)$/m.exec(output) ?? [];
  return name ?? "the tests did not end";
}

async function simulated(dir: string, seeds: number, jobs: number): Promise<string | undefined> {
  const main = join(dir, "out/test/simulation/simulate.main.js");
  const { code, output } = await ran(dir, [main, "--seeds", `${seeds}`, "--jobs", `${jobs}`, "--failures", "1"]);
  if (code === 0) return undefined;
  const [, what] = /^(seed \d+ .*)$/m.exec(output) ?? [];
  return what ?? "the simulation did not end";
}

function ran(dir: string, args: readonly string[]): Promise<{ readonly code: number | null; readonly output: string }> {
  const { NODE_TEST_CONTEXT: _runner, ...env } = process.env;
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: dir, env, stdio: ["ignore", "pipe", "ignore"] });
    const late = setTimeout(() => child.kill("SIGKILL"), rungMsMax);
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    child.once("error", reject);
    child.once("close", (code) => {
      clearTimeout(late);
      resolve({ code, output });
    });
  });
}
