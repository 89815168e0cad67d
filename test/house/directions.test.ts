/**
 * Who may import whom. In an empty copy of the house every room gets one file for each other room that imports it.
 * The compiler refuses what cannot be reached over references; what can be reached over the references of a neighbour
 * (references are transitive), and pure rooms past their house's door, the linter refuses.
 */
import assert from "node:assert/strict";
import { posix } from "node:path";
import { test } from "node:test";
import { mayImport, type RoomName, roomNames, roomOf } from "./rooms.js";
import { compile, emptyHouse, importsOf, lint, plant, sourcesIn } from "./tree.js";

interface Planted {
  readonly from: RoomName;
  readonly to: RoomName;
  readonly file: string;
}

/** One file for each wanted pair, in a folder of the importing room. */
function plantAll(house: string, folder: string, wanted: (from: RoomName, to: RoomName) => boolean): Planted[] {
  return roomNames.flatMap((from) =>
    roomNames
      .filter((to) => to !== from && wanted(from, to))
      .map((to) => {
        const place = posix.join("src", from, folder);
        const file = `${place}/to-${to.replace("/", "-")}.ts`;
        const door = posix.relative(place, `src/${to}/index.js`);
        const specifier = door.startsWith(".") ? door : `./${door}`;
        plant(house, file, `import type {} from "${specifier}";\n`);
        return { from, to, file };
      }),
  );
}

/** The command line may enter the daemon in one file only, which one-place.test.ts looks at. */
function isServe({ from, to }: Planted): boolean {
  return from === "cli" && to === "daemon";
}

for (const [where, folder] of [
  ["a room", "."],
  ["a folder of a room", "deeper"],
] as const) {
  test(`from ${where}, an import in a forbidden direction fails, for every pair of rooms`, (t) => {
    const house = emptyHouse(t);
    assert.deepEqual(compile(house), [], "the empty house compiles; its output now lies there, and must not help");
    const planted = plantAll(house, folder, (from, to) => !mayImport(from, to));

    const errors = compile(house);
    const findings = lint(house);

    const isRefused = (file: string) =>
      errors.some((line) => line.startsWith(`${file}(`) && /TS6059|TS6307/.test(line)) ||
      findings.some((line) => line.includes("noRestrictedImports") && line.includes(`file=${file},`));
    assert.ok(planted.length > 100, `planted ${planted.length}`);
    assert.deepEqual(
      planted.filter(({ file }) => !isRefused(file)).map(({ file }) => file),
      [],
    );
  });

  test(`from ${where}, an import in an allowed direction passes, for every pair of rooms`, (t) => {
    const house = emptyHouse(t);
    const planted = plantAll(house, folder, mayImport);

    assert.deepEqual(compile(house), []);

    const findings = lint(house);
    const refused = planted.filter(({ file }) => findings.some((line) => line.includes(`file=${file},`)));
    assert.deepEqual(
      refused.filter((one) => !isServe(one)),
      [],
    );
  });
}

test("no room imports what the law of the house does not name", () => {
  const offences = sourcesIn("src").flatMap((file) => {
    const from = roomOf(file);
    const wrong = importsOf(file).filter(({ file: target }) => {
      const to = target === undefined ? undefined : roomOf(target);
      return from !== undefined && target !== undefined && (to === undefined || !mayImport(from, to));
    });
    return wrong.map(({ specifier }) => `${file} imports ${specifier}`);
  });
  assert.deepEqual(offences, []);
});
