import assert from "node:assert/strict";
import {
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { loadBundle } from "../../../src/store/pipe/kept-code.js";

const dir = mkdtempSync(join(tmpdir(), "holdfast-kept-"));
after(() => rmSync(dir, { recursive: true, force: true }));

let bundles = 0;

interface Counted {
  readonly answer: (n: number) => number;
  readonly url: string;
  readonly file: string;
}

function source(factor: number): string {
  return `exports.answer = (n) => n * ${factor}; exports.url = __moduleUrl; exports.file = require("node:path").basename(__filename);`;
}

/** A bundle of its own, loaded once and kept. */
function keptBundle(): { path: string; kept: string } {
  const path = join(dir, `bundle-${++bundles}.cjs`);
  writeFileSync(path, source(2));
  const { exports, keep } = loadBundle<Counted>(path);
  assert.equal(exports.answer(21), 42);
  keep();
  return { path, kept: onlyKept(path) };
}

function onlyKept(path: string): string {
  const names = readdirSync(dir).filter((name) => join(dir, name).startsWith(`${path}.`));
  assert.equal(names.length, 1, `one file is kept of ${path}, no draft is left: ${names}`);
  return join(dir, names[0] ?? "");
}

/** Whether what is kept was good enough: then it is not written again. */
function isUsed(path: string, kept: string): boolean {
  const before = statSync(kept).ino;
  loadBundle(path).keep();
  return statSync(onlyKept(path)).ino === before;
}

test("a bundle sees what a module sees", () => {
  const { path } = keptBundle();
  const { exports } = loadBundle<Counted>(path);
  assert.equal(exports.url, `file://${path}`);
  assert.equal(exports.file, path.slice(dir.length + 1));
});

test("what is kept is used by the next, and left as it is", () => {
  const { path, kept } = keptBundle();
  assert.ok(isUsed(path, kept));
  assert.equal(loadBundle<Counted>(path).exports.answer(4), 8);
});

test("a bundle of the same length with other words is not taken for the one that was kept", () => {
  const { path, kept } = keptBundle();
  writeFileSync(path, source(3));
  assert.equal(loadBundle<Counted>(path).exports.answer(21), 63);
  assert.ok(!isUsed(path, kept), "and is kept in its place");
  assert.ok(isUsed(path, kept));
});

test("what is kept and was damaged is not used: a byte, the end, all of it", () => {
  const { path, kept } = keptBundle();
  const whole = readFileSync(kept);
  const damages: readonly [string, (bytes: Buffer) => Buffer][] = [
    ["a byte in the middle", (bytes) => flipped(bytes, bytes.length >> 1)],
    ["the last byte", (bytes) => flipped(bytes, bytes.length - 1)],
    ["the end is zeros", (bytes) => bytes.fill(0, bytes.length >> 1)],
    ["the end is missing", (bytes) => bytes.subarray(0, bytes.length >> 1)],
    ["only the hash", (bytes) => bytes.subarray(0, 32)],
    ["nothing", () => Buffer.alloc(0)],
  ];
  for (const [what, damage] of damages) {
    writeFileSync(kept, damage(Buffer.from(whole)));
    assert.equal(loadBundle<Counted>(path).exports.answer(21), 42, what);
    assert.ok(!isUsed(path, kept), `${what}: is kept anew`);
    assert.ok(isUsed(path, kept), what);
  }
});

test("what somebody else has written beside the bundle is not used", {
  skip: process.getuid?.() !== 0 && "only root can give files away",
}, () => {
  const { path, kept } = keptBundle();
  chownSync(kept, 12345, 12345);
  assert.ok(!isUsed(path, kept));
  chownSync(kept, 12345, 12345);
  chownSync(path, 12345, 12345);
  assert.ok(isUsed(path, kept), "who owns the bundle can have us run anything as it is");
});

test("what cannot be written is not kept, and nothing is left of the attempt", () => {
  const { path, kept } = keptBundle();
  rmSync(kept);
  // A directory stands where the file would come: that holds for root too.
  mkdirSync(kept);
  loadBundle<Counted>(path).keep();
  assert.ok(statSync(onlyKept(path)).isDirectory());
  assert.equal(loadBundle<Counted>(path).exports.answer(21), 42);
});

test("what lies elsewhere is not followed, though it is ours and whole; a file of its own takes its place", () => {
  const { path, kept } = keptBundle();
  const elsewhere = join(dir, "elsewhere");
  renameSync(kept, elsewhere);
  symlinkSync(elsewhere, kept);
  loadBundle(path).keep();
  assert.ok(lstatSync(onlyKept(path)).isFile());
  assert.ok(isUsed(path, kept));
});

test("a draft of a process that was killed is taken away, and the next keeps its own", () => {
  const { path, kept } = keptBundle();
  rmSync(kept);
  const draft = kept.replace(/kept$/, "draft.kept");
  writeFileSync(draft, "half of");
  loadBundle(path).keep();
  assert.ok(!existsSync(draft));
  loadBundle(path).keep();
  assert.equal(onlyKept(path), kept);
});

test("a draft that cannot be made nor taken away does not disturb who keeps", () => {
  const { path, kept } = keptBundle();
  rmSync(kept);
  // A directory stands there: that holds for root too.
  mkdirSync(kept.replace(/kept$/, "draft.kept"));
  loadBundle<Counted>(path).keep();
  assert.ok(!existsSync(kept));
});

function flipped(bytes: Buffer, at: number): Buffer {
  bytes[at] = (bytes[at] ?? 0) ^ 0xff;
  return bytes;
}
