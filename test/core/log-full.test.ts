import assert from "node:assert/strict";
import { test } from "node:test";
import { Core, type Turn } from "../../src/core/index.js";
import { after, connectionId, instant, limitsWith, requestKey, seq, sessionId } from "../../src/terms/index.js";
import { hello, writerReady } from "./support/values.js";

const connection = connectionId(1);
const MiB = 1024 * 1024;
const limits = limitsWith({ walBytesMax: MiB, walBytesHardMax: 2 * MiB });

/** A core with one client, a writer, and readers that have come up. */
function rig() {
  const core = new Core(limits, seq(0));
  let now = instant(0);
  core.handle(writerReady(), now);
  core.handle({ kind: "connected", connection }, now);
  const identity = { program: "test", version: "", process: undefined, bound: false };
  const session = sessionId("c".repeat(32));
  core.handle(hello({ connection, session, identity }), now);
  for (const job of core.takeTurn().dispatch)
    if (job.to === "reader" && job.kind === "start") core.handle({ kind: "reader-ready", reader: job.reader }, now);
  core.takeTurn();
  let key = 0;
  return {
    core,
    write(): Turn {
      key++;
      const asked = { fences: [], alone: false, timeoutMs: undefined, parcel: { size: 100 } };
      core.handle({ kind: "write", connection, request: key, key: requestKey(key), ...asked }, now);
      return core.takeTurn();
    },
    settle(turn: Turn, walBytes: number): Turn {
      const seqs = turn.dispatch.flatMap((job) => (job.to === "writer" && job.kind === "write" ? [job.seq] : []));
      const answers = seqs.map((one) => ({ seq: one, answer: { kind: "done", body: null } as const }));
      core.handle({ kind: "writer-settled", answers, walBytes }, now);
      return core.takeTurn();
    },
    folded(walBytes: number): Turn {
      core.handle({ kind: "checkpointed", walBytes, complete: walBytes === 0 }, now);
      return core.takeTurn();
    },
    pass(ms: number): Turn {
      now = after(now, ms);
      core.expire(now);
      return core.takeTurn();
    },
  };
}

const folds = (turn: Turn) => turn.dispatch.some((job) => job.kind === "checkpoint");

// rule 16: the log is bounded
test("a log over its limit is folded as soon as no read runs", () => {
  const { write, settle } = rig();
  assert.ok(!folds(settle(write(), MiB - 1)));
  assert.ok(folds(settle(write(), MiB)));
});

test("a log over its hard limit refuses writes until it is folded, and tries again by itself", () => {
  const { write, settle, folded, pass } = rig();
  assert.ok(folds(settle(write(), 2 * MiB)));
  const [letter] = write().send;
  assert.ok(letter?.kind === "refused");
  assert.equal(letter.refusal.refused, "DISK_FULL");
  folded(2 * MiB);
  assert.ok(!folds(pass(100)));
  assert.ok(folds(pass(1000)), "nothing grows, so only time brings the next try");
  folded(0);
  assert.equal(write().send.length, 0, "the write is on its way");
});
