import assert from "node:assert/strict";
import { test } from "node:test";
import { type Call, type Command, ExitWith } from "../../src/cli/command.js";
import type { Io } from "../../src/cli/io.js";
import { runProgram } from "../../src/cli/program.js";
import { HoldfastError } from "../../src/terms/index.js";

/** Runs the words against two small commands and gives what was written, said, called and returned. */
async function run(words: readonly string[], more: { run?: (call: Call) => Promise<number>; io?: Partial<Io> } = {}) {
  const calls: Call[] = [];
  let out = "";
  let err = "";
  const io: Io = {
    env: {},
    cwd: "/",
    stdin: { isTerminal: false, read: async () => "" },
    columns: undefined,
    lines: undefined,
    stderrIsTerminal: false,
    write: (bytes) => {
      out += bytes.toString();
    },
    flushed: async () => {},
    say: (text) => {
      err += text;
    },
    said: async () => {},
    ...more.io,
  };
  const take = async (call: Call) => {
    calls.push(call);
    return more.run === undefined ? 0 : more.run(call);
  };
  const look: Command = {
    prints: true,
    define: (parser) =>
      void parser.argument("[words...]").option("-n, --number <n>", "a number").option("-f", "a flag"),
    run: take,
  };
  const under: Command = {
    prints: false,
    operandsMax: 1,
    define: (parser) => void parser.argument("<name>").option("-w, --wait <time>", "time").option("-n", "not"),
    run: take,
  };
  const program = {
    version: "1.2.3",
    commands: [
      { name: "look", summary: "looks", load: async () => look },
      { name: "under", summary: "runs under", load: async () => under },
    ],
    bare: async (call: Call) => {
      calls.push(call);
      return 0;
    },
  };
  const code = await runProgram(program, words, io);
  return { code, out, err, calls, call: calls[0] };
}

test("global options may stand before and after the command", async () => {
  for (const words of [
    ["--dir", "/x", "look", "a"],
    ["look", "--dir", "/x", "a"],
    ["look", "a", "--dir=/x"],
    ["-q", "--dir=/x", "look", "a"],
  ]) {
    const { code, call } = await run(words);
    assert.equal(code, 0);
    assert.equal(call?.options.dir, "/x");
    assert.deepEqual(call?.operands, ["a"]);
  }
});

test("--no-start is known everywhere", async () => {
  assert.equal((await run(["look", "--no-start"])).call?.options.start, false);
  assert.equal((await run(["look"])).call?.options.start, true);
});

test("somebody else's command line is not looked into", async () => {
  for (const [words, operands, rest] of [
    [["under", "demo", "make", "-n", "--json", "--dir", "/y"], ["demo"], ["make", "-n", "--json", "--dir", "/y"]],
    [["under", "demo", "--", "make", "--", "x"], ["demo"], ["make", "--", "x"]],
    [["under", "-w", "5", "demo", "-n", "make"], ["demo"], ["make"]],
    [["under", "demo", "--wait=5", "--", "-weird"], ["demo"], ["-weird"]],
    [["under", "demo"], ["demo"], []],
    [["under", "--", "-x", "make", "-n"], ["-x"], ["make", "-n"]],
    [["under", "-n", "--", "-x", "--", "make", "--", "y"], ["-x"], ["make", "--", "y"]],
    [["under", "-w", "5", "--", "demo", "-n", "make"], ["demo"], ["-n", "make"]],
    [["under", "--", "-x"], ["-x"], []],
  ] as const) {
    const { call } = await run(words);
    assert.deepEqual(call?.operands, operands);
    assert.deepEqual(call?.rest, rest);
  }
  assert.equal((await run(["under", "-w5", "demo", "ls"])).call?.options["wait"], "5");
  assert.equal((await run(["under", "-n", "--", "-x", "ls"])).call?.options["n"], true);
  assert.equal((await run(["under", "--"])).code, 64);
});

test("negative numbers are operands, not options", async () => {
  assert.deepEqual((await run(["look", "a", "-5", "-2.5"])).call?.operands, ["a", "-5", "-2.5"]);
});

test("a command that does not exist is answered with the one that was meant, and 64", async () => {
  const { code, err, out } = await run(["lokk"]);
  assert.equal(code, 64);
  assert.equal(out, "");
  assert.match(err, /^holdfast: there is no command "lokk"; did you mean "look"\?/);
});

test("an option that does not exist is answered with the one that was meant, and 64", async () => {
  const { code, err } = await run(["look", "--numbr", "5"]);
  assert.equal(code, 64);
  assert.match(err, /unknown option "--numbr"/);
  assert.match(err, /Did you mean --number\?/);
  assert.match(err, /holdfast look --help tells what it takes/);
});

test("help goes to stdout with 0, for all and for one", async () => {
  const all = await run(["--help"]);
  assert.equal(all.code, 0);
  assert.match(all.out, /look {3}looks/);
  for (const words of [
    ["look", "--help"],
    ["help", "look"],
  ]) {
    const one = await run(words);
    assert.equal(one.code, 0);
    assert.match(one.out, /Usage: holdfast look/);
    assert.match(one.out, /--jsonl/);
    assert.match(one.out, /--no-start/);
  }
});

test("the version is told, and no words at all are answered too", async () => {
  assert.equal((await run(["--version"])).out, "1.2.3\n");
  assert.equal((await run([])).calls.length, 1);
});

test("a refusal becomes its sentence, the way out and its exit code", async () => {
  const refuse = (code: ConstructorParameters<typeof HoldfastError>[0], message: string) =>
    run(["look"], { run: () => Promise.reject(new HoldfastError(code, message)) });
  const nobody = await refuse("NO_BROKER", "no broker is running in /x");
  assert.equal(nobody.code, 69);
  assert.equal(nobody.err, "holdfast: no broker is running in /x\n  `holdfast serve` starts one\n");
  const constraint = await refuse("SQLITE_CONSTRAINT", "UNIQUE constraint failed: t.a");
  assert.equal(constraint.code, 1);
  assert.equal(constraint.err, "holdfast: UNIQUE constraint failed: t.a\n");
});

test("misuse is 64, a chosen code is that code, an error of the system names its file", async () => {
  const misuse = await run(["look"], { run: async (call) => call.misused("that way not") });
  assert.equal(misuse.code, 64);
  assert.equal(misuse.err, "holdfast: that way not\n  holdfast look --help tells what it takes\n");
  const chosen = await run(["look"], { run: () => Promise.reject(new ExitWith("not got", { exitCode: 9 })) });
  assert.deepEqual([chosen.code, chosen.err], [9, "holdfast: not got\n"]);
  const system = await run(["look"], {
    run: () =>
      Promise.reject(
        Object.assign(new Error("EACCES: permission denied, open '/x'"), { code: "EACCES", syscall: "open" }),
      ),
  });
  assert.deepEqual([system.code, system.err], [77, "holdfast: permission denied, open '/x'\n"]);
});

test("the form of the result follows the options, and the terminal", async () => {
  const format = async (words: string[], columns?: number) =>
    (await run(["look", ...words], { io: { columns } })).call?.output.format;
  assert.equal(await format([]), "tabs");
  assert.equal(await format([], 80), "table");
  assert.equal(await format(["--json"], 80), "json");
  assert.equal(await format(["--jsonl"]), "jsonl");
  assert.equal(await format(["--csv"]), "csv");
  assert.equal(await format(["--table"]), "table");
});

test("colours are for terminals whose owner did not forbid them", async () => {
  const painted = async (columns: number | undefined, env: Io["env"]) =>
    (await run(["look"], { io: { columns, env } })).call?.output.paint("x", "head");
  assert.equal(await painted(80, {}), "\u001b[1mx\u001b[0m");
  assert.equal(await painted(80, { NO_COLOR: "1" }), "x");
  assert.equal(await painted(80, { NO_COLOR: "" }), "\u001b[1mx\u001b[0m");
  assert.equal(await painted(undefined, {}), "x");
});
