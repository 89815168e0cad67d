/** The process `holdfast`: words in, exit code out. What it does stands in commands/. */
import { commands } from "./commands/index.js";
import { complain } from "./complaint.js";
import { processIo } from "./io.js";
import { runProgram } from "./program.js";
import { holdfastVersion } from "./versions.js";

const io = processIo((why) => process.exit(complain(why, io)));
process.stderr.on("error", () => {
  // Nobody is left to be told.
});

const exitCode = await runProgram(
  {
    version: holdfastVersion,
    commands,
    bare: async (call) => (await import("./commands/bare.js")).bare(call),
  },
  process.argv.slice(2),
  io,
);

// Once the results are out, what is still open must not keep us.
process.exit(await io.flushed().then(() => exitCode, (why: unknown) => complain(why, io)));
