import assert from "node:assert/strict";
import { test } from "node:test";
import { fenceOf, namedValue, valueOfWord } from "../../src/cli/sql-values.js";

test("a word that reads as SQLite prints an integer is one, up to 64 bits", () => {
  assert.equal(valueOfWord("12", false), 12n);
  assert.equal(valueOfWord("-3", false), -3n);
  assert.equal(valueOfWord("0", false), 0n);
  assert.equal(valueOfWord("9007199254740993", false), 9007199254740993n);
  assert.equal(valueOfWord("9223372036854775807", false), 9223372036854775807n);
  assert.equal(valueOfWord("-9223372036854775808", false), -9223372036854775808n);
});

test("a word with a point between digits is a REAL, also when its fraction is zero", () => {
  assert.deepEqual(valueOfWord("2.5", false), { real: 2.5 });
  assert.deepEqual(valueOfWord("2.0", false), { real: 2 });
  assert.deepEqual(valueOfWord("-0.5", false), { real: -0.5 });
  assert.deepEqual(valueOfWord("1.5e3", false), { real: 1500 });
});

test("what would not come back as it was typed stays text", () => {
  for (const word of [
    "",
    "007",
    "+1",
    "-0",
    "0x10",
    "1e5",
    "1.",
    ".5",
    " 1",
    "1 ",
    "NaN",
    "Infinity",
    "null",
    "1_000",
    "1.0e999",
  ])
    assert.equal(valueOfWord(word, false), word, JSON.stringify(word));
  assert.equal(valueOfWord("9223372036854775808", false), "9223372036854775808");
});

test("--text makes everything text", () => {
  assert.equal(valueOfWord("12", true), "12");
  assert.deepEqual(namedValue("n=12", { asText: true }), { name: "n", value: "12" });
});

test("a named value takes the same habits, and a type when one is given", () => {
  const take = (word: string) => namedValue(word, { asText: false });
  assert.deepEqual(take("n=5"), { name: "n", value: 5n });
  assert.deepEqual(take(":n=five"), { name: "n", value: "five" });
  assert.deepEqual(take("n=a=b:c"), { name: "n", value: "a=b:c" });
  assert.deepEqual(take("n="), { name: "n", value: "" });
  assert.deepEqual(take("n:text=5"), { name: "n", value: "5" });
  assert.deepEqual(take("n:int=+0012"), { name: "n", value: 12n });
  assert.deepEqual(take("n:real=2"), { name: "n", value: { real: 2 } });
  assert.deepEqual(take("n:real=-inf"), { name: "n", value: { real: -Infinity } });
  assert.deepEqual(take("n:null"), { name: "n", value: null });
  assert.deepEqual(take("b:blob=00fF"), { name: "b", value: new Uint8Array([0, 255]) });
  assert.deepEqual(take("b:blob="), { name: "b", value: new Uint8Array() });
});

test("a blob can come from a file", () => {
  const readFile = (path: string) => new TextEncoder().encode(`bytes of ${path}`);
  const { value } = namedValue("b:blob=@some/file", { asText: false, readFile });
  assert.deepEqual(value, new TextEncoder().encode("bytes of some/file"));
});

test("a value that cannot be meant says what is wrong with it", () => {
  const wrong = (word: string) => {
    try {
      namedValue(word, { asText: false });
    } catch (error) {
      assert.ok(error instanceof RangeError);
      return error.message;
    }
    return assert.fail(`${word} was taken`);
  };
  assert.match(wrong("5"), /"5" is not NAME=VALUE/);
  assert.match(wrong("n"), /gives no value/);
  assert.match(wrong("n:int"), /gives no value/);
  assert.match(wrong("n:null=1"), /a null has no value/);
  assert.match(wrong("n:number=1"), /the types are int, real, text, null, blob/);
  assert.match(wrong("n:int=1.5"), /"1.5" is not a whole number/);
  assert.match(wrong("n:int=9223372036854775808"), /64 bits/);
  assert.match(wrong("n:real=fast"), /"fast" is not a number/);
  assert.match(wrong("n:blob=abc"), /pairs of hexadecimal digits/);
});

test("a fence is a name and a token, and the name may have colons", () => {
  assert.deepEqual(fenceOf("deploy:17"), { name: "deploy", token: 17 });
  assert.deepEqual(fenceOf("a:b:17"), { name: "a:b", token: 17 });
  for (const word of ["deploy", ":17", "deploy:", "deploy:0", "deploy:1.5", "deploy:-1", `deploy:${2n ** 53n}`])
    assert.throws(() => fenceOf(word), RangeError, word);
});
