/**
 * What an app gets that installs the package: declarations that its own strict compiler takes without any package of
 * ours, a library that runs without the server's code, and bundles that import nothing but the run-time dependencies.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { builtinModules } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { type TestLife, tempDir } from "../support/temp-dir.js";
import { codeOf, filesIn, plant, read, root } from "./tree.js";

const consumer = `
import { connect } from "holdfast";
import * as testing from "holdfast/testing";

type IsAny<T> = 0 extends 1 & T ? true : false;

export type Broker = Awaited<ReturnType<typeof connect>>;
// Were the declarations not found, or full of holes, these would be true.
export const connectIsAny: IsAny<typeof connect> = false;
export const brokerIsAny: IsAny<Broker> = false;
export const testingIsAny: IsAny<typeof testing> = false;
export const use: (open: typeof connect) => unknown = (open) => open;
`;

const settings = {
  compilerOptions: {
    target: "es2023",
    lib: ["es2023", "esnext.disposable"],
    module: "nodenext",
    moduleResolution: "nodenext",
    types: ["node"],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noImplicitOverride: true,
    noPropertyAccessFromIndexSignature: true,
    verbatimModuleSyntax: true,
    isolatedModules: true,
    skipLibCheck: false,
    noEmit: true,
  },
  files: ["app.ts"],
};

/** A project of somebody else's, with the package installed as npm would: its files, and only some packages beside it. */
function app(t: TestLife, packages: string[]): string {
  const place = tempDir(t);
  plant(place, "package.json", JSON.stringify({ name: "app", type: "module", private: true }));
  const installed = join(place, "node_modules", "holdfast");
  for (const part of ["package.json", "dist"]) {
    assert.ok(existsSync(join(root, part)), `${part} is missing: the build has not made the library yet`);
    cpSync(join(root, part), join(installed, part), { recursive: true });
  }
  for (const name of packages) {
    const target = join(place, "node_modules", name);
    mkdirSync(join(target, ".."), { recursive: true });
    // A copy of the types, since what they import is looked for beside them; a link suffices for what runs.
    if (name.startsWith("@types/") || name === "undici-types") {
      cpSync(join(root, "node_modules", name), target, { recursive: true });
    } else {
      symlinkSync(join(root, "node_modules", name), target);
    }
  }
  return place;
}

test("a strict consumer compiles against the library, with the types of Node and no others", (t) => {
  const place = app(t, ["@types/node", "undici-types"]);
  plant(place, "app.ts", consumer);
  plant(place, "tsconfig.json", JSON.stringify(settings));
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  const { stdout, status } = spawnSync(process.execPath, [compiler, "-p", ".", "--pretty", "false"], {
    cwd: place,
    encoding: "utf8",
  });
  assert.equal(stdout, "");
  assert.equal(status, 0);
});

test("the public declarations import no package", () => {
  const declarations = filesIn("dist/types").filter((file) => file.endsWith(".d.ts"));
  assert.ok(declarations.includes("dist/types/client/index.d.ts"), "the build has not made the library's types yet");
  const offences = declarations.flatMap((file) => {
    // What examples in comments import is for the reader.
    const text = read(file).replace(/\/\*[\s\S]*?\*\//g, "");
    const imports = [...text.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)].map((match) => match[1] ?? "");
    return imports
      .filter((specifier) => !/^(?:\.{1,2}\/|node:)/.test(specifier))
      .map((specifier) => `${file} imports ${specifier}`);
  });
  assert.deepEqual(offences, []);
});

test("an app imports the library where neither better-sqlite3 nor pino is installed", (t) => {
  const place = app(t, ["ws"]);
  plant(place, "app.mjs", 'import { connect } from "holdfast";\n\nprocess.stdout.write(typeof connect);\n');
  const { stdout, stderr } = spawnSync(process.execPath, ["app.mjs"], { cwd: place, encoding: "utf8" });
  assert.equal(stdout, "function", stderr);
});

test("what holdfast/testing throws is what an app knows by the classes of holdfast, and is called so", (t) => {
  const place = app(t, ["ws"]);
  const text = `
import { inspect } from "node:util";
import { HoldfastError } from "holdfast";
import { EphemeralBroker } from "holdfast/testing";
const own = new EphemeralBroker(${JSON.stringify(join(place, "broker"))}, {});
const error = await own.connect({ role: "king" }).catch((error) => error);
process.stdout.write(error.code + " " + (error instanceof HoldfastError) + " " + [error.stack, inspect(error)].map((text) => text.split(":")[0]));
`;
  plant(place, "app.mjs", text);
  const { stdout, stderr } = spawnSync(process.execPath, ["app.mjs"], { cwd: place, encoding: "utf8" });
  assert.equal(stdout, "MISUSE true HoldfastError,HoldfastError", stderr);
});

test("the bundles import nothing but Node and the run-time dependencies", () => {
  const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const allowedFor = (file: string) => (file.startsWith("dist/client/") ? ["ws"] : Object.keys(dependencies));
  const bundles = filesIn("dist").filter((file) => file.endsWith(".js"));
  assert.ok(bundles.includes("dist/client/index.js"), "the build has not made the library yet");
  const offences = bundles.flatMap((file) => {
    const text = read(file);
    const code = codeOf(text);
    const imports = [...text.matchAll(/^import\s[^;"]*?"([^"\n]+)"|\bimport\("([^"\n]+)"\)/gm)]
      .filter((match) => code[match.index] !== " ")
      .map((match) => match[1] ?? match[2] ?? "");
    return imports
      .filter((name) => !/^\.{1,2}\//.test(name) && !isOfNode(name))
      .filter((name) => !allowedFor(file).includes(name))
      .map((name) => `${file} imports ${name}`);
  });
  assert.deepEqual(offences, []);
});

/** Bundled CommonJS packages name Node's modules without `node:`. */
function isOfNode(name: string): boolean {
  return name.startsWith("node:") || builtinModules.includes(name);
}
