import assert from "node:assert/strict";
import { test } from "node:test";
import type { WriterProgress } from "../../../src/core/index.js";
import { culpritOf, fateOf, notRun } from "../../../src/core/writes/settlement.js";
import { newWrite, type Write } from "../../../src/core/writes/write.js";
import { type RequestKey, refuse } from "../../../src/terms/index.js";
import { connection, key, parcel, seqOf, session } from "../support/values.js";

function write(at: number, more: Partial<Write> = {}): Write {
  const asker = { connection: connection(1), request: "r" };
  const made = newWrite({
    session: undefined,
    owner: session(1),
    asker,
    order: at,
    key: key(at),
    fences: [],
    alone: false,
    timeoutMs: undefined,
    parcel: parcel("w"),
    settles: undefined,
    seenBefore: false,
  });
  return { ...made, seq: seqOf(at), ...more };
}

/** What becomes of a write: the kind of its fate, or the code of its refusal and what that says of the outcome. */
function fate(one: Write, storedSeq: number, culprit?: number, progress?: WriterProgress): string {
  const died = culprit === undefined ? undefined : seqOf(culprit);
  const given = fateOf(one, { storedSeq: seqOf(storedSeq), culprit: died, progress, ioFailed: false });
  if (given.kind !== "refused") return given.kind;
  const { refused, outcome } = given.refusal;
  return outcome === undefined ? refused : `${refused} ${outcome}`;
}

test("what is committed is answered from its key, or not at all", () => {
  assert.equal(fate(write(5), 5), "ask");
  assert.equal(fate(write(5, { key: undefined }), 5), "OUTCOME_UNKNOWN");
  assert.equal(fate(write(5, { key: undefined, ownKey: true }), 5), "ask");
  assert.equal(fate(write(5), 4), "again");
  assert.equal(fate(write(5, { key: undefined }), 4), "again");
});

test("the culprit is refused for what it did, unless it was committed all the same", () => {
  assert.equal(fate(write(5), 4, 5), "STATEMENT_CRASHED");
  assert.equal(fate(write(5, { killed: "timeout" }), 4, 5), "STATEMENT_TIMEOUT");
  assert.equal(fate(write(5, { killed: "cancel" }), 4, 5), "CANCELLED");
  assert.equal(fate(write(5, { killed: "timeout" }), 5, 5), "ask");
  assert.equal(fate(write(6), 4, 5), "again");
});

test("of a script with a transaction for each statement nobody knows how far it came", () => {
  assert.equal(fate(write(5, { piecewise: true, killed: "timeout" }), 4, 5), "STATEMENT_TIMEOUT unknown");
  assert.equal(fate(write(5, { piecewise: true }), 4), "again", "it was not the one that ran");
});

test("the broker's own kill names the culprit, not what ran when it came", () => {
  const running = { seq: seqOf(6), phase: "running", since: 0 } as const;
  assert.equal(culpritOf(undefined, running), 6);
  assert.equal(culpritOf({ culprit: seqOf(5) }, running), 5);
  assert.equal(culpritOf({ culprit: undefined }, running), undefined);
  assert.equal(culpritOf(undefined, { ...running, phase: "committing" }), undefined);
  assert.equal(culpritOf(undefined, { ...running, phase: "idle" }), undefined);
  assert.equal(culpritOf(undefined, undefined), undefined);
});

test("a write in whose hands three writers died of nobody knows what is taken for the cause", () => {
  assert.equal(fate(write(5, { deaths: 2 }), 4), "again");
  assert.equal(fate(write(5, { deaths: 3 }), 4), "STATEMENT_CRASHED");
  assert.equal(fate(write(5, { deaths: 3 }), 5), "ask");
});

test("a write that was cancelled and not committed is not run for nothing", () => {
  assert.equal(fate(write(5, { cancelledAt: 1 as never }), 4), "CANCELLED");
  assert.equal(fate(write(5, { cancelledAt: 1 as never, seenBefore: true }), 4), "again");
});

test("a question about another session is asked again, whatever is stored", () => {
  const settles = [key(1)];
  assert.equal(fate(write(5, { settles, key: undefined, seenBefore: true }), 9), "again");
  assert.equal(
    fate(write(5, { settles, key: undefined, seenBefore: true, deaths: 3 }), 9),
    "STATEMENT_CRASHED unknown",
  );
});

test("of a write that was sent before, no refusal says that it was not applied", () => {
  const seenBefore = true;
  const script = { seenBefore, piecewise: true };
  assert.equal(fate(write(5, script), 4, 5), "STATEMENT_CRASHED unknown");
  assert.equal(fate(write(5, { ...script, deaths: 3 }), 4), "STATEMENT_CRASHED unknown");
  assert.equal(notRun({ seenBefore }, refuse("CANCELLED", "")).outcome, "unknown");
  assert.equal(notRun({ seenBefore: false }, refuse("CANCELLED", "")).outcome, undefined);
});

test("a write that was sent before and that the writer died of is looked up, once, and not run again", () => {
  const crashed = { kind: "ask", otherwise: "STATEMENT_CRASHED" };
  const of = (one: Write, culprit?: number) => {
    const died = culprit === undefined ? undefined : seqOf(culprit);
    const given = fateOf(one, { storedSeq: seqOf(4), culprit: died, progress: undefined, ioFailed: false });
    return given.kind === "ask" ? { kind: "ask", otherwise: given.otherwise?.refused } : given.kind;
  };
  assert.deepEqual(of(write(5, { seenBefore: true }), 5), crashed);
  assert.deepEqual(of(write(5, { seenBefore: true, key: undefined, ownKey: true }), 5), crashed);
  assert.deepEqual(of(write(5, { seenBefore: true, deaths: 3 })), crashed);
  assert.deepEqual(of(write(5, { seenBefore: true, killed: "timeout" }), 5), {
    ...crashed,
    otherwise: "STATEMENT_TIMEOUT",
  });
  assert.equal(of(write(5, { seenBefore: true, lookup: refuse("STATEMENT_CRASHED", "before") }), 5), "refused");
});

test("a script without a key that a dead writer may have begun is not begun anew", () => {
  const doing = (seq: number, phase: WriterProgress["phase"]): WriterProgress => ({ seq: seqOf(seq), phase, since: 0 });
  const script = (key?: RequestKey) => write(5, { piecewise: true, key });
  assert.equal(fate(script(), 4, undefined, doing(5, "committing")), "OUTCOME_UNKNOWN");
  assert.equal(fate(script(), 4, 3, doing(5, "running")), "OUTCOME_UNKNOWN");
  assert.equal(fate(script(), 4, undefined, undefined), "OUTCOME_UNKNOWN");
  assert.equal(fate(script(), 4, undefined, doing(5, "idle")), "OUTCOME_UNKNOWN", "it was refused in its middle");
  assert.equal(fate(script(), 4, undefined, doing(5, "folding")), "OUTCOME_UNKNOWN");
  assert.equal(fate(script(), 4, 7, doing(7, "running")), "OUTCOME_UNKNOWN", "its answer was not heard");
  assert.equal(fate(script(), 4, undefined, doing(4, "committing")), "again");
  assert.equal(fate(script(), 4, undefined, doing(0, "idle")), "again");
  assert.equal(fate(script(key(5)), 4, undefined, doing(5, "committing")), "again");
  assert.equal(fate({ ...script(key(5)), cancelledAt: 1 as never }, 4, undefined, doing(5, "committing")), "again");
});

test("a write that was never dispatched has no fate", () => {
  assert.throws(() => fate({ ...write(1), seq: undefined }, 1));
});
