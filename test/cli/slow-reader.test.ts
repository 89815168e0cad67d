/**
 * What comes without end is written as fast as it is read, and is not kept here for a reader that is slow. Its stdout is one
 * that holds one writing, and says when something is written to it before it was asked whether it has taken that.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { commands } from "../../src/cli/commands/index.js";
import type { Io } from "../../src/cli/io.js";
import { Output } from "../../src/cli/output.js";
import { runProgram } from "../../src/cli/program.js";
import { showStream } from "../../src/cli/sql-results.js";
import { ReaderGone } from "../../src/cli/standard-output.js";
import { connect, type RowStream } from "../../src/client/index.js";
import { Holdfast, type TestLife } from "./holdfast.js";

/** Takes the first writing only when `meanwhile` has been done. */
class SlowReader {
  readonly io: Io;
  out = "";
  /** Writings that came while one before was not taken. */
  tooSoon = 0;
  /** It goes with the next. */
  writingsMax = Number.POSITIVE_INFINITY;
  readonly #meanwhile: () => Promise<void>;
  #taking: Promise<void> | undefined;
  #holds = false;

  constructor(meanwhile: () => Promise<void>) {
    this.#meanwhile = meanwhile;
    this.io = {
      ...{ env: {}, cwd: "/", columns: undefined, lines: undefined, stderrIsTerminal: false },
      stdin: { isTerminal: false, read: async () => "" },
      write: (bytes) => this.#write(bytes.toString()),
      flushed: () => this.#flushed(),
      say: () => {},
      said: async () => {},
    };
  }

  #write(text: string): void {
    if (this.writingsMax-- === 0) throw new ReaderGone("");
    if (this.#holds) this.tooSoon++;
    this.#holds = true;
    this.out += text;
    this.#taking ??= this.#meanwhile();
  }

  async #flushed(): Promise<void> {
    await this.#taking;
    this.#holds = false;
  }
}

function run(words: readonly string[], { io }: SlowReader): Promise<number> {
  return runProgram({ version: "0", commands, bare: async () => 0 }, words, io);
}

async function connected(test: TestLife, holdfast: Holdfast) {
  const broker = await connect({ dir: holdfast.dir, start: false, env: {} });
  test.after(() => broker.close());
  return broker;
}

test("a result of any size is fetched as fast as it is read", async () => {
  async function* rows() {
    for (let i = 0; i < 1700; i++) yield [BigInt(i)];
  }
  const stream = Object.assign(rows(), { columns: async () => ["i"] }) as unknown as RowStream<bigint[]>;
  const reader = new SlowReader(async () => {});
  const flushed = () => reader.io.flushed();
  await showStream(new Output(reader.io, { csv: true }), stream, { counted: false, flushed });
  assert.deepEqual([reader.out.split("\n").length, reader.tooSoon], [1702, 0]);
});

test("changes of tables are taken as fast as their lines are read", async (t) => {
  const holdfast = new Holdfast(t);
  await holdfast.print("sql", "create table job (id integer primary key)");
  const writer = await connected(t, holdfast);
  const insert = () => writer.execute("insert into job default values");
  const reader = new SlowReader(async () => {
    for (let i = 0; i < 4; i++) await insert();
  });
  let over = false;
  const watch = run(["--dir", holdfast.dir, "watch", "job", "--jsonl", "-n", "5"], reader).finally(() => {
    over = true;
  });
  // Until the table is watched nothing of them is told.
  while (reader.out === "" && !over) await insert();
  assert.equal(await watch, 0);
  assert.deepEqual([reader.out.trim().split("\n").length, reader.tooSoon], [5, 0]);
});

test("events of locks are taken as fast as their lines are read", async (t) => {
  const holdfast = new Holdfast(t);
  await holdfast.print("sql", "select 1");
  const holder = await connected(t, holdfast);
  const reader = new SlowReader(async () => {
    for (let i = 0; i < 5; i++) await holder.withLock("demo", async () => undefined);
  });
  reader.writingsMax = 9;
  assert.equal(await run(["--dir", holdfast.dir, "locks", "--watch", "--json"], reader), 141);
  assert.deepEqual([reader.out.trim().split("\n").length, reader.tooSoon], [9, 0]);
});
