/** `holdfast demo`: the main job on real input, with two murders, and a count at the end. */
import { existsSync, mkdtempSync, realpathSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { signalExitCode } from "../child.js";
import { type Call, type Command, Misuse, optionsOf } from "../command.js";
import type { ActResult } from "../demo/act.js";
import type { Crew } from "../demo/crew.js";
import type { Stage } from "../demo/stage.js";
import { formatCount } from "../durations.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";

interface DemoOptions {
  readonly tree?: string;
  readonly keep?: boolean;
  readonly direct?: boolean;
  readonly role?: string;
}

const indexers = 8;

export const demo: Command = {
  prints: false,
  define(parser) {
    parser
      .option("--tree <dir>", "index this directory (default: the nearest node_modules)")
      .option("--keep", "leave the temporary directory, to look at the table")
      .option("--direct", "then the same on plain SQLite with busy_timeout, without kills, and both beside each other")
      .addOption(parser.createOption("--role <role>", "one of the demo's own processes").hideHelp())
      .addHelpText(
        "after",
        "\nEight processes hash the files of a tree into one table, each taking the lock of the\n" +
          "directory that it works on; a ninth asks meanwhile. One of the eight, and then the broker\n" +
          "itself, are killed with SIGKILL. At the end the table is compared with the tree, file by file.\n" +
          "All in a private temporary directory: a broker that already runs is not touched.",
      );
  },

  async run(call) {
    const options = optionsOf<DemoOptions>(call);
    if (options.role !== undefined) return playRole(options.role);
    if (call.operands.length > 0) call.misused("demo takes no operands; the tree is given with --tree DIR");
    forgetSettings();
    return show(call, options);
  },
};

async function playRole(role: string): Promise<ExitCode> {
  if (role === "indexer") await (await import("../demo/indexer.js")).runIndexer();
  else if (role === "asker") await (await import("../demo/asker.js")).runAsker();
  else if (role === "direct-indexer") await (await import("../demo/direct.js")).runDirectIndexer();
  else if (role === "direct-asker") await (await import("../demo/direct.js")).runDirectAsker();
  else throw new Misuse(`there is no role "${role}"`);
  // The channel to the conductor keeps the process; it ends when the conductor hangs up.
  return new Promise<never>(() => {});
}

/** The demo has a broker of its own: the settings of the user's real one are not for it. */
function forgetSettings(): void {
  for (const name of Object.keys(process.env)) if (name.startsWith("HOLDFAST_")) delete process.env[name];
}

async function show(call: Call, options: DemoOptions): Promise<ExitCode> {
  const tree = treeFor(call, options.tree);
  const home = realpathSync(mkdtempSync(join(tmpdir(), "holdfast-demo-")));
  const scene: Scene = { crew: undefined, stage: undefined, signal: undefined };
  const interrupted = endOnSignals(scene);
  try {
    const acts = playActs(call, { tree, home, direct: options.direct === true, scene });
    const done = await Promise.race([acts, interrupted]).catch((error: unknown) => {
      // What breaks while we end everybody is our own doing.
      if (scene.signal === undefined) throw error;
    });
    if (scene.signal !== undefined) return await interrupted;
    if (options.keep === true)
      call.output.line(
        `\nkept: ${home}\n  holdfast --dir ${home} sql "select * from files order by bytes desc limit 10"`,
      );
    return done === true ? exitCodes.ok : exitCodes.refused;
  } finally {
    if (options.keep !== true) rmSync(home, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Whom to end when somebody presses Ctrl-C. */
interface Scene {
  crew: Crew | undefined;
  stage: Stage | undefined;
  signal: NodeJS.Signals | undefined;
}

/** First the crew, since it would start the broker again; then the broker; then the exit code of the signal. */
function endOnSignals(scene: Scene): Promise<ExitCode> {
  return new Promise((resolve) => {
    const end = async (signal: NodeJS.Signals) => {
      // Under npm one Ctrl-C comes twice, and must not leave the demo's broker behind.
      if (scene.signal !== undefined) return;
      scene.signal = signal;
      scene.crew?.dismiss();
      await scene.stage?.close().catch(() => {});
      resolve(signalExitCode(signal));
    };
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => void end(signal));
  });
}

/** The nearest node_modules: of the directory that we are in, of those above it, or the one that holds this program. */
function treeFor(call: Call, given: string | undefined): string {
  if (given !== undefined) {
    const tree = resolve(call.io.cwd, given);
    if (statSync(tree, { throwIfNoEntry: false })?.isDirectory() !== true) call.misused(`${given} is not a directory`);
    return realpathSync(tree);
  }
  for (const start of [call.io.cwd, dirname(process.argv[1] ?? call.io.cwd)])
    for (let at = start; ; at = dirname(at)) {
      if (existsSync(join(at, "node_modules"))) return realpathSync(join(at, "node_modules"));
      if (dirname(at) === at) break;
    }
  return call.misused("there is no node_modules here or above; say which tree with --tree DIR");
}

interface Plan {
  readonly tree: string;
  readonly home: string;
  readonly direct: boolean;
  readonly scene: Scene;
}

async function playActs(call: Call, { tree, home, direct, scene }: Plan): Promise<boolean> {
  const [{ listDirectories, listFiles }, { play }, stages, report, { Progress }, { endBroker }] = await Promise.all([
    import("../demo/tree.js"),
    import("../demo/act.js"),
    import("../demo/stage.js"),
    import("../demo/report.js"),
    import("../demo/progress.js"),
    import("../end-broker.js"),
  ]);
  const { output, io } = call;
  const print = (lines: readonly string[]) => {
    for (const line of lines) output.line(line);
  };
  const filesTotal = listDirectories(tree).reduce((sum, directory) => sum + listFiles(tree, directory).length, 0);
  const perform = async (stage: Stage): Promise<ActResult> => {
    scene.stage = stage;
    try {
      return await play(stage, {
        ...{ script: realpathSync(process.argv[1] ?? ""), env: process.env, tree, home, indexers, filesTotal },
        progress: (startMs) => new Progress(io, filesTotal, startMs),
        onCrew: (crew) => {
          scene.crew = crew;
        },
      });
    } finally {
      await stage.close();
    }
  };
  const what = `${formatCount(filesTotal)} files of ${shortPath(io.cwd, tree)}`;
  print([`${indexers} indexers and an asker, ${what}, one database`, ""]);
  const behind = await perform(await stages.brokerStage(home, endBroker));
  print(["", ...report.actLines(behind), "", ...report.verdictLines(behind)]);
  if (!direct) return report.succeeded(behind);

  print(["", "the same on plain SQLite: WAL, synchronous=FULL, busy_timeout 5 s, nobody killed", ""]);
  const plain = await perform(await stages.directStage(home));
  print(["", ...report.besideLines(behind, plain), "", ...report.verdictLines(plain)]);
  return report.succeeded(behind) && report.succeeded(plain);
}

function shortPath(cwd: string, path: string): string {
  const short = relative(cwd, path);
  return short === "" || short.startsWith("..") ? path : short;
}
