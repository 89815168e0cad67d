/** The process `holdfast`: words in, exit code out. What it does stands in commands/. */
import { commands } from "./commands/index.js";
import { complain } from "./complaint.js";
import { processIo } from "./io.js";
import { type Program, runProgram } from "./program.js";
import { faultInWords } from "./utf8.js";
import { holdfastVersion } from "./versions.js";

const io = processIo((why) => process.exit(complain(why, io)));

const words = process.argv.slice(2);
const program: Program = {
  version: holdfastVersion,
  commands,
  bare: async (call) => (await import("./commands/bare.js")).bare(call),
};
const fault = faultInWords(words);
const exitCode = await (fault === undefined ? runProgram(program, words, io) : complain(fault, io));

// Once the results are out, what is still open must not keep us.
const lastCode = await io.flushed().then(
  () => exitCode,
  (why: unknown) => complain(why, io),
);
await io.said();
process.exit(lastCode);
