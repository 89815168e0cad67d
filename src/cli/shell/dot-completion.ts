/** What the last word of a dot command may become: a command, what it takes, a file, a table. */
import { readdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { type Completion, fitting } from "./completion.js";
import { dotCommands } from "./dot-commands.js";
import type { TableNames } from "./schema-names.js";

export function completeDot(line: string, tables: readonly TableNames[], cwd: string): Completion {
  const [, head = "", word = ""] = /^(.*?)(\S*)$/.exec(line.trimStart()) ?? [];
  const before = head.trim().split(/\s+/).filter(Boolean);
  if (before.length === 0)
    return [
      beginningWith(
        dotCommands.map(({ name }) => name),
        word,
      ),
      word,
    ];
  const command = dotCommands.find(({ name }) => name === before[0]);
  if (before.length === 1 && command?.choices !== undefined) return [beginningWith(command.choices, word), word];
  const names = () =>
    fitting(
      tables.map(({ name }) => name),
      word,
    );
  switch (command?.name) {
    case ".read":
      return before.length === 1 ? [files(word, cwd), word] : [[], word];
    case ".import":
      if (before.length === 1) return [files(word, cwd), word];
      return before.length === 2 ? [names(), word] : [[], word];
    case ".schema":
    case ".tables":
      return before.length === 1 ? [names(), word] : [[], word];
    default:
      return [[], word];
  }
}

function beginningWith(words: readonly string[], begun: string): string[] {
  return words.filter((word) => word.startsWith(begun.toLowerCase()));
}

/** A directory that cannot be read has nothing to offer. */
function files(word: string, cwd: string): string[] {
  const directory = word.endsWith("/") ? word : dirname(word);
  const begun = word.endsWith("/") || word === "" ? "" : (word.split("/").at(-1) ?? "");
  const prefix = word.slice(0, word.length - begun.length);
  try {
    return readdirSync(resolve(cwd, directory), { withFileTypes: true })
      .filter(({ name }) => name.startsWith(begun) && (begun !== "" || !name.startsWith(".")))
      .map((entry) => `${join(prefix, entry.name)}${entry.isDirectory() ? "/" : ""}`)
      .toSorted();
  } catch {
    return [];
  }
}
