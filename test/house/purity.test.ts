/** Pure rooms have no clock, timer, randomness, process or file: the compiler or the linter refuses each. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { roomNames, rooms } from "./rooms.js";
import { compile, emptyHouse, importsOf, lint, plant, sourcesIn } from "./tree.js";

const impurities: Record<string, string> = {
  "date-now": "export const found = Date.now();\n",
  "new-date": "export const found = new Date();\n",
  "math-random": "export const found = Math.random();\n",
  "math-random-passed-on": "export const found = Math.random;\n",
  "locale-compare": 'export const found = ["b", "a"].sort((x, y) => x.localeCompare(y));\n',
  "locale-string": "export const found = (5).toLocaleString();\n",
  intl: "export const found = new Intl.NumberFormat();\n",
  "set-timeout": "export const found = setTimeout(() => {}, 1);\n",
  "set-immediate": "export const found = setImmediate(() => {});\n",
  "queue-microtask": "export const found = queueMicrotask(() => {});\n",
  performance: "export const found = performance.now();\n",
  process: "export const found = process.pid;\n",
  buffer: "export const found = Buffer.alloc(1);\n",
  console: 'console.log("x");\n\nexport {};\n',
  crypto: "export const found = crypto.randomUUID();\n",
  global: 'export const found = Reflect.get(globalThis, "Date");\n',
  "node-fs": 'import { readFileSync } from "node:fs";\n\nexport const found = readFileSync;\n',
  "node-type": 'import type { Socket } from "node:net";\n\nexport type Found = Socket;\n',
};

const pure = roomNames.filter((room) => rooms[room].pure);

test("nothing impure passes in a pure room", (t) => {
  const house = emptyHouse(t);
  const files = pure.flatMap((room) =>
    Object.entries(impurities).map(([name, text]) => {
      const file = `src/${room}/${name}.ts`;
      plant(house, file, text);
      return file;
    }),
  );
  // The control: what is refused above for being impure is not refused for another reason.
  plant(house, "src/core/control.ts", "export const found = Math.max(1, 2);\n");

  const errors = compile(house);
  const findings = lint(house).filter((line) => /noRestrictedGlobals|title=plugin/.test(line));

  const isRefused = (file: string) =>
    errors.some((line) => line.startsWith(`${file}(`)) || findings.some((line) => line.includes(`file=${file},`));
  assert.deepEqual(
    files.filter((file) => !isRefused(file)),
    [],
  );
  assert.equal(isRefused("src/core/control.ts"), false);
});

test("protocol and places have Node's types, yet no clock, randomness or process", (t) => {
  const house = emptyHouse(t);
  const impure = ["date-now", "math-random", "locale-compare", "performance", "process", "set-timeout"];
  for (const room of ["protocol", "places"]) {
    for (const name of impure) {
      plant(house, `src/${room}/${name}.ts`, impurities[name] ?? assert.fail(name));
    }
  }
  const findings = lint(house);
  for (const room of ["protocol", "places"]) {
    for (const name of impure) {
      assert.ok(
        findings.some((line) => line.includes(`file=src/${room}/${name}.ts,`)),
        `${name} passes in ${room}`,
      );
    }
  }
});

test("a room imports no package and no module of Node's but those the law of the house names", () => {
  const offences = roomNames.flatMap((room) => {
    const outside: readonly string[] = rooms[room].outside;
    const inner = roomNames.filter((name) => name.startsWith(`${room}/`));
    return sourcesIn(`src/${room}`)
      .filter((file) => !inner.some((name) => file.startsWith(`src/${name}/`)))
      .flatMap((file) => importsOf(file).map(({ specifier }) => ({ file, specifier })))
      .filter(({ specifier }) => !specifier.startsWith("."))
      .filter(({ specifier }) => !outside.some((name) => isWithin(specifier, name)))
      .map(({ file, specifier }) => `${file} imports ${specifier}`);
  });
  assert.deepEqual(offences, []);
});

/** `typebox` allows `typebox/value`, `node:*` all of Node. */
function isWithin(specifier: string, name: string): boolean {
  return specifier === name || specifier.startsWith(`${name}/`) || (name === "node:*" && specifier.startsWith("node:"));
}
