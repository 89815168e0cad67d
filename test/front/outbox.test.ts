import assert from "node:assert/strict";
import { test } from "node:test";
import type { Job, LedgerEntry, Letter, Turn } from "../../src/core/index.js";
import { Outbox } from "../../src/front/outbox.js";
import { type Ledger, LedgerFull } from "../../src/ledger/index.js";
import type { Store } from "../../src/store/index.js";
import {
  connectionId,
  type LockName,
  lockName,
  requestKey,
  type SessionId,
  sessionId,
  token,
} from "../../src/terms/index.js";
import { grantRow } from "../core/support/values.js";

const to = connectionId(1);
const session = sessionId("a".repeat(32));
const ended: LedgerEntry = { kind: "grant-ended", token: token(7) };
const refused: Letter = {
  kind: "refused",
  to,
  request: 1,
  refusal: { refused: "LOCK_HELD", message: "held" },
};
const listing = { kind: "listing", to, request: 4, locks: [] } as never as Letter;
const released: Letter = { kind: "released", to, request: 2 };

function granted(): { row: LedgerEntry; letter: Letter } {
  const name = lockName("a", 512);
  if (typeof name !== "string") throw new Error("not a name");
  const [grantToken, key] = [token(8), requestKey(1)];
  const claims = [{ name, mode: "exclusive" }] as const;
  const row = grantRow({ token: grantToken, session, claims });
  const grant = { claims, token: grantToken, key };
  return { row: { kind: "granted", row }, letter: { kind: "granted", to, request: 3, grant, waitedMs: 0, waiting: 0 } };
}

/** An outbox whose neighbours write down what they were told, in order. */
function rig() {
  const told: string[] = [];
  let full = false;
  const ledger = {
    commit: (rows: readonly LedgerEntry[]) => {
      if (full) throw new LedgerFull("no room");
      told.push(`ledger ${rows.map((row) => row.kind).join(" ")}`);
    },
  };
  const store = { obey: (job: Job) => told.push(`store ${job.kind}`), flush: () => told.push("flush") };
  const outbox = new Outbox({
    ledger: ledger,
    store: store,
    system: (job) => told.push(`system ${job.kind}`),
    deliver: (letters) => told.push(`letters ${letters.map((letter) => letter.kind).join(" ")}`),
    onLedger: (command) => told.push(command.full ? ["full", ...command.unwritten].join(" ") : "room again"),
  });
  return { told, outbox, setFull: (isFull: boolean) => (full = isFull) };
}

function turn(parts: Partial<Turn>): Turn {
  return { ledger: [], dispatch: [], send: [], ...parts };
}

// rule 10: one outbox
test("rows are in the ledger before a job or a letter leaves", () => {
  const { told, outbox } = rig();
  const { row, letter } = granted();
  outbox.obey(turn({ ledger: [row], dispatch: [{ to: "writer", kind: "probe" }], send: [letter] }));
  assert.deepEqual(told, ["ledger granted", "store probe", "flush", "letters granted"]);
});

test("a turn without rows does not touch the ledger", () => {
  const { told, outbox } = rig();
  outbox.obey(turn({ send: [refused] }));
  assert.deepEqual(told, ["flush", "letters refused"]);
});

// rule 13: a full ledger
test("a grant that the full ledger did not take is refused and told to the core, and a release is answered", () => {
  const { told, outbox, setFull } = rig();
  const { row, letter } = granted();
  setFull(true);
  outbox.obey(turn({ ledger: [ended, row], send: [released, letter, listing] }));
  assert.deepEqual(told, ["full 8", "flush", "letters released refused listing"]);
});

test("there is room again when a grant that was taken back could be written, and nobody is told of it", () => {
  const { told, outbox, setFull } = rig();
  const { row, letter } = granted();
  setFull(true);
  outbox.obey(turn({ ledger: [row], send: [letter] }));
  outbox.obey(turn({ ledger: [{ kind: "grant-ended", token: token(8) }] }));
  told.length = 0;
  setFull(false);
  outbox.obey(turn({ ledger: [ended], send: [released] }));
  assert.deepEqual(told, ["ledger granted grant-ended grant-ended", "room again", "flush", "letters released"]);
});

test("who is welcomed in the turn of a grant that is taken back is not told of it, nor that it is lost", () => {
  const { told, outbox, setFull } = rig();
  const { row, letter } = granted();
  const fence = { name: lockName("a", 512) as LockName, token: token(8) };
  const grants = letter.kind === "granted" ? [letter.grant] : [];
  const welcome = { kind: "welcome", to, request: 1, session, resumed: true, grants, lost: [] } as never as Letter;
  setFull(true);
  outbox.obey(turn({ ledger: [row], send: [welcome, { kind: "lost", to, fence, reason: "broken" }, letter] }));
  assert.deepEqual(told, ["full 8", "flush", "letters welcome refused"]);
});

test("with a full ledger an upgrade waits for its row, and what is said of its new token behind it; a list does not", () => {
  const { told, outbox, setFull } = rig();
  const { row } = granted();
  if (row.kind !== "granted") throw new Error("not a grant");
  const upgraded: LedgerEntry = { kind: "grant-changed", was: token(7), row: row.row };
  const fence = { name: lockName("a", 512) as LockName, token: token(8) };
  const converted: Letter = { kind: "converted", to, request: 3, fence, waitedMs: 0 };
  const lost: Letter = { kind: "lost", to, fence, reason: "broken" };
  setFull(true);
  outbox.obey(turn({ ledger: [upgraded], send: [converted, listing] }));
  outbox.obey(turn({ send: [lost, { ...lost, fence: { ...fence, token: token(6) } }] }));
  assert.deepEqual(told, ["full", "flush", "letters listing", "flush", "letters lost"]);
  told.length = 0;
  setFull(false);
  outbox.obey(turn({ send: [released] }));
  assert.deepEqual(told, ["ledger grant-changed", "room again", "flush", "letters converted lost released"]);
});

test("with a full ledger a newcomer is welcomed, and one who comes back is not; of one who leaves meanwhile nothing is written", () => {
  const { told, outbox, setFull } = rig();
  const identity = { program: "p", version: "1", pid: null, startTime: null, bound: false };
  const opened = (id: SessionId): LedgerEntry => ({
    kind: "session-opened",
    row: { session: id, identity, role: "admin", windowMs: 1, outer: undefined } as never,
  });
  const welcome = (id: SessionId, resumed: boolean): Letter => {
    return { kind: "welcome", to, request: 1, session: id, role: "admin", resumed, grants: [], lost: [], windowMs: 1 };
  };
  const [stays, leaves] = [sessionId("b".repeat(32)), sessionId("c".repeat(32))];
  setFull(true);
  // Its row has changed, which the successor must know.
  outbox.obey(
    turn({ ledger: [opened(stays), opened(session)], send: [welcome(stays, false), welcome(session, true)] }),
  );
  outbox.obey(turn({ ledger: [opened(leaves)], send: [welcome(leaves, false)] }));
  assert.deepEqual(told, ["full", "flush", "letters welcome", "flush", "letters welcome"]);
  told.length = 0;
  outbox.obey(turn({ ledger: [{ kind: "session-ended", session: leaves }] }));
  outbox.obey(turn({ ledger: [{ kind: "session-ended", session }] }));
  setFull(false);
  outbox.obey(turn({}));
  assert.deepEqual(told.slice(-4), [
    "ledger session-opened session-opened session-ended",
    "room again",
    "flush",
    "letters welcome",
  ]);
});

test("an error of the ledger that is not a full disk ends the turn before anything leaves", () => {
  const told: string[] = [];
  const outbox = new Outbox({
    ledger: {
      commit: () => {
        throw new Error("broken");
      },
    } as unknown as Ledger,
    store: { obey: () => told.push("job"), flush: () => told.push("flush") } as unknown as Store,
    system: () => told.push("probe"),
    deliver: () => told.push("letters"),
    onLedger: () => told.push("full"),
  });
  assert.throws(() => outbox.obey(turn({ ledger: [ended], send: [released] })), /broken/);
  assert.deepEqual(told, []);
});
