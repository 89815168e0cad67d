/** Bytes that are to be text: UTF-8 and nothing else, since what cannot be read must not become something else. */
import { readFileSync } from "node:fs";
import { ExitWith, Misuse } from "./command.js";
import { exitCodes } from "./exit-codes.js";

/** Without a byte order mark. `name`: what the bytes are of. */
export function textOfBytes(bytes: Uint8Array, name: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    const message = `${name}: it is not UTF-8; \`iconv -t UTF-8\` makes it so`;
    throw new ExitWith(message, { exitCode: exitCodes.refused, cause });
  }
}

/**
 * Node puts U+FFFD in the place of what is not UTF-8 in an argument, so that another file would be named and another value
 * stored. What was really given is told by Linux only. Undefined: all of the words are what was given.
 */
export function faultInWords(words: readonly string[]): Misuse | undefined {
  if (process.platform !== "linux" || !words.some((word) => word.includes("\uFFFD"))) return undefined;
  const given = readFileSync("/proc/self/cmdline");
  try {
    textOfBytes(given, "the command line");
    return undefined;
  } catch (cause) {
    const word = words.find((one) => one.includes("\uFFFD"));
    const message = `the argument ${JSON.stringify(word)} is not UTF-8, and would be passed on as something else`;
    return new Misuse(message, { cause });
  }
}
