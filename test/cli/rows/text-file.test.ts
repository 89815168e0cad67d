import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { test } from "node:test";
import { linesOf, NotUtf8, textFile } from "../../../src/cli/rows/text-file.js";
import { tempDir } from "../../support/temp-dir.js";

async function textOf(parts: readonly Uint8Array[]): Promise<string> {
  let text = "";
  for await (const part of textFile("-", () => Readable.from(parts)).text) text += part;
  return text;
}

test("signs that are cut by the parts in which a file is read are whole, and a byte order mark is none of the text", async () => {
  const bytes = Buffer.from("\ufeffé日本\u{1f600}");
  const one = Array.from(bytes, (byte) => Uint8Array.of(byte));
  assert.equal(await textOf(one), "é日本\u{1f600}");
});

test("what is not UTF-8 is refused, also when it ends in the middle of a sign", async () => {
  await assert.rejects(textOf([Buffer.from("a\n"), Uint8Array.of(0xe9, 0x0a)]), NotUtf8);
  await assert.rejects(textOf([Buffer.from("é").subarray(0, 1)]), NotUtf8);
});

test("a file is read bit by bit, and says how far", async (t) => {
  const path = join(tempDir(t), "file");
  writeFileSync(path, "x".repeat(300_000));
  const file = textFile(path, () => assert.fail("stdin is not asked"));
  const seen: number[] = [];
  for await (const part of file.text) if (part !== "") seen.push(file.bytes());
  assert.ok(seen.length > 1 && (seen[0] ?? 0) < 300_000);
  assert.equal(seen.at(-1), 300_000);
});

async function* parts(...texts: string[]): AsyncGenerator<string> {
  yield* texts;
}

test("lines end with a line feed, wherever the parts are cut, and the last one need not", async () => {
  const lines: [number, string][] = [];
  for await (const { at, text } of linesOf(parts("a\r", "\n\nb\u2028", "c\n", "d\re"), 100)) lines.push([at, text]);
  assert.deepEqual(lines, [
    [1, "a"],
    [2, ""],
    [3, "b\u2028c"],
    [4, "d\re"],
  ]);
});

test("a line without an end does not fill the memory", async () => {
  async function* endless(): AsyncGenerator<string> {
    for (;;) yield "x".repeat(1000);
  }
  const read = async () => {
    for await (const line of linesOf(endless(), 10_000)) assert.fail(`a line of ${line.text.length}`);
  };
  await assert.rejects(read(), /line 1 is longer than 10000 characters/);
});
