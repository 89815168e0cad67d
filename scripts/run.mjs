/**
 * What every script of package.json calls: `node scripts/run.mjs <what> [arguments]`.
 *
 * It brings the clone to where the work can begin (packages installed, what is stale built) and then does the work.
 * The broker runs in this very process, so that signals, stdio and the exit code are its own.
 * Only what Node brings along is used here, and only syntax that an old Node can read until its version is checked.
 */
const oldest = [20, 19];
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < oldest[0] || (major === oldest[0] && minor < oldest[1])) {
  process.stderr.write(`holdfast: this is Node ${process.versions.node}; ${oldest.join(".")} or newer is needed.\n`);
  process.exit(1);
}

const { root, runNode, say, Stop } = await import("./process.mjs");

async function prepare({ build: wanted, tests = false }) {
  const { withCloneLock } = await import("./clone-lock.mjs");
  const { install } = await import("./install.mjs");
  await withCloneLock(async () => {
    await install();
    if (wanted) {
      const { build } = await import("./build.mjs");
      await build({ tests });
    }
  });
}

/** Becomes another program: the same process, with the arguments it would have been started with. */
async function become(file, args) {
  const { join } = await import("node:path");
  const { existsSync } = await import("node:fs");
  const { pathToFileURL } = await import("node:url");
  const path = join(root, file);
  if (!existsSync(path)) {
    throw new Stop(`${file} does not exist yet.`);
  }
  process.argv = [process.execPath, path, ...args];
  await import(pathToFileURL(path).href);
}

/** Becomes a program that starts others: what it leaves behind, and all that it has begun when a signal ends it, goes. */
async function becomeSwept(file, args) {
  const { closeRun, openRun } = await import("./left-behind.mjs");
  const place = openRun();
  try {
    await become(file, args);
  } finally {
    for (const one of await closeRun(place)) {
      say(`left behind: ${one}`);
      process.exitCode = 1;
    }
  }
}

/** Becomes a tool of the developers; what its options are, the comment at the head of its file tells. */
async function becomeTool(file, args, how = become) {
  await prepare({ build: true, tests: true });
  if (args.includes("--help") || args.includes("-h")) {
    const { readFileSync } = await import("node:fs");
    const head = readFileSync(new URL(`../${file}`, import.meta.url), "utf8").split("*/", 1)[0];
    process.stdout.write(
      `${head
        .replace("/**\n", "")
        .replace(/^ \* ?/gm, "")
        .trimEnd()}\n`,
    );
    return;
  }
  try {
    await how(file, args);
  } catch (error) {
    if (!String(error.code).startsWith("ERR_PARSE_ARGS")) {
      throw error;
    }
    throw new Stop(`${error.message}\n--help tells what there is.`, { exitCode: 64, cause: error });
  }
}

function biome(args) {
  return runNode(["node_modules/@biomejs/biome/bin/biome", ...args], {
    failure: "The house rules do not hold: see above.",
  });
}

const tasks = {
  async start(args) {
    await prepare({ build: true });
    await become("dist/cli.js", ["serve", ...args]);
  },
  async demo(args) {
    await prepare({ build: true });
    await become("dist/cli.js", ["demo", ...args]);
  },
  async build() {
    await prepare({ build: true, tests: true });
  },
  async bench(args) {
    await becomeTool("out/bench/run.js", args);
  },
  async test(args) {
    await prepare({ build: true, tests: true });
    await biome(["check", "--error-on-warnings"]);
    const { test } = await import("./test.mjs");
    if (!(await test(args))) {
      process.exitCode = 1;
    }
  },
  async simulate(args) {
    await becomeTool("out/test/simulation/simulate.main.js", args);
  },
  async torture(args) {
    await becomeTool("out/test/torture/torture.main.js", args, becomeSwept);
  },
  async mutants(args) {
    await becomeTool("out/test/mutants/mutants.main.js", args);
  },
  async lint(args) {
    await prepare({ build: false });
    await biome(["check", "--error-on-warnings", ...args]);
  },
  async format(args) {
    await prepare({ build: false });
    await biome(["check", "--write", ...args]);
  },
};

const [what, ...args] = process.argv.slice(2);
try {
  const task = Object.hasOwn(tasks, what ?? "") ? tasks[what] : undefined;
  if (task === undefined) {
    throw new Stop(`usage: node scripts/run.mjs ${Object.keys(tasks).join(" | ")}`, { exitCode: 64 });
  }
  await task(args);
} catch (error) {
  if (!(error instanceof Stop)) {
    throw error;
  }
  process.stderr.write(`holdfast: ${error.message}\n`);
  process.exitCode = error.exitCode;
}
