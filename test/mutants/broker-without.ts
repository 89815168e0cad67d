/**
 * A broker with a rule taken out: what is installed, built from the changed sources into a directory of its own, and the
 * tests with real processes sent after it. Nothing of the clone's own build is touched.
 */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { run } from "node:test";
import { pathToFileURL } from "node:url";
import { type Removal, sourcesWithout } from "./removal.js";

/** What of the scripts is used here. */
interface Scripts {
  bundle(options: { readonly dist: string; readonly sources: ReadonlyMap<string, string> }): Promise<void>;
  sweep(place: string): void;
}

type TestError = Error & { readonly failureType?: string };

export interface Notice {
  readonly file: string;
  readonly test: string;
  /** The beginning of what it said. */
  readonly message: string;
}

export interface Looked {
  readonly notice: Notice | undefined;
  readonly passed: number;
  readonly seconds: number;
}

/** For all tests of one removal; what has not come to an end by then has failed as well. */
const runMsMax = 400_000;
const messageCharsMax = 240;

export class BrokerWithout {
  readonly #root: string;
  readonly #scripts: Scripts;
  readonly #place: string;
  readonly #environment = { ...process.env };

  get #tests(): string {
    return join(this.#place, "t");
  }

  /** The clone's own build when there is nothing to take out. */
  static async make(root: string, removal: Removal | undefined): Promise<BrokerWithout> {
    const one = new BrokerWithout(root, await scriptsOf(root));
    try {
      if (removal === undefined) symlinkSync(join(root, "dist"), join(one.#place, "dist"));
      else await one.#scripts.bundle({ dist: join(one.#place, "dist"), sources: sourcesWithout(removal, root) });
      return one;
    } catch (error) {
      one.remove();
      throw error;
    }
  }

  private constructor(root: string, scripts: Scripts) {
    this.#root = root;
    this.#scripts = scripts;
    // Short: sockets are made below it.
    this.#place = realpathSync(mkdtempSync(join(tmpdir(), "hf-")));
    symlinkSync(join(root, "node_modules"), join(this.#place, "node_modules"));
  }

  /** Sends the tests after it, those with these names; the first that fails ends the run. */
  async look(tests: readonly string[], patienceMs: number, names?: RegExp): Promise<Looked> {
    const began = performance.now();
    const end = new AbortController();
    const late = setTimeout(() => end.abort(), runMsMax);
    this.#setEnvironment(patienceMs);
    try {
      const { notice, passed } = await this.#run(tests, names, end);
      return { notice, passed, seconds: (performance.now() - began) / 1000 };
    } finally {
      clearTimeout(late);
      process.env = { ...this.#environment };
      // Who was ended in the middle has left its brokers.
      this.#scripts.sweep(this.#tests);
    }
  }

  /** With all that its tests have left. */
  remove(): void {
    this.#scripts.sweep(this.#place);
    rmSync(this.#place, { recursive: true, force: true });
  }

  /** The runner gives its own environment to the tests. */
  #setEnvironment(patienceMs: number): void {
    const { NODE_TEST_CONTEXT: _runner, ...env } = this.#environment;
    mkdirSync(this.#tests);
    process.env = {
      ...env,
      TMPDIR: this.#tests,
      HOLDFAST_TEST_DIST: join(this.#place, "dist"),
      HOLDFAST_TEST_PATIENCE_MS: `${patienceMs}`,
    };
  }

  async #run(tests: readonly string[], names: RegExp | undefined, end: AbortController) {
    const files = tests.map((test) => join(this.#root, "out", "test", `${test}.test.js`));
    let notice: Notice | undefined;
    let passed = 0;
    const results = run({
      files,
      concurrency: 1,
      signal: end.signal,
      ...(names === undefined ? {} : { testNamePatterns: names }),
    });
    results.on("test:pass", ({ skip, name }) => {
      if (skip === undefined && !files.includes(resolve(name))) passed++;
    });
    results.on("test:fail", ({ name, file = "", details }) => {
      const error: TestError = details.error;
      if (notice !== undefined || end.signal.aborted || error.failureType === "subtestsFailed") return;
      const where = tests.find((test) => file.includes(`/${test}.test.`)) ?? "";
      notice = { file: where, test: name, message: wordsOf(error) };
      end.abort();
    });
    // Its end is the runner's; what it says is heard above.
    for await (const _ of results);
    if (notice === undefined && end.signal.aborted)
      notice = { file: "", test: "", message: `no end of the tests within ${runMsMax / 1000} s` };
    return { notice, passed };
  }
}

async function scriptsOf(root: string): Promise<Scripts> {
  const script = async (name: string) => (await import(pathToFileURL(join(root, "scripts", name)).href)) as Scripts;
  const [{ bundle }, { sweep }] = await Promise.all([script("build.mjs"), script("left-behind.mjs")]);
  return { bundle, sweep };
}

function wordsOf(error: Error): string {
  const { cause } = error;
  const words = (cause instanceof Error ? cause.message : `${cause ?? error.message}`).replaceAll(/\s+/g, " ").trim();
  return words.length > messageCharsMax ? `${words.slice(0, messageCharsMax)} …` : words;
}
