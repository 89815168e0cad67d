/** The PRAGMAs that may be read (https://sqlite.org/pragma.html), and what each may be given. */

/**
 * - `none`: any argument would be an attempt to set something.
 * - `subject`: the name of a table or an index, or how many errors to report; reading is all that the PRAGMA does.
 * - `number`: an argument sets the number that is read without one.
 */
export type PragmaArgument = "none" | "subject" | "number";

const readable: ReadonlyMap<string, PragmaArgument> = new Map<string, PragmaArgument>([
  ["table_info", "subject"],
  ["table_xinfo", "subject"],
  ["table_list", "subject"],
  ["index_list", "subject"],
  ["index_info", "subject"],
  ["index_xinfo", "subject"],
  ["foreign_key_list", "subject"],
  ["foreign_key_check", "subject"],
  ["integrity_check", "subject"],
  ["quick_check", "subject"],
  ["compile_options", "none"],
  ["function_list", "none"],
  ["collation_list", "none"],
  ["page_count", "none"],
  ["encoding", "none"],
  ["user_version", "number"],
  ["application_id", "number"],
]);

export const readablePragmas: readonly string[] = [...readable.keys()];

/** `name` in lower case. */
export function isReadablePragma(name: string): boolean {
  return readable.has(name);
}

/** `name` in lower case; undefined for a PRAGMA that may not be read. */
export function pragmaArgument(name: string): PragmaArgument | undefined {
  return readable.get(name);
}
