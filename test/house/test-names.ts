/** The names of all tests, as the runner prints them; those that are made of a table, by the words between what it fills in. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./tree.js";

export class TestNames {
  readonly #names = new Set<string>();
  readonly #made: { readonly pattern: RegExp; readonly source: string }[] = [];

  constructor() {
    for (const entry of readdirSync(join(root, "test"), { withFileTypes: true, recursive: true })) {
      const path = join(entry.parentPath, entry.name);
      if (entry.name.endsWith(".test.ts")) this.#read(readFileSync(path, "utf8"));
      // The first line of a story.
      if (path.includes("scenarios") && entry.name.endsWith(".txt"))
        this.#names.add(readFileSync(path, "utf8").split("\n", 1)[0]?.replace(/^# /, "") ?? "");
    }
  }

  has(name: string): boolean {
    return this.#names.has(name) || this.#made.some((template) => isMade(name, template));
  }

  /** Those within a group stand behind its name. */
  #read(source: string): void {
    let group = "";
    for (const [, kind, quote, quoted = ""] of source.matchAll(
      /\b(describe|it|test)\(\s*(["`])((?:[^"`\\]|\\.)*)\2/g,
    )) {
      const name = quoted.replaceAll('\\"', '"');
      if (kind === "describe") group = name;
      else if (quote === "`") this.#made.push({ pattern: patternOf(name), source });
      else this.#names.add(kind === "it" ? `${group} ${name}` : name);
    }
  }
}

/** What is filled in must stand in the same file as a text of its own. */
function isMade(name: string, { pattern, source }: { readonly pattern: RegExp; readonly source: string }): boolean {
  const [, ...filled] = pattern.exec(name) ?? [];
  return filled.length > 0 && filled.every((text) => source.includes(`"${text}"`));
}

function patternOf(template: string): RegExp {
  const words = template.split(/\$\{[^}]*\}/).map((text) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${words.join("(.+)")}$`);
}
