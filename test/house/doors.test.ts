/** A room is entered by its door, its index.ts; inside a room files import each other freely. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { emptyHouse, lint, plant } from "./tree.js";

/** A file, what it imports, and whether it may. All are in allowed directions: only the way in differs. */
const visits: [file: string, specifier: string, allowed: boolean][] = [
  ["src/core/a.ts", "../terms/ids.js", false],
  ["src/core/a.ts", "../terms/index.js", true],
  ["src/core/locks/a.ts", "../../terms/ids.js", false],
  ["src/core/locks/a.ts", "../../terms/index.js", true],
  ["src/core/locks/a.ts", "../deadlines.js", true],
  ["src/core/locks/a.ts", "../sessions/lease.js", true],
  ["src/core/a.ts", "./locks/wait-queue.js", true],
  ["src/front/a.ts", "../store/desk/pool.js", false],
  ["src/front/a.ts", "../store/gate/index.js", false],
  ["src/front/engine/a.ts", "../../store/desk/pool.js", false],
  ["src/front/engine/a.ts", "../../core/index.js", true],
  ["src/store/a.ts", "./gate/index.js", true],
  ["src/store/a.ts", "./gate/tokenizer.js", false],
  ["src/store/desk/a.ts", "../gate/index.js", true],
  ["src/store/desk/a.ts", "../gate/tokenizer.js", false],
  ["src/store/desk/a.ts", "../pipe/frames.js", true],
  ["src/store/gate/a.ts", "./tokenizer.js", true],
  ["src/client/a.ts", "./conversation/index.js", true],
  ["src/client/a.ts", "./conversation/resend.js", false],
  ["src/cli/commands/a.ts", "../../client/index.js", true],
  ["src/cli/commands/a.ts", "../../client/socket.js", false],
  ["src/cli/commands/a.ts", "../../daemon/index.js", false],
  ["src/cli/commands/serve.ts", "../../daemon/index.js", true],
  ["src/cli/commands/serve.ts", "../../daemon/signals.js", false],
  ["src/cli/shell/a.ts", "../../store/gate/index.js", true],
  ["src/cli/shell/a.ts", "../../store/gate/tokenizer.js", false],
  ["src/cli/shell/a.ts", "../../store/index.js", false],
  ["src/cli/demo/deeper/a.ts", "../../../client/socket.js", false],
  ["src/cli/demo/deeper/a.ts", "../../../client/index.js", true],
];

const kinds: [name: string, statement: (specifier: string) => string][] = [
  ["an import", (specifier) => `import * as it from "${specifier}";\n\nexport const found = it;\n`],
  ["an import of types", (specifier) => `import type * as it from "${specifier}";\n\nexport type Found = typeof it;\n`],
  ["a re-export", (specifier) => `export * from "${specifier}";\n`],
  ["a lazy import", (specifier) => `export const found = () => import("${specifier}");\n`],
];

for (const [name, statement] of kinds) {
  test(`${name} past a door fails, one through it passes`, (t) => {
    const house = emptyHouse(t);
    const files = visits.map(([file, specifier], index) => {
      // Its own name for each, so that findings can be told apart; serve.ts must keep its name, and stands alone.
      const path = file.endsWith("/a.ts") ? file.replace(/a\.ts$/, `a${index}.ts`) : file;
      if (!file.endsWith("/a.ts")) {
        const other = emptyHouse(t);
        plant(other, path, statement(specifier));
        return { path, refused: isRefused(lint(other), path) };
      }
      plant(house, path, statement(specifier));
      return { path, refused: undefined };
    });
    const findings = lint(house);
    const seen = files.map(({ path, refused }, index) => {
      const allowed = !(refused ?? isRefused(findings, path));
      return `${visits[index]?.[0]} -> ${visits[index]?.[1]}: ${allowed ? "allowed" : "refused"}`;
    });
    assert.deepEqual(
      seen,
      visits.map(([file, specifier, allowed]) => `${file} -> ${specifier}: ${allowed ? "allowed" : "refused"}`),
    );
  });
}

function isRefused(findings: string[], file: string): boolean {
  return findings.some((line) => line.includes("noRestrictedImports") && line.includes(`file=${file},`));
}
