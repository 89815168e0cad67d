/** The command that is to be run for somebody: as words, or as a line for the shell. */
import { basename } from "node:path";
import { type Call, optionsOf } from "./command.js";

export interface LineOption {
  readonly command?: string;
}

/** What comes after the operands, or `-c LINE`. */
export function commandOf(call: Call, usage: string): readonly string[] {
  const { command: line } = optionsOf<LineOption>(call);
  if (line !== undefined) {
    if (call.rest.length > 0) call.misused("either -c LINE or a COMMAND, not both");
    return [call.io.env["SHELL"] || "/bin/sh", "-c", line];
  }
  if (call.rest.length === 0) call.misused(usage);
  return call.rest;
}

/** The command's name is what others see; of a shell line its first word. */
export function programOf(call: Call, words: readonly string[]): string {
  const { command: line } = optionsOf<LineOption>(call);
  const word = line === undefined ? words[0] : line.trim().split(/\s+/)[0];
  return basename(word ?? "") || "holdfast";
}

/** For giving the lock back and saying goodbye. */
const tidyMs = 2000;

/**
 * The command has ended and its exit code is awaited. If the broker is away just now, our own end gives the lock back:
 * a broker looks whether its holders live.
 */
export async function briefly(work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const enough = new Promise((resolve) => {
    timer = setTimeout(resolve, tidyMs);
  });
  await Promise.race([work.catch(() => {}), enough]);
  clearTimeout(timer);
}
