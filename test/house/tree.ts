/** The tree as these tests see it: its files, their code without comments and texts, their imports; and an empty copy. */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, posix, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type TestLife, tempDir } from "../support/temp-dir.js";
import { roomNames } from "./rooms.js";

/** The root of the clone; this file runs from out/test/house/. */
export const root = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");

/** All files below some folders of the clone, by path from the root with forward slashes, in order. */
export function filesIn(...folders: string[]): string[] {
  return folders
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) => readdirSync(join(root, folder), { withFileTypes: true, recursive: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll("\\", "/"))
    .filter((file) => !file.includes("node_modules/"))
    .sort();
}

export function sourcesIn(...folders: string[]): string[] {
  return filesIn(...folders).filter((file) => file.endsWith(".ts"));
}

export function read(file: string): string {
  return readFileSync(join(root, file), "utf8");
}

/**
 * The text with every comment and the inside of every string, template and pattern replaced by spaces; lines stay
 * where they are. What is left can be searched for a word without finding it in prose.
 */
export function codeOf(text: string): string {
  const token =
    /\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|(?<=(?:^|[=(,:[!&|?{};\n]|=>|\breturn)\s*)\/(?![*/])(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*|[`{}]/g;
  const blank = (part: string) => part.replace(/[^\n]/g, " ");
  let code = "";
  let from = 0;
  // One entry for every brace that is open: whether it is the `${` of a template.
  const braces: boolean[] = [];
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    code += text.slice(from, match.index);
    const found = match[0];
    if (found === "{") {
      braces.push(false);
      code += found;
    } else if (found === "`" || (found === "}" && braces.pop() === true)) {
      const end = endOfTemplatePart(text, match.index + 1);
      code += found + blank(text.slice(match.index + 1, end.at)) + (end.opens ? "${" : "`");
      if (end.opens) {
        braces.push(true);
      }
      token.lastIndex = end.at + (end.opens ? 2 : 1);
    } else {
      code += found === "}" ? found : blank(found);
    }
    from = token.lastIndex;
  }
  return code + text.slice(from);
}

/** Where the text of a template that goes on at `from` ends: at its closing mark, or where an expression opens. */
function endOfTemplatePart(text: string, from: number): { at: number; opens: boolean } {
  for (let at = from; at < text.length; at++) {
    if (text[at] === "\\") {
      at++;
    } else if (text[at] === "`") {
      return { at, opens: false };
    } else if (text[at] === "$" && text[at + 1] === "{") {
      return { at, opens: true };
    }
  }
  return { at: text.length, opens: false };
}

export interface Import {
  /** As it is written. */
  readonly specifier: string;
  /** The file it means, if it is one of the tree. */
  readonly file: string | undefined;
  readonly lazy: boolean;
}

/** Every import and re-export of a file, those of types only included. */
export function importsOf(file: string): Import[] {
  const text = read(file);
  const eager = /^(?:import|export)\s(?:[^;"'`]*?\sfrom\s*)?["']([^"'\n]+)["']/gm;
  const lazy = /\bimport\s*\(\s*["']([^"'\n]+)["']/g;
  const code = codeOf(text);
  const found: Import[] = [];
  for (const [pattern, isLazy] of [
    [eager, false],
    [lazy, true],
  ] as const) {
    for (const match of text.matchAll(pattern)) {
      // What stands in a comment or a string is blank in the code.
      if (code[match.index] !== " ") {
        const specifier = match[1] ?? "";
        found.push({ specifier, file: meantFile(file, specifier), lazy: isLazy });
      }
    }
  }
  return found;
}

function meantFile(from: string, specifier: string): string | undefined {
  return specifier.startsWith(".")
    ? posix
        .join(posix.dirname(from), specifier)
        .replace(/\.js$/, ".ts")
        .replace(/\.mjs$/, ".mts")
    : undefined;
}

/**
 * A copy of the house without its furniture: every room with its real configuration and an empty door. What is planted
 * there is judged by the real rules, and by nothing that somebody happens to be writing in the real tree.
 */
export function emptyHouse(test: TestLife): string {
  const house = tempDir(test);
  for (const file of ["package.json", "tsconfig.json", "tsconfig.base.json", "biome.json", "scripts/lint"]) {
    cpSync(join(root, file), join(house, file), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(house, "node_modules"));
  for (const room of roomNames) {
    plant(house, `src/${room}/index.ts`, `export const ${room.replace("/", "_")} = 1;\n`);
    cpSync(join(root, "src", room, "tsconfig.json"), join(house, "src", room, "tsconfig.json"));
  }
  return house;
}

export function plant(house: string, file: string, text: string): void {
  mkdirSync(dirname(join(house, file)), { recursive: true });
  writeFileSync(join(house, file), text);
}

/** Compiles all rooms of a house; answers the errors' lines, `file(line,column): error …`. */
export function compile(house: string): string[] {
  const projects = roomNames.map((room) => `src/${room}`);
  return output(house, ["node_modules/typescript/bin/tsc", "-b", "--pretty", "false", ...projects], /: error /);
}

/** Lints a house; answers a line for each finding, `::error title=rule,file=path,line=…::message`. */
export function lint(house: string): string[] {
  const biome = "node_modules/@biomejs/biome/bin/biome";
  const args = [biome, "lint", "--reporter=github", "--max-diagnostics=none", "."];
  return output(house, args, /^::/).map((line) => line.replace(`file=${house}/`, "file="));
}

function output(house: string, args: string[], wanted: RegExp): string[] {
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { cwd: house, encoding: "utf8" });
  const lines = stdout.split("\n").filter((line) => wanted.test(line));
  if (status !== 0 && lines.length === 0) {
    throw new Error(`${args.join(" ")} failed without a finding:\n${stdout}\n${stderr}`);
  }
  return lines;
}
