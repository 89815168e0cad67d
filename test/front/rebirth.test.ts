import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import type { LedgerEntry } from "../../src/core/index.js";
import { remember, type WriterReady } from "../../src/front/rebirth.js";
import { Ledger } from "../../src/ledger/index.js";
import { type Places, placesFor } from "../../src/places/index.js";
import { instant, limitsWith, lockName, requestKey, seq, sessionId, token } from "../../src/terms/index.js";
import { tempDir } from "../support/temp-dir.js";

const session = sessionId("b".repeat(32));
const now = instant(1000);

function placesIn(dir: string): Places {
  const places = placesFor({ env: {}, platform: "linux", uid: 0, home: "/", tmpdir: "/tmp", dir });
  return { ...places, ledger: join(dir, "ledger.db") };
}

function rows(): LedgerEntry[] {
  const name = lockName("index/rebuild", 512);
  if (typeof name !== "string") throw new Error("not a name");
  const identity = { program: "make", version: "", process: undefined, bound: false };
  return [
    { kind: "mark", tokensTo: 100, seq: seq(50), incarnation: "first" },
    { kind: "session-opened", row: { session, identity, windowMs: 30_000 } },
    { kind: "granted", row: { token: token(42), name, session, key: requestKey(1), since: now, reason: "" } },
  ];
}

const ready: WriterReady = {
  kind: "writer-ready",
  epoch: 2,
  storedSeq: seq(60),
  previousBootId: "this boot",
  incarnation: "first",
  tokensFrom: 100,
  tokensTo: 200,
};

/** A broker that is born where another has died. */
function born(dir: string, said: Partial<WriterReady> = {}) {
  const places = placesIn(dir);
  const before = Ledger.open(places.ledger);
  before.read();
  before.commit(rows());
  before.close();
  const logged: string[] = [];
  const parts = { places, limits: limitsWith(), bootId: "this boot", now, log: (text: string) => logged.push(text) };
  const { core, ledger } = remember({ ...ready, ...said }, parts);
  ledger.close();
  return { core, logged, turn: core.takeTurn() };
}

test("on the same boot holders are as they were", (t) => {
  const { core } = born(tempDir(t));
  assert.equal(core.counts.held, 1);
  assert.equal(core.counts.sessions, 1);
  assert.ok(core.ready);
});

// rule 13: whom to believe
test("after a restart of the machine the ledger is thrown away unread", (t) => {
  const { core } = born(tempDir(t), { previousBootId: "an earlier boot" });
  assert.equal(core.counts.held, 0);
  assert.equal(core.counts.sessions, 0);
});

// rule 14: tokens hang on the file
test("when the database was put back, holders are void and tokens begin above all that were given", (t) => {
  const { core, turn } = born(tempDir(t), { storedSeq: seq(10), tokensFrom: 20, tokensTo: 120 });
  assert.equal(core.counts.held, 0);
  assert.ok(!core.ready, "no token may be given before a block above the old ones is reserved");
  const reserve = turn.dispatch.find((job) => job.kind === "reserve");
  assert.ok(reserve?.kind === "reserve");
  assert.ok(reserve.newIncarnation);
  assert.ok(reserve.above >= 100);
});

test("a database of another incarnation voids what the ledger knows", (t) => {
  const { core } = born(tempDir(t), { incarnation: "second" });
  assert.equal(core.counts.held, 0);
});
