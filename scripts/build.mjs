/**
 * The build: TypeScript checks the rooms and their imports (out/), esbuild makes the few files that run (dist/).
 *
 *   out/   what tsc emits, src/ and test/ and bench/ below it; tests run on this
 *   dist/  what is installed: one bundle per process, the library, and the library's types
 *
 * Nothing is done when nothing changed: the stamp is a hash over path, size and modification time of every input.
 */
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join, parse, relative, resolve, sep } from "node:path";
import { root, runNode, Stop, say } from "./process.mjs";

/** Everything that runs or is imported by others: what it is made from, and where it lies in dist/. */
const bundles = [
  // Its commands are pieces of their own: what is not asked for is not read.
  { entry: "src/cli/cli.main.ts", out: "cli.js", executable: true, pieces: "cli-" },
  // It begins its first children before what they are for is read.
  { entry: "src/daemon/front.main.ts", out: "front.js", later: ["./run-front.js"] },
  // One file to be read instead of sixty, of which the compiled form is kept: a client waits for it.
  { entry: "src/daemon/run-front.ts", out: "run-front.cjs", inside: ["pino", "ws"] },
  { entry: "src/store/writer/writer.main.ts", out: "writer.js" },
  { entry: "src/store/reader/reader.main.ts", out: "reader.js" },
  // Its two doors share what is behind them: an error or a lock that comes by one is the same by the other.
  {
    entry: "src/client/index.ts",
    out: "client/index.js",
    beside: [{ entry: "src/client/testing.ts", out: "client/testing.js" }],
    pieces: "library-",
  },
];

/** All that can be started or imported by name. */
const doors = bundles.flatMap(({ entry, out, beside = [] }) => [{ entry, out }, ...beside]);

/** The declarations that package.json's "exports" points to; what they import comes along. */
const declarations = ["client/index.d.ts", "client/testing.d.ts"];

/** The run-time dependencies of package.json; all else is inside the bundles, and of some bundles these too. */
const external = ["better-sqlite3", "pino", "ws"];

/**
 * Brings out/ and dist/ up to date and prints one line if there was something to do.
 * With `tests`, the projects test and bench are compiled too; the broker starts without them.
 */
export async function build({ tests }) {
  const began = performance.now();
  const projects = readProjects().filter((project) => tests || project.startsWith("src/"));
  const stampPath = join(root, "out", tests ? ".stamp-all" : ".stamp-src");
  const stamp = fingerprint([...new Set(projects.map((project) => project.split("/")[0]))]);
  if (existsSync(stampPath) && readFileSync(stampPath, "utf8") === stamp && outputsExist()) {
    return;
  }

  removeOrphans("src");
  removeOrphans("test");
  removeOrphans("bench");
  await compile(projects);
  await bundle();
  copyDeclarations();

  writeFileSync(stampPath, stamp);
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  say(`built ${projects.length} projects and ${doors.length} bundles in ${seconds} s`);
}

function readProjects() {
  const text = readFileSync(join(root, "tsconfig.json"), "utf8").replace(/^\s*\/\/.*$/gm, "");
  return JSON.parse(text).references.map((reference) => reference.path);
}

/** Every input as a line; a file that is touched but equal costs one incremental run of tsc, nothing worse. */
function fingerprint(folders) {
  const hash = createHash("sha256");
  const files = ["package.json", "package-lock.json", "tsconfig.json", "tsconfig.base.json"];
  hash.update(`${process.version}\n`);
  for (const file of [...files, ...["scripts", ...folders].flatMap((folder) => listFiles(folder))].sort()) {
    const stat = statSync(join(root, file), { throwIfNoEntry: false });
    hash.update(`${file} ${stat?.size} ${stat?.mtimeMs}\n`);
  }
  return hash.digest("hex");
}

function listFiles(folder) {
  const path = join(root, folder);
  if (!existsSync(path)) {
    return [];
  }
  return readdirSync(path, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
}

function outputsExist() {
  return doors.every(({ entry, out }) => !existsSync(join(root, entry)) || existsSync(join(root, "dist", out)));
}

/** Takes away what was emitted for a source that is gone, so that no test runs and no import resolves by accident. */
function removeOrphans(folder) {
  for (const file of listFiles(join("out", folder))) {
    const source = relative("out", file).replace(/\.(d\.ts|js\.map|js)$/, ".ts");
    if (source.endsWith(".ts") && !existsSync(join(root, source))) {
      rmSync(join(root, file), { force: true });
      removeEmptyFolders(dirname(join(root, file)));
    }
  }
}

function removeEmptyFolders(folder) {
  if (folder.startsWith(join(root, "out") + sep) && readdirSync(folder).length === 0) {
    rmdirSync(folder);
    removeEmptyFolders(dirname(folder));
  }
}

async function compile(projects) {
  const compiler = createRequire(import.meta.url).resolve("typescript/package.json");
  const { bin } = JSON.parse(readFileSync(compiler, "utf8"));
  await runNode([join(dirname(compiler), bin.tsc), "-b", ...projects], {
    failure: "The types do not hold: see above.",
  });
}

/**
 * Makes the files that run. Some sources may be given by path, to be taken in place of the files: so the tests make a
 * broker with a rule taken out, beside the one that is installed.
 */
export async function bundle({ dist = join(root, "dist"), sources = new Map() } = {}) {
  const missing = doors.filter(({ entry }) => !existsSync(join(root, entry)));
  if (missing.length > 0) {
    throw new Stop(`Entry points are missing: ${missing.map(({ entry }) => entry).join(", ")}`);
  }
  const esbuild = await import("esbuild");
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const inputs = new Set();
  const written = new Set();
  try {
    for (const one of bundles) {
      const made = await bundleOne(esbuild, one, { version, dist, sources });
      for (const input of made.inputs) {
        inputs.add(input);
      }
      for (const path of made.written) {
        written.add(path);
      }
    }
  } finally {
    // Its service process would else live as long as this one, and this one may become the broker.
    await esbuild.stop();
  }
  for (const source of sources.keys()) {
    if (!inputs.has(source)) {
      throw new Stop(`${source} is in none of the bundles`);
    }
  }
  removeOld(dist, written);
  writeAtomically(join(dist, "THIRD-PARTY-LICENSES.txt"), noticeOf(inputs));
}

/** Pieces whose names have changed with what is in them, bundles of an earlier version of this file, what was kept of these. */
function removeOld(dist, written) {
  for (const folder of new Set([resolve(dist), ...[...written].map((path) => dirname(path))])) {
    const names = [...written].filter((path) => dirname(path) === folder).map((path) => basename(path));
    const isWanted = (name) => names.some((one) => name === one || name.startsWith(`${one}.`));
    for (const name of readdirSync(folder)) {
      if (/\.c?js(\.|$)/.test(name) && !isWanted(name)) {
        rmSync(join(folder, name));
      }
    }
  }
}

/** Answers the files that went into the bundle, and those that it was written to. */
async function bundleOne(
  esbuild,
  { entry, out, beside = [], executable, pieces, later = [], inside = [] },
  { version, dist, sources },
) {
  const { dir } = parse(join(dist, out));
  const made = [{ entry, out }, ...beside];
  const commonJs = isCommonJs(out);
  const result = await esbuild.build({
    absWorkingDir: root,
    entryPoints: made.map((door) => ({ in: door.entry, out: parse(door.out).name })),
    outdir: dir,
    chunkNames: `${pieces ?? ""}[name]-[hash]`,
    splitting: pieces !== undefined,
    bundle: true,
    platform: "node",
    format: commonJs ? "cjs" : "esm",
    target: "node20",
    external: [...external.filter((name) => !inside.includes(name)), ...later],
    // A character beyond Latin-1 would have the whole file kept in two bytes each, and read at half the speed.
    charset: "ascii",
    legalComments: "none",
    define: {
      "process.env.HOLDFAST_VERSION": JSON.stringify(version),
      // src/store/pipe/kept-code.ts gives it.
      ...(commonJs ? { "import.meta.url": "__moduleUrl" } : {}),
    },
    outExtension: commonJs ? { ".js": ".cjs" } : {},
    plugins: sources.size === 0 ? [] : [inPlaceOf(sources)],
    metafile: true,
    write: false,
    logLevel: "warning",
  });
  const isDoor = ({ path }) => made.some((door) => path === resolve(dist, door.out));
  // The doors last: what they import is there before they are.
  const files = result.outputFiles.toSorted((a, b) => Number(isDoor(a)) - Number(isDoor(b)));
  for (const file of files) {
    writeBundle(file.path, file.text, executable === true && isDoor(file));
  }
  return { inputs: Object.keys(result.metafile.inputs), written: files.map(({ path }) => path) };
}

function isCommonJs(out) {
  return out.endsWith(".cjs");
}

function inPlaceOf(sources) {
  return {
    name: "in place of",
    setup: ({ onLoad }) =>
      onLoad({ filter: /\.ts$/ }, ({ path }) => {
        const contents = sources.get(relative(root, path));
        return contents === undefined ? undefined : { contents, loader: "ts" };
      }),
  };
}

/**
 * CommonJS packages inside an ES module still call `require` for Node's own modules, and esbuild's stand-in for it
 * only works if a real one is in scope. A bundle without such packages stays without the line.
 */
function writeBundle(path, text, executable) {
  const interpreter = executable ? "#!/usr/bin/env node\n" : "";
  const body = text.replace(/^#!.*\n/, "");
  if (isCommonJs(path)) checkAscii(path, body);
  const needsRequire = !isCommonJs(path) && body.includes("typeof require !==");
  const require = needsRequire
    ? 'import { createRequire as __createRequire } from "node:module";\nconst require = __createRequire(import.meta.url);\n'
    : "";
  writeAtomically(path, interpreter + require + body, executable ? 0o755 : 0o644);
}

/** It is read as Latin-1, and esbuild leaves comments and regular expressions as they are; in comments it does no harm. */
function checkAscii(path, text) {
  for (const [i, line] of text.split("\n").entries()) {
    if (/[^\t -~]/.test(line) && !/^\s*(\/\/|\/?\*)/.test(line)) {
      throw new Error(`${path}:${i + 1} has a character that is not ASCII; write it as an escape: ${line.trim()}`);
    }
  }
}

/** A broker may be starting from this file at this moment: it sees the old one or the new one, never half. */
function writeAtomically(path, text, mode = 0o644) {
  mkdirSync(dirname(path), { recursive: true });
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, text);
  chmodSync(draft, mode);
  renameSync(draft, path);
}

/** The licences of the packages inside the bundles, as those licences demand. */
function noticeOf(inputs) {
  const packages = new Map();
  for (const input of inputs) {
    const found = /^(.*\bnode_modules\/((?:@[^/]+\/)?[^/]+))\//.exec(input);
    if (found !== null) {
      packages.set(found[2], found[1]);
    }
  }
  const notices = [...packages].sort().map(([name, folder]) => {
    const path = join(root, folder);
    const { version, license } = JSON.parse(readFileSync(join(path, "package.json"), "utf8"));
    const file = readdirSync(path).find((entry) => /^licen[cs]e/i.test(entry));
    const text = file === undefined ? "" : `\n\n${readFileSync(join(path, file), "utf8").trim()}`;
    return `${name} ${version} (${license})${text}\n`;
  });
  return `These packages are part of the files beside this one.\n\n${notices.join(`\n${"-".repeat(72)}\n\n`)}`;
}

/** Copies the declarations that can be reached from the package's two doors, and no others. */
function copyDeclarations() {
  const target = join(root, "dist", "types");
  rmSync(target, { recursive: true, force: true });
  const waiting = declarations.map((file) => join(root, "out", "src", file));
  const seen = new Set(waiting);
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const text = readFileSync(path, "utf8").replace(/\n\/\/# sourceMappingURL=.*\n?$/, "\n");
    writeAtomically(join(target, relative(join(root, "out", "src"), path)), text);
    for (const [, specifier] of text.matchAll(/(?:from|import)\s*\(?\s*"(\.{1,2}\/[^"]+)\.js"/g)) {
      const next = `${resolve(dirname(path), specifier)}.d.ts`;
      if (!seen.has(next)) {
        seen.add(next);
        waiting.push(next);
      }
    }
  }
}
