/**
 * A scratch copy of what is built, with one source in it mutated and built again. All other files are the same ones as in
 * the clone, by hard links, so a copy costs a fraction of a second.
 */
import { cpSync, linkSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { transformSync } from "esbuild";

export class Scratch {
  readonly dir: string;
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
    this.dir = mkdtempSync(join(tmpdir(), "holdfast-mutant-"));
    for (const file of ["package.json", "tsconfig.json"]) cpSync(join(root, file), join(this.dir, file));
    // What tests read beside the code: stories, vectors, the programs that they start.
    for (const folder of ["node_modules", "src", "test", "proto", "scripts", "dist"])
      symlinkSync(join(root, folder), join(this.dir, folder));
    linkAll(join(root, "out"), join(this.dir, "out"));
  }

  /** In the place of what was built from this source. */
  build(file: string, text: string): void {
    const built = join(this.dir, "out", file.replace(/\.ts$/, ".js"));
    const { code } = transformSync(text, { loader: "ts", format: "esm", target: "node20", sourcefile: file });
    // It is the clone's own file until it is taken away.
    rmSync(built);
    writeFileSync(built, code);
  }

  remove(): void {
    if (relative(this.#root, this.dir) === "") throw new Error("the scratch copy is the clone");
    rmSync(this.dir, { recursive: true, force: true });
  }
}

function linkAll(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) linkAll(source, target);
    else if (entry.name.endsWith(".js")) linkOrCopy(source, target);
  }
}

/** The temporary directory may be another disk. */
function linkOrCopy(source: string, target: string): void {
  try {
    linkSync(source, target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EXDEV") throw error;
    cpSync(source, target);
  }
}
