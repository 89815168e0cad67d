/** The real processes that hold snapshots: told what the core tells, killed, held back. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { SnapshotEvent, SnapshotJob } from "../../../src/core/index.js";
import { decodeBody, decodeFrame, encodeRequest } from "../../../src/protocol/index.js";
import { StoreBody, StoreRequest, StreamPiece } from "../../../src/store/index.js";
import { snapshotProcessId } from "../../../src/terms/index.js";
import { until } from "../../support/patience.js";
import { rig, type StoreRig } from "../store-rig.js";

const process1 = snapshotProcessId(1);
const endless = "with recursive c(x) as (select 1 union all select x + 1 from c) select x from c";
/** Runs for ever before it has a row. */
const mute = "with recursive c(x) as (select 1 union all select x from c) select x from c where x = 2";

type Kind = SnapshotEvent["kind"];

function next<K extends Kind>(r: StoreRig, kind: K): Promise<Extract<SnapshotEvent, { kind: K }>> {
  return r.next(kind) as Promise<Extract<SnapshotEvent, { kind: K }>>;
}

type JobOf<One> = One extends SnapshotJob ? Omit<One, "to" | "process"> : never;

function tell(r: StoreRig, job: JobOf<SnapshotJob>): void {
  r.obey({ to: "snapshot", process: process1, ...job } as SnapshotJob);
}

async function started(r: StoreRig): Promise<void> {
  await r.startWriter();
  await r.execute("create table t (a)");
  const ready = next(r, "snapshot-ready");
  tell(r, { kind: "start", withoutWriter: false });
  await ready;
}

function stream(
  r: StoreRig,
  sql: string,
  credit = 1_000_000,
): Promise<Extract<SnapshotEvent, { kind: "snapshot-answered" }>> {
  const answered = next(r, "snapshot-answered");
  const raw = encodeRequest(1, "db.stream", { stream: 1, sql, credit }, "json");
  tell(r, { kind: "stream", run: 1, credit, parcel: new StoreRequest("db.stream", "json", raw) });
  return answered;
}

function rowsOf({ message }: Extract<SnapshotEvent, { kind: "snapshot-rows" }>): unknown[] {
  assert.ok(message instanceof StreamPiece);
  const frame = decodeFrame(message.bytes, "json", "broker");
  return (frame as { params: { rows: unknown[] } }).params.rows;
}

test("a stream comes with its columns, its rows and its end, and then the process is free again", async (t) => {
  const r = rig(t);
  await started(r);
  await r.execute("insert into t values (1), (2)");
  const rows = next(r, "snapshot-rows");
  const streamed = next(r, "snapshot-streamed");
  const { answer } = await stream(r, "select a from t");
  assert.ok(answer.kind === "done" && answer.body instanceof StoreBody);
  assert.deepEqual(decodeBody(answer.body.bytes, "json"), { stream: 1, columns: ["a"] });
  const piece = await rows;
  assert.deepEqual([rowsOf(piece), piece.rows], [[[1], [2]], 2]);
  assert.equal((await streamed).refusal, undefined);
  const cleared = next(r, "snapshot-cleared");
  tell(r, { kind: "end" });
  await cleared;
});

test("an endless stream hears of credit and of its end between two messages", async (t) => {
  const r = rig(t);
  await started(r);
  const waits = next(r, "snapshot-waits");
  await stream(r, endless, 50_000);
  assert.equal((await waits).credit, 50_000);
  const more = next(r, "snapshot-rows");
  tell(r, { kind: "credit", run: 1, bytes: 50_000 });
  await more;
  const streamed = next(r, "snapshot-streamed");
  tell(r, { kind: "close", run: 1 });
  await streamed;
});

test("a statement that never gives a row is ended with its process, and the reason is told", async (t) => {
  const r = rig(t);
  await started(r);
  stream(r, mute).catch(() => undefined);
  const gone = next(r, "snapshot-gone");
  tell(r, { kind: "kill", why: "enough" });
  assert.match((await gone).reason, /enough/);
});

test("while it is held back a process sends no more than its pipe holds, and goes on when it is not", async (t) => {
  const r = rig(t);
  await started(r);
  const first = next(r, "snapshot-rows");
  await stream(r, endless, 1_000_000_000);
  await first;
  r.store.hold(process1, true);
  const seen = () => r.events.filter(({ kind }) => kind === "snapshot-rows").length;
  // Another process answers many times in the while: turns enough for what was under way to arrive.
  for (let i = 0; i < 50; i++) await r.execute("insert into t values (1)");
  const before = seen();
  for (let i = 0; i < 200; i++) await r.execute("insert into t values (1)");
  assert.equal(seen(), before);
  r.store.hold(process1, false);
  await until("rows again", () => seen() > before + 3);
});

test("a process that is killed from outside while it is held back is heard of all the same", async (t) => {
  const r = rig(t);
  await started(r);
  const first = next(r, "snapshot-rows");
  await stream(r, endless, 1_000_000_000);
  await first;
  r.store.hold(process1, true);
  const gone = next(r, "snapshot-gone");
  process.kill(r.pidOf("snapshot"), "SIGKILL");
  assert.match((await gone).reason, /SIGKILL/);
});

test("what it begins shows one moment to all that follows, and says of which write it is", async (t) => {
  const r = rig(t);
  await started(r);
  const { seq } = await r.write("db.execute", { sql: "insert into t values (1)" }).then(() => ({
    seq: r.events.flatMap((event) => (event.kind === "writer-settled" ? [event.storedSeq] : [])).at(-1),
  }));
  const begun = next(r, "snapshot-begun");
  tell(r, { kind: "begin", run: 1 });
  assert.equal((await begun).seq, seq);
  await r.execute("insert into t values (2)");
  const rows = next(r, "snapshot-rows");
  await stream(r, "select count(*) from t");
  assert.deepEqual(rowsOf(await rows), [[1]]);
});
