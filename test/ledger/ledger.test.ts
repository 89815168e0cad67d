import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { GrantRow, LedgerEntry, SessionRow, WaiterRow } from "../../src/core/index.js";
import { Ledger, type LedgerContents, LedgerFull } from "../../src/ledger/index.js";
import { openDatabase } from "../../src/sqlite/index.js";
import { instant, type LockName, requestKey, seq, sessionId, token } from "../../src/terms/index.js";
import { grantRow } from "../core/support/values.js";
import { tempDir } from "../support/temp-dir.js";

const ada = sessionId("a".repeat(32));
const bob = sessionId("b".repeat(32));

const adasSession: SessionRow = {
  session: ada,
  identity: { program: "make", version: "4", process: { pid: 47, startTime: "1234" }, bound: true },
  role: "admin",
  windowMs: 30_000,
  outer: bob,
};
const bobsSession: SessionRow = {
  session: bob,
  identity: { program: "", version: "", process: undefined, bound: false },
  role: "read",
  windowMs: 0.5,
  outer: undefined,
};

function grant(number: number, name = "deploy/prod"): GrantRow {
  return grantRow({
    token: token(number),
    session: ada,
    key: requestKey(number),
    claims: [{ name: name as LockName, mode: "exclusive" }],
    since: instant(12_345.678),
    reason: "release",
  });
}

function waiter(arrival: number): WaiterRow {
  return {
    arrival,
    session: bob,
    key: requestKey(9),
    claims: [{ name: "🔒" as LockName, mode: "exclusive" }],
    since: instant(2),
    reason: "",
    ttlMs: undefined,
    guarded: false,
    tell: { place: false, contended: false },
    under: undefined,
    beside: undefined,
    convertOf: undefined,
  };
}

const granted = (number: number): LedgerEntry => ({ kind: "granted", row: grant(number) });

function openLedger(t: TestContext, path: string, pagesMax?: number): Ledger {
  const ledger = Ledger.open(path, pagesMax);
  t.after(() => ledger.close());
  return ledger;
}

function contentsOf(ledger: Ledger): LedgerContents {
  const contents = ledger.read();
  assert.notEqual(contents, "damaged");
  return contents as LedgerContents;
}

function place(t: TestContext): string {
  return join(tempDir(t), "ledger.db");
}

test("a ledger that was never written is empty and has no mark", (t) => {
  assert.deepEqual(contentsOf(openLedger(t, place(t))), {
    sessions: [],
    grants: [],
    waiters: [],
    capacities: [],
    mark: undefined,
  });
});

test("what was committed is read again after a restart, in order of token and arrival", (t) => {
  const path = place(t);
  const first = Ledger.open(path);
  const tokensTo = 2 ** 52 + 1;
  first.commit([
    { kind: "session-opened", row: adasSession },
    { kind: "session-opened", row: bobsSession },
    { kind: "granted", row: grant(2 ** 52) },
    { kind: "granted", row: grant(7, "a") },
    { kind: "queued", row: waiter(12) },
    { kind: "queued", row: waiter(3) },
    { kind: "mark", tokensTo, seq: seq(5), incarnation: "x" },
  ]);
  first.commit([{ kind: "mark", tokensTo, seq: seq(6), incarnation: "y" }]);
  first.close();
  assert.deepEqual(contentsOf(openLedger(t, path)), {
    sessions: [adasSession, bobsSession],
    grants: [grant(7, "a"), grant(2 ** 52)],
    waiters: [waiter(3), waiter(12)],
    capacities: [],
    mark: { tokensTo, seq: seq(6), incarnation: "y" },
  });
});

/** What few rows have. */
const full: GrantRow = {
  ...grant(9),
  claims: [
    { name: "pool" as LockName, mode: "semaphore", take: 2 },
    { name: "a" as LockName, mode: "shared" },
    { name: "🔒" as LockName, mode: "exclusive" },
    { name: "p2" as LockName, mode: "semaphore", take: 1 },
  ],
  ttlMs: 30_000,
  guarded: true,
  tell: { place: true, contended: true },
  converted: requestKey(12),
  former: [token(2), token(2 ** 40)],
  ending: { program: 'ma"ke', version: "4", process: { pid: 47, startTime: "1234" }, bound: true },
};

test("a grant or a wait with all that there can be is read again as it was", (t) => {
  const path = place(t);
  const first = Ledger.open(path);
  const unprovable = { ...adasSession.identity, process: undefined, bound: false };
  const grants = [
    full,
    { ...grant(10), ending: unprovable },
    { ...grant(11), tell: { place: false, contended: true } },
  ];
  const upgrade = {
    ...waiter(4),
    claims: [{ name: "a" as LockName, mode: "exclusive" as const }],
    convertOf: token(9),
  };
  const { claims, ttlMs, guarded, tell } = full;
  const waiters = [{ ...waiter(-2), claims, ttlMs, guarded, tell, under: [token(3), token(2 ** 40)] }, upgrade];
  const bare = { ...waiter(5), under: [] };
  const withOther = { ...waiter(6), beside: [token(8)] };
  first.commit([
    ...grants.map((row): LedgerEntry => ({ kind: "granted", row })),
    ...[bare, withOther, ...waiters].map((row): LedgerEntry => ({ kind: "queued", row })),
  ]);
  first.close();
  const contents = contentsOf(openLedger(t, path));
  assert.deepEqual(contents.grants, grants);
  assert.deepEqual(contents.waiters, [...waiters, bare, withOther]);
});

test("a grant that has changed is read as it is now, under its new token and no other", (t) => {
  const path = place(t);
  const first = Ledger.open(path);
  first.commit([{ kind: "granted", row: grant(1, "a") }, granted(2)]);
  const changed = { ...grant(1), token: token(30), claims: full.claims.slice(1), converted: requestKey(7) };
  first.commit([{ kind: "grant-changed", was: token(1), row: changed }]);
  first.close();
  assert.deepEqual(contentsOf(openLedger(t, path)).grants, [grant(2), changed]);
});

test("an upgraded grant is read also from a ledger that does not say which tokens it had before", (t) => {
  const path = place(t);
  const first = Ledger.open(path);
  first.commit([{ kind: "granted", row: { ...full, token: token(30), former: [token(9)] } }]);
  first.close();
  execute(path, "update grants set more = json_remove(more, '$.former')");
  assert.deepEqual(contentsOf(openLedger(t, path)).grants, [{ ...full, token: token(30), former: undefined }]);
});

test("the capacity of a name is read again as it was set last", (t) => {
  const path = place(t);
  const first = Ledger.open(path);
  const capacity = (name: string, slots: number): LedgerEntry => ({
    kind: "capacity",
    row: { name: name as LockName, slots },
  });
  first.commit([capacity("pool", 4), capacity("gpu", 1)]);
  first.commit([capacity("pool", 3)]);
  first.close();
  assert.deepEqual(contentsOf(openLedger(t, path)).capacities, [
    { name: "gpu", slots: 1 },
    { name: "pool", slots: 3 },
  ]);
});

test("what has ended is not read again, whether it ended in its own turn or a later one", (t) => {
  const path = place(t);
  const first = Ledger.open(path);
  first.commit([
    { kind: "session-opened", row: adasSession },
    granted(1),
    granted(2),
    { kind: "grant-ended", token: token(1) },
    { kind: "queued", row: waiter(1) },
  ]);
  first.commit([{ kind: "grant-ended", token: token(2) }]);
  first.commit([
    { kind: "unqueued", arrival: 1 },
    { kind: "session-ended", session: ada },
  ]);
  first.commit([]);
  first.close();
  assert.deepEqual(contentsOf(openLedger(t, path)), {
    sessions: [],
    grants: [],
    waiters: [],
    capacities: [],
    mark: undefined,
  });
});

test("a session that is opened again keeps what it said last", (t) => {
  const path = place(t);
  const first = Ledger.open(path);
  first.commit([{ kind: "session-opened", row: adasSession }]);
  first.commit([{ kind: "session-opened", row: { ...adasSession, windowMs: 1 } }]);
  first.close();
  assert.deepEqual(contentsOf(openLedger(t, path)).sessions, [{ ...adasSession, windowMs: 1 }]);
});

test("after SIGKILL in the middle of its work a ledger holds whole turns, up to the last one that was reported", async (t) => {
  const path = place(t);
  const room = new URL("../../src/ledger/index.js", import.meta.url).href;
  // Each turn ends the pair of grants of the turn before and makes the next pair; a reported turn was committed.
  const program = `
    import { writeSync } from "node:fs";
    import { Ledger } from ${JSON.stringify(room)};
    const ledger = Ledger.open(${JSON.stringify(path)});
    const grant = (token) => ({ kind: "granted", row: { token, claims: [{ name: "n", mode: "exclusive" }], session: "${ada}", key: 1, since: 1, reason: "", tell: {} } });
    const ended = (token) => ({ kind: "grant-ended", token });
    for (let turn = 1; ; turn++) {
      ledger.commit([ended(2 * turn - 2 || 9e15), ended(2 * turn - 1), grant(2 * turn), grant(2 * turn + 1)]);
      writeSync(1, turn + "\\n");
    }`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => {
    said += chunk.toString();
    if (said.length > 20_000) child.kill("SIGKILL");
  });
  await once(child, "close");
  const reported = Number(said.slice(0, said.lastIndexOf("\n")).split("\n").at(-1));
  const tokens = contentsOf(openLedger(t, path)).grants.map((row) => row.token as number);
  assert.equal(tokens.length, 2, `one whole turn, not ${tokens.join(" ")}`);
  assert.equal(tokens[1], (tokens[0] ?? 0) + 1);
  assert.ok((tokens[0] ?? 0) >= 2 * reported, `turn ${reported} was reported, ${tokens.join(" ")} is there`);
});

for (const [what, spoil] of [
  ["is not a database", (path: string) => writeFileSync(path, "not a database at all, but long enough".repeat(200))],
  ["was cut off", (path: string) => truncateSync(path, 5000)],
  ["has a page of rubbish", (path: string) => spoilPages(path)],
  ["is of another version", (path: string) => execute(path, "pragma user_version = 99")],
  ["lacks a table", (path: string) => execute(path, "drop table waiters")],
  ["holds a session id that is none", (path: string) => execute(path, "update sessions set session = 'x'")],
  ["says more that is no JSON", (path: string) => execute(path, "update grants set more = '{'")],
  ["says more that is no object", (path: string) => execute(path, "update grants set more = '[]'")],
  ["says a mode that is none", (path: string) => execute(path, `update grants set more = '{"mode":"x"}'`)],
  ["says other names that are none", (path: string) => execute(path, `update grants set more = '{"also":[{}]}'`)],
  ["says a lease that is no number", (path: string) => execute(path, `update grants set more = '{"ttl":"1"}'`)],
  ["says former tokens that are none", (path: string) => execute(path, `update grants set more = '{"former":[-1]}'`)],
  ["holds a name that is none", (path: string) => execute(path, "update grants set name = char(7)")],
] as const) {
  test(`a ledger that ${what} is told as damaged, and replaced by an empty one that works`, (t) => {
    const path = place(t);
    const first = Ledger.open(path);
    const many = Array.from({ length: 200 }, (_, i) => granted(i + 1));
    first.commit([{ kind: "session-opened", row: adasSession }, ...many]);
    first.close();
    spoil(path);
    const second = Ledger.open(path);
    assert.equal(second.read(), "damaged");
    second.commit([granted(900)]);
    second.close();
    assert.deepEqual(contentsOf(openLedger(t, path)).grants, [grant(900)]);
  });
}

function execute(path: string, sql: string): void {
  const database = openDatabase({ path, role: "writer", durability: "off", busyMs: 0 });
  database.exec(sql);
  database.close();
}

/** All pages but the first. */
function spoilPages(path: string): void {
  const bytes = readFileSync(path);
  bytes.fill(0xa5, 4096);
  writeFileSync(path, bytes);
}

test("a turn that finds the disk full is not applied in any part, and a smaller one still is", (t) => {
  const path = place(t);
  const ledger = Ledger.open(path, 12);
  ledger.commit([granted(1)]);
  const large = Array.from({ length: 40 }, (_, i): LedgerEntry => {
    return { kind: "granted", row: { ...grant(i + 2), reason: "r".repeat(4000) } };
  });
  assert.throws(() => ledger.commit([{ kind: "grant-ended", token: token(1) }, ...large]), LedgerFull);
  ledger.commit([granted(500)]);
  ledger.commit([
    { kind: "grant-ended", token: token(500) },
    { kind: "unqueued", arrival: 1 },
  ]);
  ledger.close();
  assert.deepEqual(contentsOf(openLedger(t, path)).grants, [grant(1)]);
});

test("a write that the system's limit on file sizes stops counts as a full disk", async (t) => {
  const path = place(t);
  const room = new URL("../../src/ledger/index.js", import.meta.url).href;
  const program = `
    import { Ledger, LedgerFull } from ${JSON.stringify(room)};
    const ledger = Ledger.open(${JSON.stringify(path)});
    const grant = (token) => ({ kind: "granted", row: { token, claims: [{ name: "n", mode: "exclusive" }], session: "${ada}", key: 1, since: 1, reason: "r".repeat(4000), tell: {} } });
    let token = 1;
    try { for (;;) { ledger.commit([grant(token), { kind: "unqueued", arrival: 1 }]); token++; } }
    catch (error) { console.log(error instanceof LedgerFull ? token : error); }`;
  const shell = 'ulimit -f 600; exec "$0" --input-type=module -e "$1"';
  const child = spawn("sh", ["-c", shell, process.execPath, program], { stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  const [code] = await once(child, "close");
  assert.equal(code, 0);
  const refused = Number(said);
  assert.ok(refused > 1, said);
  assert.equal(contentsOf(openLedger(t, path)).grants.length, refused - 1);
});

test("an entry that contradicts the ledger is a fault and no refusal: it throws what SQLite says, and nothing is applied", (t) => {
  const path = place(t);
  const ledger = Ledger.open(path);
  ledger.commit([granted(1)]);
  assert.throws(() => ledger.commit([granted(2), granted(1)]), { code: "SQLITE_CONSTRAINT_PRIMARYKEY" });
  ledger.close();
  assert.deepEqual(contentsOf(openLedger(t, path)).grants, [grant(1)]);
});

test("another process cannot open a ledger that is in use", (t) => {
  const path = place(t);
  openLedger(t, path);
  assert.throws(() => Ledger.open(path), { code: "START_FAILED", message: /ledger\.db.*locked/ });
});

test("the log stays bounded, however many turns there are", (t) => {
  const path = place(t);
  const ledger = openLedger(t, path);
  for (let number = 1; number <= 5000; number++)
    ledger.commit([granted(number), { kind: "grant-ended", token: token(number) }]);
  assert.ok(readFileSync(`${path}-wal`).length < 5 * 1024 * 1024);
});

test("a discarded ledger is gone with its log", (t) => {
  const path = place(t);
  const ledger = Ledger.open(path);
  ledger.commit([granted(1)]);
  // As a kill leaves it: file and log.
  writeFileSync(`${path}.copy`, readFileSync(path));
  writeFileSync(`${path}.copy-wal`, readFileSync(`${path}-wal`));
  ledger.close();
  Ledger.discard(`${path}.copy`);
  assert.equal(existsSync(`${path}.copy`) || existsSync(`${path}.copy-wal`), false);
  assert.deepEqual(contentsOf(openLedger(t, `${path}.copy`)).grants, []);
  Ledger.discard(`${path}.never`);
});
