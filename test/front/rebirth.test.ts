import assert from "node:assert/strict";
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Core, LedgerEntry, Turn } from "../../src/core/index.js";
import { fileIdAt } from "../../src/front/file-id.js";
import { remember, type WriterReady } from "../../src/front/rebirth.js";
import { Ledger, LedgerFull } from "../../src/ledger/index.js";
import { type Places, placesFor } from "../../src/places/index.js";
import { bootIdElsewhere } from "../../src/store/index.js";
import {
  after,
  connectionId,
  instant,
  type Limits,
  limitsWith,
  seq,
  sessionId,
  token,
  tokensByClock,
  wallTime,
} from "../../src/terms/index.js";
import { acquire, grantRow, hello, name as lockNamed, writerReady } from "../core/support/values.js";
import { tempDir } from "../support/temp-dir.js";

const session = sessionId("b".repeat(32));
const now = instant(1000);
const wallNow = wallTime(Date.UTC(2026, 0, 1));
const name = lockNamed("index/rebuild");

function placesIn(dir: string): Places {
  const places = placesFor({ env: {}, platform: "linux", uid: 0, home: () => "/", dir });
  return { ...places, ledger: join(dir, "ledger.db") };
}

function rows(): LedgerEntry[] {
  const identity = { program: "make", version: "", process: undefined, bound: false };
  return [
    { kind: "mark", tokensTo: 100, seq: seq(50), incarnation: "first" },
    { kind: "session-opened", row: { session, identity, role: "admin", windowMs: 30_000, outer: undefined } },
    { kind: "granted", row: grantRow({ token: token(42), session, claims: [{ name, mode: "exclusive" }] }) },
  ];
}

const ready = writerReady({
  ...{ epoch: 2, storedSeq: seq(60), previousBootId: "this boot", heldBefore: true, incarnation: "first" },
  ...{ tokensFrom: 100, tokensTo: 200 },
});

/** The same, and what runs under the lock is to end with it. */
function guardedRows(): LedgerEntry[] {
  return rows().map((entry) => (entry.kind === "granted" ? { ...entry, row: { ...entry.row, guarded: true } } : entry));
}

/** What the broker before has left in its ledger. */
function leaves(dir: string, entries: readonly LedgerEntry[]): void {
  const before = Ledger.open(placesIn(dir).ledger);
  before.read();
  before.commit(entries);
  before.close();
}

/** A broker that is born where another has died. */
function born(dir: string, said: Partial<WriterReady> = {}) {
  leaves(dir, rows());
  return bornAgain(dir, said);
}

interface Surroundings {
  readonly limits?: Partial<Limits>;
  readonly lives?: (pid: number) => boolean;
}

/** It finds the ledger as it is; what is `done` in its first turn is written into it. */
function bornAgain(
  dir: string,
  said: Partial<WriterReady> = {},
  done: (core: Core) => void = () => undefined,
  { limits = {}, lives = () => false }: Surroundings = {},
) {
  const places = placesIn(dir);
  const logged: string[] = [];
  const log = (text: string) => logged.push(text);
  const processes = { startTimeOf: (pid: number) => (lives(pid) ? `start of ${pid}` : undefined) };
  const parts = { places, limits: limitsWith(limits), bootId: "this boot", now, wallNow, processes, log };
  const { core, ledger } = remember({ ...ready, ...said }, parts);
  done(core);
  const turn = core.takeTurn();
  ledger.commit(turn.ledger);
  ledger.close();
  return { core, logged, turn };
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

/** The writer sets tokens aside, above all that the clock could have seen. */
function reserves(core: Core): void {
  const tokensFrom = 2 * tokensByClock(wallNow);
  core.handle({ kind: "tokens-reserved", tokensFrom, tokensTo: tokensFrom + 100, incarnation: "next" }, now);
}

/** A stranger asks for a lock, where there are tokens. */
function asks(core: Core): void {
  if (!core.ready) reserves(core);
  const connection = connectionId(1);
  const identity = { program: "other", version: "", process: undefined, bound: false };
  core.handle({ kind: "connected", connection }, now);
  core.handle(hello({ connection, session: sessionId("c".repeat(32)), identity }), now);
  core.handle(acquire({ connection, claims: [{ name, mode: "exclusive" }] }), now);
}

/** What was asked for is granted when so much time is over, and not earlier. */
function isGrantedAfter(core: Core, ms: number): void {
  core.expire(after(now, ms - 1));
  assert.equal(core.counts.held, 0);
  core.expire(after(now, ms));
  assert.equal(core.counts.held, 1);
}

/** Under which tokens commands are to be ended. */
function endedIn({ dispatch }: Turn): readonly number[] {
  return dispatch.flatMap((job) => (job.to === "system" && job.kind === "end-processes" ? [job.token] : []));
}

/** Whether it has it, and whether it has it when the time of grace is over. */
function granted(core: Core): { readonly atOnce: boolean; readonly afterGrace: boolean } {
  asks(core);
  const atOnce = core.counts.held === 1;
  core.expire(after(now, limitsWith().resumeWindowMs));
  return { atOnce, afterGrace: core.counts.held === 1 };
}

const free = { atOnce: true, afterGrace: true };
const careful = { atOnce: false, afterGrace: true };

// rule 13, promise 4: a logout takes /run/user/UID along, and who held a lock lives on
test("a ledger that is gone without a restart of the machine is as one that is damaged: nothing is granted for one window", (t) => {
  const { core, logged } = bornAgain(tempDir(t));
  assert.deepEqual([core.counts.sessions, core.counts.held], [0, 0]);
  assert.match(logged.join(), /the ledger is gone: all locks are void/);
  assert.deepEqual(granted(core), careful);
});

test("a ledger that is gone delays nobody when it is written that nothing was held", (t) => {
  const { core, logged } = bornAgain(tempDir(t), { heldBefore: false });
  assert.deepEqual(granted(core), free);
  assert.doesNotMatch(logged.join(), /gone/);
});

// rule 14: data.db may be an older file by now, and nothing is left that could tell
for (const what of ["gone", "damaged"])
  for (const heldBefore of [true, false])
    test(`where a ledger is ${what}, tokens begin by the clock${heldBefore ? "" : ", also when nothing was held"}`, (t) => {
      const dir = tempDir(t);
      if (what === "damaged") writeFileSync(placesIn(dir).ledger, "no ledger ".repeat(1000));
      const { core, turn } = bornAgain(dir, { heldBefore });
      assert.ok(!core.ready, "no token may be given before a block above the old ones is reserved");
      const reserve = turn.dispatch.find((job) => job.kind === "reserve");
      assert.ok(reserve?.kind === "reserve" && reserve.newIncarnation && reserve.above >= tokensByClock(wallNow));
    });

test("where no broker was ever before, tokens begin at the first", (t) => {
  const { core, turn } = bornAgain(tempDir(t), { previousBootId: null, heldBefore: false, tokensFrom: 1 });
  assert.ok(core.ready);
  assert.deepEqual(
    turn.dispatch.filter((job) => job.kind === "reserve"),
    [],
  );
});

test("a ledger that is gone after a restart of the machine delays nobody, whatever was held before it", (t) => {
  const { core } = bornAgain(tempDir(t), { previousBootId: "an earlier boot" });
  assert.deepEqual(granted(core), free);
});

for (const heldBefore of [true, false])
  test(`where a backup was put in the place of a database under which ${heldBefore ? "something" : "nothing"} was held, a ledger that is gone is ${heldBefore ? "" : "no "}damage`, (t) => {
    const { core } = bornAgain(tempDir(t), { previousBootId: bootIdElsewhere, heldBefore });
    assert.deepEqual(granted(core), heldBefore ? careful : free);
  });

for (const what of ["gone", "damaged"])
  test(`a start that is killed in the time of grace after a ledger was ${what} leaves the next one all of it`, (t) => {
    const dir = tempDir(t);
    if (what === "damaged") writeFileSync(placesIn(dir).ledger, "no ledger ".repeat(1000));
    const first = bornAgain(dir, {}, asks);
    assert.match(first.logged.join(), new RegExp(`the ledger .* ${what}: all locks are void`));
    const second = bornAgain(dir);
    assert.deepEqual([second.core.counts.sessions, second.core.counts.waiting], [1, 1]);
    assert.equal(second.core.counts.held, 0);
    assert.match(second.logged.join(), /gone: all locks are void/);
  });

for (const [what, said] of [
  ["the database was put back", { storedSeq: seq(10), tokensFrom: 20, tokensTo: 120 }],
  ["the database was served from another run directory", { movedFrom: "/run/elsewhere" }],
] as const) {
  for (const reserved of [false, true])
    test(`a start that is killed in the time of grace after ${what} leaves the next one all of it, ${reserved ? "and whoever is new" : "also before it has tokens"}`, (t) => {
      const dir = tempDir(t);
      const first = born(dir, said);
      assert.equal(first.core.counts.held, 0);
      const after = reserved ? { incarnation: "next", tokensFrom: token(1000), tokensTo: token(2000) } : said;
      if (reserved) bornAgain(dir, said, asks);
      const { core } = bornAgain(dir, { ...after, ...(reserved ? { movedFrom: null } : {}) });
      assert.deepEqual([core.counts.sessions, core.counts.waiting], reserved ? [1, 1] : [0, 0]);
      assert.deepEqual(granted(core), careful);
    });
}

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

// rule 14: until tokens above the old ones are reserved, every start must find how far they had come
test("a start that ends before it has new tokens leaves the next one what it needs to know", (t) => {
  const dir = tempDir(t);
  const old = { storedSeq: seq(10), tokensFrom: 20, tokensTo: 84 };
  born(dir, old);
  const { core, turn } = bornAgain(dir, { ...old, tokensFrom: 84, tokensTo: 148 });
  assert.deepEqual([core.ready, core.counts.held, core.counts.sessions], [false, 0, 0]);
  const reserve = turn.dispatch.find((job) => job.kind === "reserve");
  assert.ok(reserve?.kind === "reserve" && reserve.newIncarnation && reserve.above >= 100);
});

test("tokens of a database that was put in the place of another begin above all that were given", (t) => {
  const { core, turn } = born(tempDir(t), {
    ...{ epoch: 1, storedSeq: seq(0), previousBootId: null, incarnation: "third" },
    ...{ tokensFrom: 1, tokensTo: 65 },
  });
  assert.deepEqual([core.ready, core.counts.held], [false, 0]);
  const reserve = turn.dispatch.find((job) => job.kind === "reserve");
  assert.ok(reserve?.kind === "reserve");
  assert.ok(reserve.above >= Math.max(100, tokensByClock(wallNow)));
});

test("the first start of all asks for nothing", (t) => {
  const first = { epoch: 1, storedSeq: seq(0), previousBootId: null, tokensFrom: 1, tokensTo: 65 };
  const { core, turn } = bornAgain(tempDir(t), first);
  assert.ok(core.ready);
  assert.ok(!turn.dispatch.some((job) => job.kind === "reserve"));
});

// promise 4: who held a lock lives on, and has not heard yet that it is void
for (const [what, said] of [
  ["was put back", {}],
  ["was restored", { previousBootId: bootIdElsewhere }],
] as const)
  test(`when the database ${what}, nothing is granted until the holders have been told`, (t) => {
    const { core, turn } = born(tempDir(t), { incarnation: "second", ...said });
    assert.equal(core.counts.sessions, 0);
    const reserve = turn.dispatch.find((job) => job.kind === "reserve");
    assert.ok(reserve?.kind === "reserve" && reserve.above >= 100);
    core.handle({ kind: "tokens-reserved", tokensFrom: 300, tokensTo: 400, incarnation: "third" }, now);
    assert.deepEqual(granted(core), careful);
  });

// rule 13, promise 4: a ledger of the time before the database was served from another place
test("a ledger that lies here from before another place had the database is void, and the grace is for those of there", (t) => {
  const elsewhere = { movedFrom: "/run/user/1000/holdfast", tokensFrom: 200, tokensTo: 300 };
  const { core, logged } = born(tempDir(t), elsewhere);
  assert.deepEqual([core.counts.held, core.counts.sessions], [0, 0]);
  assert.equal(core.ready, false, "tokens are asked for, and with them it is noted that it is served from here");
  assert.deepEqual(granted(core), careful);
  assert.match(logged[0] ?? "", /served from another run directory/);
  const nothingHeld = bornAgain(tempDir(t), { ...elsewhere, heldBefore: false });
  assert.deepEqual(granted(nothingHeld.core), free);
});

test("the word that the database is served from elsewhere is left where it was served, once, and taken away on return", (t) => {
  const [here, there] = [tempDir(t), tempDir(t)];
  const moved = join(there, "moved");
  bornAgain(here, { movedFrom: there });
  assert.equal(readFileSync(moved, "utf8"), `${placesIn(here).runDir}\n`);
  bornAgain(here, { movedFrom: there });
  mkdirSync(placesIn(there).runDir, { recursive: true });
  renameSync(moved, placesIn(there).moved);
  bornAgain(there);
  assert.equal(existsSync(placesIn(there).moved), false);
  bornAgain(here, { movedFrom: join(there, "gone") });
});

/** What a broker of that directory says of itself, and the files of which it speaks. `said`: as of now, not by older ones. */
function announced(dir: string, database: string, said: { readonly databaseFile?: string | undefined } = {}): void {
  const { info, runDir } = placesIn(dir);
  mkdirSync(runDir, { recursive: true });
  writeFileSync(info, JSON.stringify({ pid: 7, startTime: "start of 7", database, ...said }));
}

for (const [what, { alive, another, word }] of Object.entries({
  "has another database": { alive: true, another: true, word: false },
  "has this database": { alive: true, another: false, word: true },
  "has ended": { alive: false, another: true, word: true },
}))
  test(`where the database was served before and a broker ${what}, ${word ? "the" : "no"} word is left`, (t) => {
    const [here, there] = [tempDir(t), tempDir(t)];
    const { database } = placesIn(here);
    mkdirSync(join(here, "data"));
    writeFileSync(database, "");
    const original = join(there, "original.db");
    if (another) copyFileSync(database, original);
    else linkSync(database, original);
    announced(there, original);
    const { runDir, moved } = placesIn(there);
    bornAgain(here, { movedFrom: runDir }, undefined, { lives: (pid) => alive && pid === 7 });
    assert.equal(existsSync(moved), word);
    rmSync(original);
    bornAgain(here, { movedFrom: runDir }, undefined, { lives: () => true });
    assert.equal(existsSync(moved), true, "its file has another place now, or is gone");
  });

for (const [what, word, arrange] of [
  [
    "was given another path, and whose own path another file,",
    true,
    (original: string, database: string) => {
      renameSync(original, database);
      copyFileSync(database, original);
    },
  ],
  [
    "was copied, and is not at its path any more,",
    false,
    (original: string, database: string) => {
      copyFileSync(original, database);
      renameSync(original, `${original}.elsewhere`);
    },
  ],
] as const)
  test(`a broker whose database ${what} is left ${word ? "the" : "no"} word`, (t) => {
    const [here, there] = [tempDir(t), tempDir(t)];
    const { database } = placesIn(here);
    const original = join(there, "original.db");
    writeFileSync(original, "");
    announced(there, original, { databaseFile: fileIdAt(original) });
    mkdirSync(join(here, "data"));
    arrange(original, database);
    const { runDir, moved } = placesIn(there);
    bornAgain(here, { movedFrom: runDir }, undefined, { lives: () => true });
    assert.equal(existsSync(moved), word);
  });

// promise 4: those of there may have another limit, and count with the standard one at the most
test("where another place had the database nothing is granted for the standard window at least", (t) => {
  const standard = limitsWith().resumeWindowMs;
  for (const ofOurs of [100, 2 * standard]) {
    const said = { movedFrom: "/run/elsewhere" };
    const { core } = bornAgain(tempDir(t), said, asks, { limits: { resumeWindowMs: ofOurs } });
    isGrantedAfter(core, Math.max(standard, ofOurs));
  }
});

test("a broker with a lower limit that is killed in the grace after a move leaves the next one the standard window", (t) => {
  const standard = limitsWith().resumeWindowMs;
  const low = { limits: { resumeWindowMs: 100 } };
  for (const ledgerIsWritten of [true, false]) {
    const dir = tempDir(t);
    if (!ledgerIsWritten) born(dir);
    else bornAgain(dir, { movedFrom: "/run/elsewhere" }, asks, low);
    const { core } = bornAgain(dir, { incarnation: "next", tokensFrom: token(1000) }, asks, low);
    isGrantedAfter(core, standard);
  }
});

// rule 24: what the ledger is believed for in any case
test("commands that ran under a lock are ended before it is granted, also when all that the ledger says is void", (t) => {
  const dir = tempDir(t);
  leaves(dir, guardedRows());
  for (const said of [{ incarnation: "another" }, { incarnation: "another" }]) {
    const { core, turn } = bornAgain(dir, said, (core) => core.expire(after(now, limitsWith().resumeWindowMs)));
    assert.deepEqual(endedIn(turn), [42]);
    assert.deepEqual([core.counts.held, core.counts.sessions], [0, 0]);
    asks(core);
    assert.equal(core.counts.held, 0, "its command lives");
    core.handle({ kind: "processes-gone", token: token(42) }, now);
    assert.equal(core.counts.held, 1);
  }
});

test("commands that ran under a lock are ended also when another backup is put back before the grace is over", (t) => {
  const dir = tempDir(t);
  leaves(dir, guardedRows());
  bornAgain(dir, { incarnation: "another" }, asks);
  const { turn } = bornAgain(dir, { incarnation: "a third", previousBootId: bootIdElsewhere });
  assert.deepEqual(endedIn(turn), [42]);
});

test("a ledger that gives one lock to two, or to nobody that it knows, is taken for damaged, and the next start finds another", (t) => {
  const second = grantRow({ token: token(43), session, claims: [{ name, mode: "exclusive" }] });
  const unknown = grantRow({
    token: token(44),
    session: sessionId("d".repeat(32)),
    claims: [{ name, mode: "exclusive" }],
  });
  for (const row of [second, unknown]) {
    const dir = tempDir(t);
    leaves(dir, [...rows(), { kind: "granted", row }]);
    const { core, logged } = bornAgain(dir);
    assert.match(logged[0] ?? "", /cannot be: it is taken for damaged/);
    assert.deepEqual([core.counts.held, core.counts.sessions], [0, 0]);
    assert.deepEqual(granted(core), careful);
    assert.equal(bornAgain(dir).core.counts.held, 0);
  }
});

test("a start that has to make void what the ledger says, and finds it full, says that the disk is", (t) => {
  const dir = tempDir(t);
  born(dir);
  t.mock.method(Ledger.prototype, "commit", () => {
    throw new LedgerFull("no room");
  });
  assert.throws(() => bornAgain(dir, { incarnation: "another" }), { code: "DISK_FULL" });
});
