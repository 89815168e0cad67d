/** One snapshot and what its session asks in it. It runs in this process, beside a writer; turns are given by hand. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeBody, decodeFrame, encodeRequest } from "../../../src/protocol/index.js";
import type { FromSnapshot } from "../../../src/store/pipe/snapshot-messages.js";
import { Reader } from "../../../src/store/reader/reader.js";
import { Snapshot } from "../../../src/store/reader/snapshot.js";
import { limitsWith } from "../../../src/terms/index.js";
import { bench, type WriterBench } from "../writer-bench.js";

class SnapshotBench {
  readonly reader: Reader;
  readonly snapshot: Snapshot;
  said: FromSnapshot[] = [];

  constructor(w: WriterBench) {
    this.reader = new Reader({ database: w.orders.database, limits: limitsWith(), withoutWriter: false });
    this.snapshot = new Snapshot({ reader: this.reader, send: (message) => this.said.push(message) });
  }

  stream(run: number, sql: string, credit = 1_000_000): void {
    const raw = encodeRequest(1, "db.stream", { stream: 9, sql, credit }, "json");
    this.snapshot.take({ kind: "stream", run, credit, encoding: "json", raw });
  }

  /** Turns until nothing happens by itself. */
  flow(): void {
    while (this.snapshot.flowing) this.snapshot.advance();
  }

  /** What was said since the last time, in words. */
  take(): string[] {
    const said = this.said;
    this.said = [];
    return said.map((message) => {
      switch (message.kind) {
        case "rows": {
          const frame = decodeFrame(message.message, "json", "broker");
          const { rows } = (frame as { params: { rows: unknown[][] } }).params;
          return `rows ${JSON.stringify(rows.length > 3 ? rows.length : rows)}`;
        }
        case "answered":
          return message.answer.kind === "done"
            ? `answered ${JSON.stringify(decodeBody(message.answer.bytes, "json"))}`
            : `refused ${message.answer.kind === "refused" ? message.answer.refusal.refused : ""}`;
        case "streamed":
          return message.refusal === undefined ? "streamed" : `streamed: ${message.refusal.refused}`;
        case "waits":
          return `waits at ${message.credit}`;
        default:
          return message.kind;
      }
    });
  }
}

function benches(t: Parameters<typeof bench>[0]): { w: WriterBench; s: SnapshotBench } {
  let s: SnapshotBench | undefined;
  t.after(() => s?.reader.close());
  const w = bench(t);
  w.run("create table t (id integer primary key, a)");
  w.run("insert into t (a) values ('x'), ('y')");
  s = new SnapshotBench(w);
  return { w, s };
}

test("a stream is answered with its columns, and then come its rows and its end", (t) => {
  const { s } = benches(t);
  s.stream(1, "select id, a from t");
  s.flow();
  assert.deepEqual(s.take(), ['answered {"stream":9,"columns":["id","a"]}', 'rows [[1,"x"],[2,"y"]]', "streamed"]);
  assert.equal(s.reader.database.inTransaction, false);
});

test("without credit it waits, and says how much it has heard of; with credit it goes on", (t) => {
  const { s } = benches(t);
  s.stream(1, "with recursive c(x) as (select 1 union all select x + 1 from c where x < 3000) select x from c", 20_000);
  s.flow();
  assert.equal(s.take().at(-1), "waits at 20000");
  s.snapshot.take({ kind: "credit", run: 1, bytes: 1 });
  s.flow();
  assert.equal(s.take().at(-1), "waits at 20001");
  s.snapshot.take({ kind: "credit", run: 1, bytes: 20_000 });
  s.flow();
  assert.equal(s.take().at(-1), "streamed");
});

test("a statement that SQLite refuses is refused, and one that writes too", (t) => {
  const { s } = benches(t);
  s.stream(1, "select nothing from t");
  s.stream(2, "delete from t");
  assert.deepEqual(s.take(), ["refused SQLITE_ERROR", "refused READ_ONLY"]);
  assert.equal(s.snapshot.flowing, false);
});

test("an error in the middle ends the stream with it", (t) => {
  const { s } = benches(t);
  s.stream(1, "select abs(x) from (select 1 as x union all select -9223372036854775807 - 1)");
  s.flow();
  assert.deepEqual(s.take().slice(-1), ["streamed: SQLITE_ERROR"]);
});

test("a stream that is closed in the middle says so, and sends no row more", (t) => {
  const { s } = benches(t);
  s.stream(1, "with recursive c(x) as (select 1 union all select x + 1 from c) select x from c");
  s.snapshot.advance();
  s.take();
  s.snapshot.take({ kind: "close", run: 1 });
  s.flow();
  assert.deepEqual(s.take(), ["streamed"]);
});

// rule 4
test("what was begun shows one moment until its end, whatever is streamed in it", (t) => {
  const { w, s } = benches(t);
  s.snapshot.take({ kind: "begin", run: 1 });
  w.run("insert into t (a) values ('z')");
  s.stream(2, "select count(*) from t");
  s.flow();
  s.stream(3, "select max(id) from t");
  s.flow();
  assert.deepEqual(
    s.take().filter((said) => said.startsWith("rows")),
    ["rows [[2]]", "rows [[2]]"],
  );
  s.snapshot.take({ kind: "end" });
  assert.deepEqual(s.take(), ["cleared"]);
  assert.equal(s.reader.database.inTransaction, false);
  s.stream(4, "select count(*) from t");
  s.flow();
  assert.deepEqual(s.take()[1], "rows [[3]]");
});

test("it says of which write the snapshot is", (t) => {
  const { w, s } = benches(t);
  const [seq, commits] = w.look.prepare("select seq, commits from _holdfast_meta").raw().get() as [number, number];
  s.snapshot.take({ kind: "begin", run: 1 });
  assert.deepEqual(s.said, [{ kind: "begun", run: 1, seq, commits }]);
});

test("savepoints have their names as in SQLite, beside a stream that is open too, and go with the snapshot", (t) => {
  const { s } = benches(t);
  s.snapshot.take({ kind: "begin", run: 1 });
  s.stream(2, "with recursive c(x) as (select 1 union all select x + 1 from c) select x from c");
  s.snapshot.advance();
  s.take();
  let run = 2;
  const says = (sql: string): string => {
    run++;
    const raw = encodeRequest(1, "tx.execute", { tx: 1, sql }, "json");
    s.snapshot.take({ kind: "run", run, method: "tx.execute", encoding: "json", raw });
    return (s.take()[0] ?? "").split(" {")[0] ?? "";
  };
  assert.equal(says("savepoint a"), "answered");
  assert.equal(says("savepoint B"), "answered");
  assert.equal(says("savepoint a"), "answered");
  assert.equal(says("release a"), "answered");
  assert.equal(says("rollback to b"), "answered");
  assert.equal(says("rollback to b"), "answered");
  assert.equal(says("release A"), "answered");
  assert.equal(says("release b"), "refused SQLITE_ERROR");
  assert.equal(says("select count(*) from t"), "answered");
  s.snapshot.advance();
  assert.match(s.take()[0] ?? "", /^rows /);
  assert.equal(says("savepoint a"), "answered");
  s.snapshot.take({ kind: "end" });
  s.snapshot.take({ kind: "begin", run: ++run });
  s.take();
  assert.equal(says("release a"), "refused SQLITE_ERROR");
});

test("an end in the middle of a stream leaves nothing open", (t) => {
  const { w, s } = benches(t);
  s.snapshot.take({ kind: "begin", run: 1 });
  s.stream(2, "with recursive c(x) as (select 1 union all select x + 1 from c) select x from c");
  s.snapshot.advance();
  s.snapshot.take({ kind: "end" });
  s.flow();
  assert.equal(s.take().at(-1), "cleared");
  w.run("insert into t (a) values ('z')");
  s.stream(3, "select count(*) from t");
  s.flow();
  assert.deepEqual(s.take()[1], "rows [[3]]");
});
