/** What a broker in the foreground says on standard output to the person who started it. */
import type { Places } from "../places/index.js";

export function greetingLines(version: string, { root, socket, database }: Places): readonly string[] {
  const at = root === null ? "" : ` --dir ${root}`;
  return [
    `Holdfast ${version} is ready.`,
    `  socket    ${socket}`,
    `  database  ${database}`,
    "In another terminal:",
    `  holdfast${at} status`,
    `  holdfast${at} sql "select sqlite_version()"`,
    `  holdfast${at} lock demo -- sleep 10`,
    "Ctrl-C stops it.",
  ];
}
