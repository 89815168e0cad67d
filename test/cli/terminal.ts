/**
 * A program on a terminal of its own. Node can make none; python3 can, where it is installed: what is typed goes in by
 * stdin, what is shown comes out by stdout.
 */
import { spawnSync } from "node:child_process";
import { cli } from "./holdfast.js";

/** Why nothing can be run on a terminal here; false: it can. */
export const noTerminal: string | false =
  spawnSync("python3", ["-c", "import pty"]).status === 0 ? false : "python3 with its pty module is not installed";

const relay = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";

/** Of a shell script in which `holdfast` is the one under test. */
export function onTerminal(script: string): readonly [file: string, args: readonly string[]] {
  const holdfast = `holdfast() { "${process.execPath}" "${cli}" "$@"; }`;
  return ["python3", ["-c", relay, "sh", "-c", `stty rows 20 cols 100; ${holdfast}; ${script}`]];
}
