/** The process `holdfast`: words in, exit code out. What it does stands in commands/. */
import { commands } from "./commands/index.js";
import { exitCodes } from "./exit-codes.js";
import { processIo } from "./io.js";
import { runProgram } from "./program.js";
import { holdfastVersion } from "./versions.js";

/** As a shell says it of SIGPIPE, which Node ignores: the reader of the results has gone, and that is its right. */
const pipeClosed = exitCodes.signalBase + 13;

process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? pipeClosed : exitCodes.refused);
});
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
  processIo(),
);

// Writes to pipes, files and terminals have happened when write() returned; what is still open must not keep us.
process.exit(exitCode);
