/** Which database a work beside the broker is about. */
import { resolve } from "node:path";
import type { Call } from "./command.js";
import { statusOf } from "./commands/status.js";

/**
 * The words that name it to the broker's program: the one asked for, else the one that is served, else the usual one. With
 * the bound of its log where a broker has it open: writes are refused beyond it.
 */
export async function databaseWords(call: Call, asked: string | undefined): Promise<readonly string[]> {
  if (asked !== undefined) return ["--database", resolve(call.io.cwd, asked)];
  const found = await statusOf(call);
  if (found === undefined) return [];
  const bytesMax = found.limits["walBytesHardMax"];
  const bound = bytesMax === undefined ? [] : ["--limit", `walBytesHardMax=${bytesMax}`];
  return ["--database", found.database.path, ...bound];
}
