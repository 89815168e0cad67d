/** What happens in one place only, so that one page answers for it: each driver, each clock, each timer. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { codeOf, importsOf, read, sourcesIn } from "./tree.js";

/** Packages, and the only files that may import them (types included: a narrow shape of one's own serves better). */
const packages: Record<string, string[]> = {
  "better-sqlite3": ["src/sqlite/open.ts"],
  ws: ["src/transport/websocket.ts", "src/client/socket.ts"],
  pino: ["src/daemon/log.ts"],
  ioredis: ["src/front/engine/redis.ts"],
};

const pulses = ["src/front/pulse.ts", "src/client/pulse.ts", "src/daemon/pulse.ts"];

/** The command line waits for people and tells them how long it took; no promise of the broker hangs on that. */
const unbound = "src/cli/";

/** What waits or tells the time, as it is written in code, and the only files that may. */
const clocks: { what: string; pattern: RegExp; files: string[] }[] = [
  { what: "a timer", pattern: /\b(?:setTimeout|setInterval)\b/, files: pulses },
  { what: "setImmediate", pattern: /\bsetImmediate\b/, files: [...pulses, "src/store/pipe/frames.ts"] },
  { what: "the steady clock", pattern: /\bperformance\.now\b|\bhrtime\b/, files: pulses },
  { what: "the wall clock", pattern: /\bDate\.now\b|\bnew Date\(\s*\)|\bDate\(\s*\)/, files: pulses },
];

/** Modules that are timers or clocks by another name. */
const clockModules = ["node:timers", "node:timers/promises", "node:perf_hooks"];

/** Files that need one of these beside the places above, each with its reason. A file of its own: test/house/exceptions.json. */
const exceptions = JSON.parse(read("test/house/exceptions.json")) as { file: string; what: string; because: string }[];

const sources = sourcesIn("src");

test("a package with a place of its own is imported there and nowhere else", () => {
  const offences = sources.flatMap((file) =>
    importsOf(file)
      .filter(({ specifier }) => packages[specifier]?.includes(file) === false && !isExcepted(file, specifier))
      .map(({ specifier }) => `${file} imports ${specifier}`),
  );
  assert.deepEqual(offences, []);
});

test("timers and clocks are in the pulses and nowhere else", () => {
  const bound = sources.filter((file) => !file.startsWith(unbound));
  const offences = bound.flatMap((file) => {
    const code = codeOf(read(file));
    const used = clocks.filter(({ what, pattern, files }) => {
      return pattern.test(code) && !files.includes(file) && !isExcepted(file, what);
    });
    const imported = importsOf(file).filter(({ specifier }) => {
      return clockModules.includes(specifier) && !pulses.includes(file) && !isExcepted(file, specifier);
    });
    return [
      ...used.map(({ what }) => `${file} uses ${what}`),
      ...imported.map(({ specifier }) => `${file} imports ${specifier}`),
    ];
  });
  assert.deepEqual(offences, []);
});

test("the command line enters the daemon in commands/serve.ts alone, and only when it serves", () => {
  const entries = sources
    .filter((file) => file.startsWith("src/cli/"))
    .flatMap((file) => importsOf(file).map((one) => ({ ...one, from: file })))
    .filter(({ file }) => file?.startsWith("src/daemon/"));
  for (const { from, lazy } of entries) {
    assert.equal(from, "src/cli/commands/serve.ts");
    assert.ok(lazy, `${from} imports the daemon with import(), so that no other command loads it`);
  }
});

test("every exception is still needed", () => {
  const unneeded = exceptions.filter(({ file, what }) => {
    if (!sources.includes(file)) {
      return true;
    }
    const clock = clocks.find((one) => one.what === what);
    return clock === undefined
      ? !importsOf(file).some(({ specifier }) => specifier === what)
      : !clock.pattern.test(codeOf(read(file)));
  });
  assert.deepEqual(unneeded, []);
});

function isExcepted(file: string, what: string): boolean {
  return exceptions.some((one) => one.file === file && one.what === what);
}
