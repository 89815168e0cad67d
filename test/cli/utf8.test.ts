import assert from "node:assert/strict";
import { test } from "node:test";
import { cli, Holdfast } from "./holdfast.js";

test("an argument that is not UTF-8 is refused, and one that has the sign for such bytes is taken", async (t) => {
  const holdfast = new Holdfast(t);
  const shell = (words: string) =>
    holdfast.run([], { program: ["bash", ["-c", `"$1" "$2" ${words}`, "bash", process.execPath, cli]] });
  for (const words of ["lock x -- echo $'caf\\xe9'", "sql 'select ?' $'caf\\xe9'"]) {
    const { code, out, err } = await shell(words);
    assert.deepEqual([code, out], [64, ""], words);
    assert.match(err, /the argument "caf\uFFFD" is not UTF-8/, words);
  }
  const { code, out } = await shell("sql 'select ?' $'\\xef\\xbf\\xbd'");
  assert.deepEqual([code, out], [0, "\uFFFD\n"]);
});
