/**
 * Can the tests of this folder fail? Each is run once more, in an empty copy of the house into which violations were
 * planted, and must name every one of them; in the copy without any, all pass.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { refusals } from "../../src/terms/index.js";
import type { TestLife } from "../support/temp-dir.js";
import { roomNames } from "./rooms.js";
import { emptyHouse, filesIn, plant, read, root } from "./tree.js";

interface Violation {
  /** The test file that must notice. */
  readonly by: string;
  readonly file: string;
  /** What is added to the file, or what becomes of its text. */
  readonly text: string | ((before: string) => string);
  /** What the failing test must say. */
  readonly says: RegExp;
}

const violations: Record<string, Violation> = {
  "a second import of better-sqlite3": {
    by: "one-place",
    file: "src/ledger/index.ts",
    text: 'import Database from "better-sqlite3";\n\nexport const found = Database;\n',
    says: /src\/ledger\/index\.ts imports better-sqlite3/,
  },
  "an import of the types of ws alone": {
    by: "one-place",
    file: "src/front/index.ts",
    text: 'import type { WebSocket } from "ws";\n\nexport type Found = WebSocket;\n',
    says: /src\/front\/index\.ts imports ws/,
  },
  "a lazy import of pino": {
    by: "one-place",
    file: "src/front/index.ts",
    text: 'export const found = () => import("pino");\n',
    says: /src\/front\/index\.ts imports pino/,
  },
  "a timer outside the pulses": {
    by: "one-place",
    file: "src/daemon/index.ts",
    text: "export const found = setTimeout(() => undefined, 5);\n",
    says: /src\/daemon\/index\.ts uses a timer/,
  },
  "a timer by another name": {
    by: "one-place",
    file: "src/daemon/index.ts",
    text: 'export { setTimeout as later } from "node:timers/promises";\n',
    says: /src\/daemon\/index\.ts imports node:timers\/promises/,
  },
  "a clock inside a template": {
    by: "one-place",
    file: "src/store/index.ts",
    text: "export const found = `at ${performance.now()}`;\n",
    says: /src\/store\/index\.ts uses the steady clock/,
  },
  "the wall clock": {
    by: "one-place",
    file: "src/store/index.ts",
    text: "export const found = new Date();\n",
    says: /src\/store\/index\.ts uses the wall clock/,
  },
  "a command that enters the daemon": {
    by: "one-place",
    file: "src/cli/commands/status.ts",
    text: 'export const found = () => import("../../daemon/index.js");\n',
    says: /src\/cli\/commands\/status\.ts/,
  },
  "a package that a room has no business with": {
    by: "purity",
    file: "src/core/index.ts",
    text: 'export * from "typebox";\n',
    says: /src\/core\/index\.ts imports typebox/,
  },
  "a direction that only text can show": {
    by: "directions",
    file: "src/terms/index.ts",
    text: 'export * from "../core/index.js";\n',
    says: /src\/terms\/index\.ts imports \.\.\/core\/index\.js/,
  },
  "a joiner that decides": {
    by: "sizes",
    file: "src/core/core.ts",
    text: "export {};\n".repeat(301),
    says: /src\/core\/core\.ts has 30\d lines/,
  },
  "a file of 451 lines": {
    by: "sizes",
    file: "src/ledger/index.ts",
    text: "export {};\n".repeat(451),
    says: /src\/ledger\/index\.ts: 45\d lines/,
  },
  "a bucket": {
    by: "names",
    file: "src/front/socket-helpers.ts",
    text: "export {};\n",
    says: /src\/front\/socket-helpers\.ts/,
  },
  "a folder of buckets": {
    by: "names",
    file: "src/front/utils/clock.ts",
    text: "export {};\n",
    says: /src\/front\/utils\/clock\.ts/,
  },
  "a sixth process": {
    by: "names",
    file: "src/store/sweeper/sweeper.main.ts",
    text: "export {};\n",
    says: /sweeper\.main\.ts/,
  },
  "a file that nothing reaches": {
    by: "dead-files",
    file: "src/front/orphan.ts",
    text: "export {};\n",
    says: /src\/front\/orphan\.ts/,
  },
  "a path on the map that leads nowhere": {
    by: "architecture",
    file: "ARCHITECTURE.md",
    text: "`src/front/nowhere.ts`\n",
    says: /src\/front\/nowhere\.ts/,
  },
  "a room that the map forgets": {
    by: "architecture",
    file: "ARCHITECTURE.md",
    text: (before) => before.replace("`src/ledger/`", ""),
    says: /'ledger'/,
  },
  "a code of the table that the text lacks": {
    by: "refusal-table",
    file: "proto/PROTOCOL.md",
    text: (before) => before.replace("`LOCK_TIMEOUT`", "`LOCK_TIMEOUTS`"),
    says: /'LOCK_TIMEOUT'/,
  },
  "a code in the text that the table lacks": {
    by: "refusal-table",
    file: "proto/PROTOCOL.md",
    text: "| `NO_SUCH_CODE` | … |\n",
    says: /NO_SUCH_CODE/,
  },
  "an any": {
    by: "escapes",
    file: "src/front/index.ts",
    text: "export const found: any = 1;\n",
    says: /src\/front\/index\.ts': \{\s*\+?\s*'@ts-ignore': 1,\s*\+?\s*any: 1/,
  },
  "a compiler told to look away": {
    by: "escapes",
    file: "src/front/index.ts",
    text: "// @ts-ignore\nexport const found: string = 1;\n",
    says: /'@ts-ignore': 1/,
  },
  "a limit that the README tells wrongly": {
    by: "limits-table",
    file: "README.md",
    text: (old) => old.replace("| `readersMin` | 2 |", "| `readersMin` | 3 |"),
    says: /actual - expected/,
  },
  "a package without its hash": {
    by: "lock-file",
    file: "package-lock.json",
    text: (old) => old.replace(/("node_modules\/pino": \{[^}]*?)"integrity": "[^"]*",/, "$1"),
    says: /node_modules\/pino'/,
  },
  "a package that is bound to a host": {
    by: "lock-file",
    file: "package-lock.json",
    text: (old) => old.replace('"node_modules/ws": {', '$&"resolved": "https://somewhere/ws.tgz",'),
    says: /node_modules\/ws'/,
  },
  "a rule whose test is not there": {
    by: "rules-table",
    file: "test/RULES.md",
    text: (old) => `${old}- a sentence that no test has\n`,
    says: /names a test that is not there: a sentence that no test has/,
  },
  "a case whose test is not there": {
    by: "reliability-table",
    file: "test/RELIABILITY.md",
    text: (old) => `${old}- another sentence that no test has\n`,
    says: /R9 names a test that is not there: another sentence that no test has/,
  },
  "a skipped test": {
    by: "escapes",
    file: "test/front/front.test.ts",
    text: 'import { test } from "node:test";\n\ntest.skip("a sentence", () => undefined);\n',
    says: /test\/front\/front\.test\.ts/,
  },
};

/** The headings of a real table, each with this test. */
function tableWith(file: string, name: string): string {
  const headings = read(file)
    .split("\n")
    .filter((line) => /^## [A-Z]\d+\. /.test(line));
  return headings.map((heading) => `${heading}\n\n- ${name}\n`).join("\n");
}

/** The empty house with what must be there: the mains, the joiners, a map, a protocol, and the tests themselves. */
function furnishedHouse(t: TestLife): string {
  const house = emptyHouse(t);
  for (const main of ["cli/cli", "daemon/front", "store/reader/reader", "store/writer/writer"]) {
    plant(house, `src/${main}.main.ts`, "export {};\n");
  }
  plant(house, "src/core/index.ts", 'export * from "./core.js";\n');
  plant(house, "src/core/core.ts", "export {};\n");
  plant(house, "src/front/index.ts", 'export * from "./front.js";\n');
  plant(house, "src/front/front.ts", "export {};\n");
  plant(house, "ARCHITECTURE.md", roomNames.map((room) => `\`src/${room}/\`\n`).join(""));
  const codes = Object.keys(refusals).map((code) => `| \`${code}\` |\n`);
  plant(house, "proto/PROTOCOL.md", codes.join(""));
  for (const table of ["test/RULES.md", "test/RELIABILITY.md"]) plant(house, table, tableWith(table, "a sentence"));
  plant(house, "test/core/a.test.ts", 'test("a sentence", () => undefined);\n');
  plant(house, "test/house/allowances.json", "{}\n");
  plant(house, "test/house/exceptions.json", "[]\n");
  for (const file of [
    "README.md",
    "package-lock.json",
    "bench/peers/package-lock.json",
    ".npmrc",
    "bench/peers/.npmrc",
  ])
    plant(house, file, read(file));
  for (const part of ["out/test/house", "out/test/support/temp-dir.js", "out/src/terms"]) {
    cpSync(join(root, part), join(house, part), { recursive: true });
  }
  return house;
}

/** The part of a test file that reads the tree; the other parts plant for themselves, and take their time. */
const readers: Record<string, string> = {
  directions: "no room imports what the law",
  purity: "a room imports no package",
};

function runThere(house: string, name: string): string {
  // The standard reporter is another one in newer versions of Node.
  const how = ["--test", "--test-reporter=tap", `--test-name-pattern=${readers[name] ?? "."}`];
  const args = [...how, `out/test/house/${name}.test.js`];
  // With NODE_TEST_CONTEXT the runner inside would believe to be a child of the runner outside.
  const env = { ...process.env, NODE_TEST_CONTEXT: undefined };
  return spawnSync(process.execPath, args, { cwd: house, encoding: "utf8", env }).stdout;
}

const witnesses = [...new Set(Object.values(violations).map(({ by }) => by))];

for (const witness of witnesses) {
  test(`${witness}.test.ts notices what is planted, and nothing where nothing is planted`, async (t) => {
    const house = furnishedHouse(t);
    const before = runThere(house, witness);
    assert.match(before, /^# fail 0$/m, before);

    const planted = Object.entries(violations).filter(([, { by }]) => by === witness);
    for (const [, { file, text }] of planted) {
      const path = join(house, file);
      const old = existsSync(path) ? readFileSync(path, "utf8") : "";
      plant(house, file, typeof text === "string" ? old + text : text(old));
    }
    const after = runThere(house, witness);
    assert.match(after, /^# fail [1-9]/m, after);
    for (const [name, { says }] of planted) {
      await t.test(`${name} is noticed`, () => assert.match(after, says));
    }
  });
}

test("every test file of the house is either planted against here or plants its own violations", () => {
  const planting = ["directions", "doors", "purity", "planted", "library", "scripts"];
  const covered = new Set([...planting, ...Object.values(violations).map(({ by }) => by)]);
  const files = filesIn("test/house").filter((file) => file.endsWith(".test.ts"));
  assert.deepEqual(
    files.filter((file) => !covered.has(file.slice("test/house/".length, -".test.ts".length))),
    [],
  );
});
