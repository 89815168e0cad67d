/** `holdfast sql` as somebody has it before them: on a terminal, key by key. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, constants, openSync, readFileSync, readSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { connect } from "../../../src/client/index.js";
import { childrenOf, gone } from "../../support/processes.js";
import { Holdfast, type Running, standsStill, until } from "../holdfast.js";
import { noTerminal, onTerminal } from "../terminal.js";

const skip = noTerminal;
const ctrlC = "\u0003";
const ctrlD = "\u0004";
const up = "\u001b[A";
const tab = "\t";
const endless = "with recursive n(i) as (select 1 union all select i + 1 from n)";

/** The shell; what it says from now on is awaited after what was said before. */
class Shell {
  readonly running: Running;
  #seen = 0;

  constructor(holdfast: Holdfast, options = "") {
    const program = onTerminal(`holdfast sql ${options}; echo "code $?"`);
    this.running = holdfast.start([], { program, input: "open", env: { NO_COLOR: "1", TERM: "xterm" } });
  }

  /** Without what moves the cursor. */
  get #out(): string {
    return stripVTControlCharacters(this.running.out).replaceAll("\r", "");
  }

  async type(keys: string, says: RegExp): Promise<RegExpExecArray> {
    this.running.type(keys);
    return this.says(says);
  }

  async says(words: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = words.exec(this.#out.slice(this.#seen));
      if (found !== null) {
        this.#seen += found.index + found[0].length;
        return found;
      }
      await this.running.more();
    }
  }
}

async function ready(holdfast: Holdfast, options = ""): Promise<Shell> {
  const shell = new Shell(holdfast, options);
  await shell.says(/Ctrl-D leaves\nholdfast> /);
  return shell;
}

test("a statement runs when its semicolon comes, over as many lines as it takes", { skip }, async (t) => {
  const shell = await ready(new Holdfast(t));
  await shell.type("select 1 as one,\n", / {4}\.\.\.> /);
  await shell.type("  'a;b' as two;\n", /one {2}two\n─+ {2}─+\n {2}1 {2}a;b\n1 row\nholdfast> /);
  await shell.type("create table t(a); insert into t values (1), (2);\n", /done\n2 rows changed, rowid 2\nholdfast> /);
  await shell.type(ctrlD, /code 0/);
});

test("an error is marked at its place, and the shell goes on", { skip }, async (t) => {
  const shell = await ready(new Holdfast(t));
  await shell.type("select * form t;\n", /syntax error.*\n {2}select \* form t\n {11}\^{4}\n[\s\S]*holdfast> /);
  await shell.type("select # from t;\n", /holdfast: .*\n {2}select # from t;\n {9}\^\n[\s\S]*holdfast> /);
  await shell.type("select 7; select nowhere; select 8;\n", /;\n7\n─\n7\n1 row\nholdfast: no such column: nowhere\n/);
  await shell.type(".nothing\n", /there is no "\.nothing"; \.help lists/);
  const { 0: rest } = await shell.type(".quit\n", /[\s\S]*code 0/);
  assert.doesNotMatch(rest, / 8\n/);
});

test("a transaction is the shell's own until it is committed, and its prompt says so", { skip }, async (t) => {
  const holdfast = new Holdfast(t);
  const shell = await ready(holdfast);
  await shell.type("create table t(a);\n", /done\nholdfast> /);
  await shell.type("begin;\n", /holdfast\*> /);
  await shell.type("insert into t values (1);\n", /1 row changed.*\nholdfast\*> /);
  assert.equal(await holdfast.print("sql", "select count(*) from t"), "0\n");
  await shell.type("savepoint s;\n", /holdfast\*> /);
  await shell.type("insert into t values (2);\n", /1 row changed.*\nholdfast\*> /);
  await shell.type("rollback to s; release s; select count(*) from t;\n", / 1\n1 row\nholdfast\*> /);
  await shell.type("begin;\n", /cannot start a transaction within a transaction\nholdfast\*> /);
  await shell.type("end;\n", /holdfast> /);
  assert.equal(await holdfast.print("sql", "select group_concat(a) from t"), "1\n");
  await shell.type("commit;\n", /cannot commit - no transaction is active\nholdfast> /);
  await shell.type("rollback;\n", /cannot rollback - no transaction is active\nholdfast> /);
  await shell.type("begin; delete from t; rollback; select count(*) from t;\n", / 1\n1 row\nholdfast> /);
});

test("a transaction that only reads is of one moment, and in nobody's way", { skip }, async (t) => {
  const holdfast = new Holdfast(t);
  const shell = await ready(holdfast);
  await shell.type("create table t(a); begin transaction readonly;\n", /done\nholdfast\*> /);
  await shell.type("select count(*) from t;\n", / 0\n1 row\nholdfast\*> /);
  await holdfast.print("sql", "insert into t values (1)");
  await shell.type("select count(*) from t;\n", / 0\n1 row\nholdfast\*> /);
  await shell.type("insert into t values (2);\n", /holdfast: .*reads?.*\n[\s\S]*holdfast\*> /);
  await shell.type(".mode csv\n", /holdfast\*> /);
  await shell.type(`${endless} select 'row ' || i from n limit 400000;\n`, /row 399999\nrow 400000\nholdfast\*> /);
  await shell.type("end; select count(*) from t;\n", /\n1\nholdfast> /);
});

test("a transaction is in nobody's way before it writes, and does not write on what it read before others wrote", {
  skip,
}, async (t) => {
  const holdfast = new Holdfast(t);
  const shell = await ready(holdfast);
  await shell.type("create table t(a); begin; select count(*) from t;\n", / 0\n1 row\nholdfast\*> /);
  await holdfast.print("sql", "insert into t values (1)");
  await shell.type("insert into t values (2);\n", /begin anew; BEGIN IMMEDIATE lets nobody else write/);
  await shell.says(/ROLLBACK; closes it\nholdfast!> /);
  await shell.type("rollback; begin immediate; insert into t values (3); commit;\n", /1 row changed.*\nholdfast> /);
  await shell.type("begin; savepoint s; insert into t values (4); rollback to s; end;\n", /changed.*\nholdfast> /);
  assert.equal(await holdfast.print("sql", "select group_concat(a) from t"), "1,3\n");
});

test("with the role read the shell reads, and its transactions do too", { skip }, async (t) => {
  const holdfast = new Holdfast(t);
  await holdfast.print("sql", "create table t(a)");
  const shell = await ready(holdfast, "--role read");
  await shell.type("begin; select count(*) from t; commit;\n", / 0\n1 row\nholdfast> /);
  await shell.type("insert into t values (1);\n", /the session has the role read\n[\s\S]*holdfast> /);
  await shell.type(ctrlD, /code 0/);
});

test("a savepoint outside a transaction opens one, which its release commits", { skip }, async (t) => {
  const holdfast = new Holdfast(t);
  const shell = await ready(holdfast);
  await shell.type("create table t(a);\n", /done\nholdfast> /);
  await shell.type("savepoint a; savepoint b; insert into t values (1); release b;\n", /changed.*\nholdfast\*> /);
  assert.equal(await holdfast.print("sql", "select count(*) from t"), "0\n");
  await shell.type("release A;\n", /holdfast> /);
  assert.equal(await holdfast.print("sql", "select count(*) from t"), "1\n");
  await shell.type("release a;\n", /no such savepoint: a\nholdfast> /);
});

test("a transaction that was open for too long is explained, and ROLLBACK closes it", { skip }, async (t) => {
  const holdfast = new Holdfast(t);
  const broker = holdfast.start(["serve", "--limit", "txIdleMs=100"]);
  await until(async () => (await holdfast.run(["ping"])).code === 0, "the broker serves");
  const shell = await ready(holdfast);
  await shell.type("create table t(a);\n", /done\nholdfast> /);
  await shell.type("begin; insert into t values (1);\n", /changed.*\nholdfast\*> /);
  await holdfast.print("sql", "insert into t values (2)");
  await shell.type("select 1;\n", /open for too long|did nothing/);
  await shell.says(/the transaction is undone, nothing of it is stored; ROLLBACK; closes it\nholdfast!> /);
  await shell.type("insert into t values (3);\n", /ROLLBACK; closes it\nholdfast!> /);
  await shell.type("rollback;\n", /holdfast> /);
  await shell.type("select group_concat(a) as all_of_it from t;\n", /2\s*\n1 row\nholdfast> /);
  await shell.type(ctrlD, /code 0/);
  broker.child.kill("SIGTERM");
});

test("what is not committed when the shell is left is undone", { skip }, async (t) => {
  const holdfast = new Holdfast(t);
  const shell = await ready(holdfast);
  await shell.type("create table t(a); begin; insert into t values (1);\n", /changed.*\nholdfast\*> /);
  await shell.type(ctrlD, /the open transaction is undone\ncode 0/);
  assert.equal(await holdfast.print("sql", "select count(*) from t"), "0\n");
});

test("Ctrl-C ends a statement that would never end; another client goes on, and so does the shell", {
  skip,
}, async (t) => {
  const holdfast = new Holdfast(t);
  const shell = await ready(holdfast);
  await shell.type("create table t(a);\n", /done\nholdfast> /);
  shell.running.type(`${endless} select count(*) from n;\n`);
  await until(async () => JSON.parse(await holdfast.print("status", "--json")).reads.running > 0, "the statement runs");
  await holdfast.print("sql", "insert into t values (1)");
  assert.equal(await holdfast.print("sql", "select count(*) from t"), "1\n");
  await shell.type(ctrlC, /interrupted\nholdfast> /);
  await shell.type("select count(*) from t;\n", / 1\n1 row\nholdfast> /);
});

test("Ctrl-D while a statement runs leaves the shell when it has ended", { skip }, async (t) => {
  const holdfast = new Holdfast(t);
  const shell = await ready(holdfast, "--timeout 3s");
  // It is there already: a program that had to start first might come when the statement is over.
  const onlooker = await connect({ dir: holdfast.dir, start: false, env: {} });
  t.after(() => onlooker.close());
  shell.running.type(`${endless} select count(*) from n;\n`);
  await until(async () => (await onlooker.status()).reads.running > 0, "the statement runs");
  shell.running.type(`select 'typed ' || 'ahead';\n${ctrlD}`);
  await shell.says(/typed ahead\n1 row\n/);
  await shell.says(/code 0/);
});

test("Ctrl-C ends a result that has no end, of which the rows are shown as they come", { skip }, async (t) => {
  const shell = await ready(new Holdfast(t), "--csv --no-header");
  await shell.type(`${endless} select 'row ' || i from n;\n`, /row 300000\n/);
  await shell.type(ctrlC, /interrupted\nholdfast> /);
  await shell.type("select 'after';\n", /after\nholdfast> /);
});

test("a result waits for a reader that stands still, and Ctrl-C ends that; when the reader goes, so does the shell", {
  skip,
}, async (t) => {
  const holdfast = new Holdfast(t);
  for (const interrupts of [true, false]) {
    const fifo = join(holdfast.dir, `rows-${interrupts}`);
    execFileSync("mkfifo", [fifo]);
    const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
    const shell = await ready(holdfast, `--csv --no-header > '${fifo}'`);
    shell.running.type(`${endless} select 'row ' || i from n;\n`);
    await until(() => hasCome(reader), "the first rows");
    const [program] = childrenOf(childrenOf(shell.running.pid)[0]?.pid ?? 0);
    assert.ok(program !== undefined);
    await standsStill(program);
    if (interrupts) await shell.type(ctrlC, /interrupted\nholdfast> /);
    closeSync(reader);
    await gone("the shell", program);
  }
});

function hasCome(reader: number): boolean {
  try {
    return readSync(reader, Buffer.alloc(1)) > 0;
  } catch {
    return false;
  }
}

test("Ctrl-C in a transaction ends the statement, and the shell says what became of the transaction", {
  skip,
}, async (t) => {
  const holdfast = new Holdfast(t);
  const shell = await ready(holdfast);
  await shell.type("create table t(a); begin; insert into t values (1);\n", /changed.*\nholdfast\*> /);
  shell.running.type(`insert into t ${endless.replace("with", "with")} select count(*) from n;\n`);
  await until(async () => {
    const { writes } = JSON.parse(await holdfast.print("status", "--json"));
    return writes.dispatched > 0;
  }, "the statement runs");
  await shell.type(ctrlC, /interrupted\n[\s\S]*holdfast(?:!|\*)> /);
  await shell.type("rollback; select count(*) from t;\n", / 0\n1 row\nholdfast> /);
});

test("Ctrl-C drops what is typed, and Ctrl-D in it does not leave", { skip }, async (t) => {
  const shell = await ready(new Holdfast(t));
  await shell.type("select 'never',\n", / {4}\.\.\.> /);
  await shell.type(`more${ctrlC}`, /more\^C\nholdfast> /);
  await shell.type(`select 'half${ctrlD}${ctrlC}`, /half\^C\nholdfast> /);
  await shell.type("select 'after' as word;\n", /word\n─+\nafter\n1 row\nholdfast> /);
});

test("what was typed is called back, also by the next shell, and no one else can read it", { skip }, async (t) => {
  const holdfast = new Holdfast(t);
  const first = await ready(holdfast);
  await first.type("select\n", /\.\.\.> /);
  await first.type("40 + 2 as sum;\n", / 42\n/);
  await first.says(/holdfast> /);
  await first.type(`dropped${ctrlC}`, /\^C\nholdfast> /);
  await first.type(`${up}\n`, /select 40 \+ 2 as sum;\n[\s\S]* 42\n1 row\nholdfast> /);
  await first.type(ctrlD, /code 0/);
  const path = join(holdfast.dir, "log", "sql-history");
  assert.equal(readFileSync(path, "utf8"), "select 40 + 2 as sum;\n");
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const next = await ready(holdfast);
  await next.type(`${up}\n`, /select 40 \+ 2 as sum;\n[\s\S]* 42\n1 row\nholdfast> /);
});

test("Tab completes tables, columns and keywords", { skip }, async (t) => {
  const holdfast = new Holdfast(t);
  await holdfast.print("sql", "create table customer(id, nickname)");
  const shell = await ready(holdfast);
  await shell.type("insert into cus", /insert into cus/);
  await shell.type(tab, /tomer/);
  await shell.type(" values (1, 'ann');\n", /1 row changed/);
  await shell.says(/holdfast> /);
  await shell.type("sel", /sel/);
  await shell.type(tab, /ect/);
  await shell.type(" customer.ni", / customer\.ni/);
  await shell.type(tab, /ckname/);
  await shell.type(" from customer;\n", /nickname\n─+\nann\n1 row\nholdfast> /);
  await shell.type(".ti", /\.ti/);
  await shell.type(tab, /mer/);
  await shell.type(" on\n", /holdfast> /);
  await shell.type("select 1;\n", /─\n1\n1 row\n[\d.]+ m?s\nholdfast> /);
});

test("lines that are pasted together are shown and run one after the other", { skip }, async (t) => {
  const shell = await ready(new Holdfast(t));
  await shell.type(
    "select 1 as a;\nselect\n 2 as b;\nselect 3 as c;\n",
    /select 1 as a;\na\n─\n1\n1 row\nholdfast> select\n {5}\.\.\.> {2}2 as b;\nb\n─\n2\n1 row\nholdfast> select 3 as c;\nc\n─\n3\n1 row\nholdfast> /,
  );
});

test("results come in the form that is asked for", { skip }, async (t) => {
  const shell = await ready(new Holdfast(t));
  await shell.type(".mode csv\n", /holdfast> /);
  await shell.type("select 1 as a, 'x,y' as b;\n", /a,b\n1,"x,y"\nholdfast> /);
  await shell.type(".headers off\n", /holdfast> /);
  await shell.type("select 1 as a, 'x,y' as b;\n", /;\n1,"x,y"\nholdfast> /);
  await shell.type(".mode line\n", /holdfast> /);
  await shell.type(
    "select 1 as a, 'x' as bee union all select 2, null;\n",
    / {2}a = 1\nbee = x\n\n {2}a = 2\nbee = NULL\nholdfast> /,
  );
  await shell.type(".mode json\n", /holdfast> /);
  await shell.type("select 9007199254740993 as a;\n", /\[\{"a":9007199254740993\}\]\nholdfast> /);
  await shell.type(
    ".mode pictures\n",
    /"pictures" is no mode; there are table, tabs, csv, json, jsonl, line\nholdfast> /,
  );
});

test("tables, their schema, and files of statements", { skip }, async (t) => {
  const holdfast = new Holdfast(t);
  const shell = await ready(holdfast);
  const good = join(holdfast.dir, "good.sql");
  writeFileSync(good, "create table customer(id);\ncreate table invoice(\n  id\n);\n.mode csv\nselect 'end'");
  await shell.type(`.read ${good}\n`, /done\ndone\n'end'\nend\nholdfast> /);
  await shell.type(".tables\n", /customer {2}invoice\nholdfast> /);
  await shell.type(".tables inv%\n", /\ninvoice\nholdfast> /);
  await shell.type(".schema invoice\n", /CREATE TABLE invoice\(\n {2}id\n\);\nholdfast> /);
  const bad = join(holdfast.dir, "bad file.sql");
  writeFileSync(
    bad,
    "insert into customer values (1);\n\ninsert into nowhere\nvalues (2);\ninsert into customer values (3);\n",
  );
  await shell.type(
    `.read '${bad}'\n`,
    /no such table: nowhere\n[\s\S]*bad file\.sql, line 3: what comes after it was not run\nholdfast> /,
  );
  assert.equal(await holdfast.print("sql", "select group_concat(id) from customer"), "1\n");
  await shell.type(".read /nowhere/at-all.sql\n", /no such file or directory/);
});

test("results go where stdout goes, while what is typed is shown", { skip }, async (t) => {
  const holdfast = new Holdfast(t);
  const shell = await ready(holdfast, `> '${join(holdfast.dir, "out")}'`);
  await shell.type("select 1, 'a';\n", /holdfast> /);
  await shell.type(ctrlD, /code 0/);
  assert.equal(readFileSync(join(holdfast.dir, "out"), "utf8"), "1\ta\n");
});

test("without a terminal it is no shell", async (t) => {
  const holdfast = new Holdfast(t);
  const { code, out } = await holdfast.run(["sql"], { input: "select 5" });
  assert.deepEqual([code, out], [0, "5\n"]);
});
