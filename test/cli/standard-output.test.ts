/** Results go to a file, a device or a pipe whole, or it is said that they did not. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { constants, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { isGone, kill, known } from "../support/processes.js";
import { tempDir } from "../support/temp-dir.js";
import { cli, Holdfast, type Running, standsStill, until } from "./holdfast.js";

/** 100 bytes a line. */
const lines = (count: number) =>
  `with recursive n(i) as (select 1 union all select i + 1 from n where i < ${count}) select printf('%099d', i) from n`;

/** Its stdin is the test's, and stays open. */
function started(holdfast: Holdfast, script: string): Running {
  return holdfast.start([], { program: ["bash", ["-c", script, "bash", process.execPath, cli]], input: "open" });
}

function shell(holdfast: Holdfast, script: string) {
  return holdfast.run([], { program: ["bash", ["-c", script, "bash", process.execPath, cli]] });
}

test("a file that has no room for all of the results is not left short without a word", async (t) => {
  const holdfast = new Holdfast(t);
  const file = join(tempDir(t), "rows");
  await holdfast.print("sql", `create table big as ${lines(1000)}`);
  for (const words of ["sql 'select * from big'", "export big --csv"]) {
    const { code, err } = await shell(holdfast, `ulimit -f 8; "$1" "$2" ${words} > ${file}`);
    assert.deepEqual([code, readFileSync(file).length], [1, 8 * 1024], words);
    assert.match(err, /stdout does not take all of the results: file too large/, words);
  }
});

test("a device that takes nothing is complained of, whatever was to be written", async (t) => {
  const holdfast = new Holdfast(t);
  for (const words of ["sql 'select 1'", "--help", "lock --help", "--version"]) {
    const { code, err } = await shell(holdfast, `"$1" "$2" ${words} > /dev/full`);
    assert.deepEqual([code, /no space left on device/.test(err)], [1, true], words);
  }
});

test("a reader that is slow gets all of the results through its pipe", async (t) => {
  const holdfast = new Holdfast(t);
  await holdfast.print("sql", `create table big as ${lines(5000)}`);
  for (const words of ["sql 'select * from big'", "export big --csv --no-header"]) {
    // It begins to read when there is nothing else left to do than to write what is over.
    const { code, out } = await shell(
      holdfast,
      `set -o pipefail; "$1" "$2" ${words} | (read -r first; sleep 0.5; echo "$first"; cat) | wc -c`,
    );
    assert.deepEqual([code, Number(out)], [0, 500_000], words);
  }
});

test("a program whose reader stands still can be ended", async (t) => {
  const holdfast = new Holdfast(t);
  await holdfast.print("sql", `create table big as ${lines(50_000)}`);
  const running = started(
    holdfast,
    `exec 7<&0; { "$1" "$2" export big --csv & echo "pid $!" >&2; wait $!; echo "code $?" >&2; } |
      { head -c 200000 > /dev/null; echo "begun" >&2; read -r line <&7; }`,
  );
  await running.until(/begun/);
  const program = known(Number(/pid (\d+)/.exec(running.err)?.[1]));
  await standsStill(program);
  kill(program, "SIGTERM");
  await running.until(/code 143/);
  running.type("\n");
});

test("so can one whose stdout is a socket, and one that writes into a pipe by its name", async (t) => {
  const holdfast = new Holdfast(t);
  await holdfast.print("sql", `create table big as ${lines(50_000)}`);
  const fifo = join(holdfast.dir, "rows");
  execFileSync("mkfifo", [fifo]);
  // Node gives a socket where it is asked for a pipe.
  const ofSocket = holdfast.start(["export", "big", "--csv"]);
  ofSocket.child.stdout?.pause();
  const unread = holdfast.start(["export", "big", "--csv", "-o", fifo]);
  try {
    for (const running of [ofSocket, unread]) {
      const program = known(running.pid);
      await standsStill(program);
      kill(program, "SIGTERM");
      await until(() => isGone(program), "the end of an export that was told to end");
    }
  } finally {
    ofSocket.child.stdout?.resume();
    if (!isGone(known(unread.pid))) execFileSync("cat", [fifo], { stdio: "ignore" });
  }
  for (const running of [ofSocket, unread]) assert.equal((await running.ended).code, 143);
});

test("who waits leaves the caller's pipes as they were: for those who share them they block", async (t) => {
  const holdfast = new Holdfast(t);
  const holder = holdfast.start(["lock", "demo", "--", "sh", "-c", "echo held; exec sleep 600"]);
  await holder.until(/held/);
  const fifo = join(holdfast.dir, "in");
  execFileSync("mkfifo", [fifo]);
  for (const [words, waits] of [
    ["lock demo -- true", /waiting for "demo"/],
    ["elect demo -- true", /waiting for "demo"/],
    ["watch job", /watching "job"/],
    ["logs -f", /"msg"/],
  ] as const) {
    const running = started(
      holdfast,
      `exec 8<>${fifo}; { "$1" "$2" ${words} <&8 2>&1 & read -r line
        grep -h flags: /proc/self/fdinfo/1 /proc/self/fdinfo/8; kill $!; wait $!; } | cat`,
    );
    await running.until(waits);
    running.type("\n");
    const { out } = await running.ended;
    const flags = [...out.matchAll(/^flags:\s+(\d+)$/gm)].map(([, octal = ""]) => Number.parseInt(octal, 8));
    assert.deepEqual(
      flags.map((bits) => bits & constants.O_NONBLOCK),
      [0, 0],
      words,
    );
  }
});

test("a reader that has seen enough ends it quietly", async (t) => {
  const holdfast = new Holdfast(t);
  const { code, out, err } = await shell(
    holdfast,
    `"$1" "$2" sql "${lines(5000)}" | head -1; echo "\${PIPESTATUS[0]}"`,
  );
  assert.deepEqual([code, err], [0, ""]);
  assert.match(out, /^0+1\n141\n$/);
});

test("a lock whose token cannot be told is given back", async (t) => {
  const holdfast = new Holdfast(t);
  for (const [words, expected, said] of [
    ['"$1" "$2" acquire demo --for "$$" > /dev/full', 1, /no space left on device/],
    // The reader of this pipe is gone before anything is written to it.
    ['exec 3> >(exec true); wait $!; "$1" "$2" acquire demo --for "$$" >&3', 141, /^$/],
  ] as const) {
    const script = `${words}; code=$?; "$1" "$2" locks show demo; exec "$1" -e "process.exit($code)"`;
    const { code, out, err } = await shell(holdfast, script);
    assert.deepEqual([code, out], [expected, '"demo" is free\n'], words);
    assert.match(err, said, words);
  }
});
