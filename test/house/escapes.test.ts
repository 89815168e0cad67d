/**
 * Ways around the compiler and around a test: none, but for those that allowances.json counts, by file and kind.
 * The count must be exact: one more is refused, and one less is written down, so that it can only fall.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { codeOf, read, sourcesIn } from "./tree.js";

const escapes: { kind: string; pattern: RegExp; inComments: boolean }[] = [
  { kind: "any", pattern: /(?<![.\w$])any\b(?!\s*[:(])/g, inComments: false },
  { kind: "@ts-ignore", pattern: /@ts-(?:ignore|nocheck|expect-error)\b/g, inComments: true },
  { kind: "a house rule ignored", pattern: /biome-ignore.*(?:noRestricted|plugin|noExplicitAny)/g, inComments: true },
  { kind: "a skipped test", pattern: /\.(?:skip|todo)\(|\b(?:skip|todo): true\b/g, inComments: false },
  { kind: "a test alone", pattern: /\.only\(|\bonly: true\b/g, inComments: false },
];

/** These name what is looked for: this file, and the one that plants it. */
const naming = ["test/house/escapes.test.ts", "test/house/planted.test.ts"];

test("there is no way around the compiler or a test but those that are counted", () => {
  const found: Record<string, Record<string, number>> = {};
  for (const file of sourcesIn("src", "test", "bench").filter((one) => !naming.includes(one))) {
    const text = read(file);
    const code = codeOf(text);
    for (const { kind, pattern, inComments } of escapes) {
      const count = [...(inComments ? text : code).matchAll(pattern)].length;
      if (count > 0) {
        found[file] = { ...found[file], [kind]: count };
      }
    }
  }
  assert.deepEqual(found, JSON.parse(read("test/house/allowances.json")));
});

test("what is said in comments and texts is not taken for code", () => {
  const source = [
    "const a = 1; // any",
    "const b = 'any' + \"any\" + `any ${`any ${a} any`} any`; /* any",
    'any */ const c = /any[/any"]any/g.test(b);',
    "const d = a / 2 / a; const e: any = d;",
    "const f = `${{ any: 1 }.any}`;",
  ];
  const code = codeOf(source.join("\n"));
  assert.equal(code.length, source.join("\n").length);
  assert.deepEqual(
    code.split("\n").map((line) => line.match(/any/g)?.length ?? 0),
    [0, 0, 0, 1, 2],
  );
  assert.match(code, /const d = a \/ 2 \/ a; const e: any = d;/);
});
