/** test/RULES-REMOVED.md: which test noticed each rule that was taken out, and what it said. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Notice } from "./broker-without.js";
import { type Removal, ruleOf } from "./removal.js";
import { removals, rules } from "./rules/index.js";

export const findingsFile = "test/RULES-REMOVED.md";

const introduction = `# Rules taken out

A test that cannot fail shows nothing. So each rule that the broker is built on is taken out of a copy of it, one at a
time and in each way that we could think of, and the tests with real processes and real faults are sent after that copy.
This is what they said. The numbers are those that the comments in \`src/\` give; the edits, and the tests that are sent
after each, are in \`test/mutants/rules/\`.

    npm run mutants -- --rules                 takes out every rule, and tells who noticed
    npm run mutants -- --rules 5 8c            only rule 5, and this way to take out rule 8
    npm run mutants -- --rules 8c --write      and writes what was found into this file

It takes half an hour on a quiet machine. Tests are bounded by 30 s of waiting in vain instead of 90, and each run ends
with the first test that fails; so the message is that of the first one to notice, not of the only one. That test is
then run again, just as impatient, with nothing taken out, and must pass.

One thing cannot be noticed when it is taken out, and is not in the list: that the end of the writer is told by \`close\` and
not by \`exit\` (rule 8). On Linux libuv reads a pipe empty before it looks who has ended, so both come to the same there.
`;

/** A row for each that was looked for, by its number and letter. */
export function findings(root: string): Map<string, string> {
  const path = join(root, findingsFile);
  const text = existsSync(path) ? readFileSync(path, "utf8") : "";
  return new Map([...text.matchAll(/^\| (\d+[a-z]+) \|.*$/gm)].map(([row, id = ""]) => [id, row]));
}

export function rowOf({ id, without }: Removal, notice: Notice | undefined): string {
  const cells = [
    id,
    without,
    notice === undefined ? "**nobody**" : notice.test,
    notice?.file ?? "",
    notice?.message ?? "",
  ];
  return `| ${cells.map(plain).join(" | ")} |`;
}

export function writeFindings(root: string, rows: ReadonlyMap<string, string>): void {
  const parts = [introduction];
  for (const [number, demand] of rules) {
    const own = removals.filter((removal) => ruleOf(removal) === number).flatMap(({ id }) => rows.get(id) ?? []);
    if (own.length === 0) continue;
    parts.push(
      `## Rule ${number}`,
      "",
      demand,
      "",
      "| | without it | noticed by | in | which said |",
      "|---|---|---|---|---|",
    );
    parts.push(...own, "");
  }
  const missing = removals.filter(({ id }) => !rows.has(id));
  if (missing.length > 0) {
    parts.push("## Not looked for since they were written down or changed", "");
    parts.push(...missing.map(({ id, without }) => `- ${id}: ${without}`));
  }
  writeFileSync(join(root, findingsFile), `${parts.join("\n").trimEnd()}\n`);
}

/** As a cell of a table. */
export function plain(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("<", "&lt;");
}
