/** What a broker in the foreground says on standard output to the person who started it. */
import type { Places } from "../places/index.js";

/** `underNpm`: by npm or npx, whose programs are on nobody's PATH. */
export function greetingLines(
  version: string,
  { root, socket, database }: Places,
  underNpm: boolean,
): readonly string[] {
  const program = underNpm ? "npx holdfast" : "holdfast";
  const at = root === null ? "" : ` --dir ${root}`;
  return [
    `Holdfast ${version} is ready.`,
    `  socket    ${socket}`,
    `  database  ${database}`,
    "In another terminal:",
    `  ${program}${at} status`,
    `  ${program}${at} sql "select sqlite_version()"`,
    `  ${program}${at} lock demo -- sleep 10`,
    "Ctrl-C stops it.",
  ];
}
