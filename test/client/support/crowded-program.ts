/** A program that has hardly a file left to open when it must start a broker: prints what came of that. */
import { closeSync, openSync } from "node:fs";
import { settingsFrom } from "../../../src/client/options.js";
import { startBroker } from "../../../src/client/spawn.js";

const { start } = settingsFrom({ dir: process.argv[2], env: {} }).plan(false, true);
if (start === undefined) throw new Error("none may be started");

const files: number[] = [];
try {
  for (;;) files.push(openSync("/dev/null", "r"));
} catch {
  // One for the log, and one too few for a pipe.
  for (const file of files.slice(-2)) closeSync(file);
}
console.log(JSON.stringify(await startBroker(start, new AbortController().signal)));
