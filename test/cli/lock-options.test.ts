/** What the commands for locks take, and what they refuse before they ask anybody. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { commands } from "../../src/cli/commands/index.js";
import type { Io } from "../../src/cli/io.js";
import { runProgram } from "../../src/cli/program.js";

async function run(words: readonly string[]): Promise<{ readonly code: number; readonly err: string }> {
  let err = "";
  const io: Io = {
    ...{ env: { HOLDFAST_DIR: "/nowhere" }, cwd: "/", columns: undefined, lines: undefined, stderrIsTerminal: false },
    stdin: { isTerminal: false, read: async () => "" },
    write: () => {},
    flushed: async () => {},
    say: (text) => {
      err += text;
    },
    said: async () => {},
  };
  const code = await runProgram({ version: "0", commands, bare: async () => 0 }, words, io);
  return { code, err };
}

for (const [words, said] of [
  [["locks", "brake", "demo"], /did you mean "break"\?/],
  [["locks", "break"], /locks break wants NAME/],
  [["locks", "transfer", "demo"], /locks transfer wants NAME and SESSION/],
  [["locks", "resize", "gpu", "none"], /"none" is not a number of slots/],
  [["locks", "show", "demo", "--grace", "3"], /locks show does not take --grace/],
  [["locks", "--reason", "x"], /locks without a verb does not take --reason/],
  [["locks", "--session", "abc"], /is not a session's id/],
  [["locks", "break", "demo", "--grace", "soon"], /is not a length of time/],
  [["locks", "break", "demo", "--token", "x"], /is not a token/],
  [["locks", "history", "demo", "--max", "0"], /is not a number of events/],
  [["lock", "a"], /lock wants a command to run/],
  [["lock", "a", "-c", "true", "--", "true"], /either -c LINE or a COMMAND/],
  [["lock", "a", "-s", "-x", "--", "true"], /either -s or -x/],
  [["lock", "a", "-s", "-e", "--", "true"], /either -s or -x/],
  [["lock", "a", "-s", "--slots", "2", "--", "true"], /slots are not shared/],
  [["lock", "a", "-x", "--slots", "2", "--", "true"], /either -x or --slots/],
  [["lock", "a", "--slots", "0", "--", "true"], /--slots wants a number from 1/],
  [["lock", "a", "--slots", "1", "--take", "2", "--", "true"], /--take 2 is more than --slots 1/],
  [["lock", "a", "--take", "some", "--", "true"], /--take wants a number from 1/],
  [["lock", "a", "--wait", "soon", "--", "true"], /is not a length of time/],
  [["lock", "a", "--timeout", "soon", "--", "true"], /is not a length of time/],
  [["lock", "a", "-E", "300", "--", "true"], /is not an exit code/],
  [["lock", "a", "--on-lost", "cry", "--", "true"], /--on-lost is kill or warn/],
  [["lock", "a", "--ttl", "soon", "--", "true"], /is not a length of time/],
  [["elect", "a"], /elect wants a command/],
] as const)
  test(`holdfast ${words.join(" ")} is refused, with the way it can be meant`, async () => {
    const { code, err } = await run(words);
    assert.equal(code, 64);
    assert.match(err, said);
  });
