/**
 * Clients that claim what is not theirs: sessions, locks, fences, keys. Each claim is refused with its own code, and
 * whom it belongs to keeps it.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, afterEach, before, test } from "node:test";
import { Home } from "../support/broker.js";
import { Canary } from "../support/canary.js";
import { within } from "../support/patience.js";

const home = new Home({ after });
let canary: Canary;

before(async () => {
  await home.start();
  canary = await Canary.start(home);
  const wire = await home.wire();
  await wire.call("db.execute", { sql: "create table note (text text)", key: wire.key() });
});

afterEach(() => canary.goesOn());

const hello = { protocol: { min: 1, max: 1 } };

test("a session cannot be taken up with another secret, nor with its id", async () => {
  const owner = await home.wire();
  const { token } = await owner.call("lock.acquire", { name: "mine", key: owner.key() });
  const thief = await home.silent();
  const wrong = randomBytes(32).toString("base64url");
  assert.equal(
    (await thief.refusal("session.hello", { ...hello, secret: wrong, mode: "resume" })).data.code,
    "SESSION_EXPIRED",
  );
  const id = owner.welcome?.session ?? "";
  assert.equal(
    (await thief.refusal("session.hello", { ...hello, secret: id, mode: "resume" })).data.code,
    "PARAMS_INVALID",
  );
  const padded = Buffer.from(id, "hex").toString("base64url").padEnd(43, "A");
  assert.equal(
    (await thief.refusal("session.hello", { ...hello, secret: padded, mode: "resume" })).data.code,
    "SESSION_EXPIRED",
  );
  // Listing the lock as its own brings the thief nothing.
  const { grants, lost } = await thief.hello({ grants: [{ name: "mine", token }] });
  assert.deepEqual({ grants, lost }, { grants: [], lost: [{ name: "mine", token }] });
  await owner.call("db.execute", {
    sql: "insert into note values ('owner')",
    key: owner.key(),
    fence: [{ name: "mine", token }],
  });
});

test("whoever knows the secret speaks for the session, and the connection before is told and closed with 4409", async () => {
  const first = await home.wire();
  const { token } = await first.call("lock.acquire", { name: "moving", key: first.key() });
  const second = await home.silent();
  const welcome = await second.hello({ secret: first.secret, mode: "resume", grants: [{ name: "moving", token }] });
  assert.deepEqual([welcome.resumed, welcome.grants.map((grant) => grant.token)], [true, [token]]);
  await first.notice("session.taken");
  assert.equal((await within("the end of the first connection", first.closed)).code, 4409);
});

test("a session that is there cannot be opened as a new one", async () => {
  const owner = await home.wire();
  const other = await home.silent();
  const { data } = await other.refusal("session.hello", { ...hello, secret: owner.secret, mode: "new" });
  assert.equal(data.code, "PARAMS_INVALID");
});

test("a lock is released by nobody but its session, and under no other token", async () => {
  const [owner, other] = [await home.wire(), await home.wire()];
  const name = "kept";
  const { token } = await owner.call("lock.acquire", { name, key: owner.key() });
  assert.equal((await other.refusal("lock.release", { name, token, key: other.key() })).data.code, "LOCK_NOT_HELD");
  assert.equal(
    (await owner.refusal("lock.release", { name, token: token + 1, key: owner.key() })).data.code,
    "LOCK_NOT_HELD",
  );
  assert.equal((await other.refusal("lock.acquire", { name, key: other.key(), waitMs: 0 })).data.code, "LOCK_HELD");
  await owner.call("lock.release", { name, token, key: owner.key() });
  assert.equal((await owner.refusal("lock.release", { name, token, key: owner.key() })).data.code, "LOCK_NOT_HELD");
});

test("a write under a wrong token, a lock that nobody holds or one that was released is refused with FENCED", async () => {
  const wire = await home.wire();
  const { token } = await wire.call("lock.acquire", { name: "fence", key: wire.key() });
  const fences = [
    [{ name: "fence", token: token + 1 }],
    [{ name: "fence", token: 1 }],
    [{ name: "nobody's", token }],
    [
      { name: "fence", token },
      { name: "nobody's", token },
    ],
  ];
  for (const fence of fences)
    for (const key of [wire.key(), undefined]) {
      const write = { sql: "insert into note values ('fenced')", fence, ...(key === undefined ? {} : { key }) };
      const { data } = await wire.refusal("db.execute", write);
      assert.deepEqual([data.code, data.outcome], ["FENCED", "none"]);
    }
  await wire.call("lock.release", { name: "fence", token, key: wire.key() });
  const late = await wire.refusal("db.execute", {
    sql: "insert into note values ('fenced')",
    fence: [{ name: "fence", token }],
    key: wire.key(),
  });
  assert.equal(late.data.code, "FENCED");
  assert.deepEqual((await wire.call("db.query", { sql: "select * from note where text = 'fenced'" })).rows, []);
});

test("a key that was used for another body is refused with KEY_REUSED, and the first body holds", async () => {
  const wire = await home.wire();
  const key = wire.key();
  const body = { sql: "insert into note values (?) returning text", args: ["first"], key };
  const first = await wire.call("db.execute", body);
  for (const other of [
    { ...body, args: ["second"] },
    { ...body, sql: "insert into note values ('second')", args: [] },
    { ...body, args: [{ $blob: "Zmlyc3Q=" }] },
  ])
    assert.equal((await wire.refusal("db.execute", other)).data.code, "KEY_REUSED");
  assert.equal(
    (await wire.refusal("db.batch", { statements: [{ sql: "delete from note" }], key })).data.code,
    "KEY_REUSED",
  );
  // The same body, spelled in another way and under another id, is the same request.
  assert.deepEqual(await wire.call("db.execute", { key, args: ["first"], sql: body.sql, ack: 1 }), first);
  assert.deepEqual(
    (await wire.call("db.query", { sql: "select count(*) from note where text in ('first', 'second')" })).rows,
    [[1]],
  );
});

test("the key of a lock request that was used for another name is refused with KEY_REUSED", async () => {
  const wire = await home.wire();
  const key = wire.key();
  const { token } = await wire.call("lock.acquire", { name: "once", key });
  assert.equal((await wire.refusal("lock.acquire", { name: "twice", key })).data.code, "KEY_REUSED");
  assert.equal((await wire.call("lock.acquire", { name: "once", key })).token, token);
});

// rule 6: keys that are acknowledged are never executed
test("a key that was acknowledged is refused with RETRY_TOO_OLD and not executed", async () => {
  const wire = await home.wire();
  const write = (key: number) => ({ sql: "insert into note values ('acknowledged')", key });
  await wire.call("db.execute", write(1));
  await wire.call("db.execute", write(2));
  wire.notify("session.ack", { below: 3 });
  for (const key of [1, 2]) {
    const { data } = await wire.refusal("db.execute", write(key));
    assert.deepEqual([data.code, data.outcome], ["RETRY_TOO_OLD", "unknown"]);
  }
  assert.equal((await wire.refusal("lock.acquire", { name: "old", key: 2 })).data.code, "RETRY_TOO_OLD");
  assert.deepEqual(
    (await wire.call("db.query", { sql: "select count(*) from note where text = 'acknowledged'" })).rows,
    [[2]],
  );
});

test("a session that has ended is not taken up again", async () => {
  const wire = await home.wire();
  const { secret } = wire;
  await wire.call("session.goodbye", {});
  const again = await home.silent();
  for (const mode of ["resume", "either", "new"] as const)
    assert.equal((await again.refusal("session.hello", { ...hello, secret, mode })).data.code, "SESSION_EXPIRED", mode);
});

test("a process that is not there, or is another by now, does not count as the client's", async () => {
  const wire = await home.wire({ process: { pid: 1, startTime: "1" } });
  const { token } = await wire.call("lock.acquire", { name: "claimed", key: wire.key() });
  const other = await home.wire();
  const { data } = await other.refusal("lock.acquire", { name: "claimed", key: other.key(), waitMs: 0 });
  assert.deepEqual((data.details["holder"] as { pid: unknown; token: unknown }).pid, null);
  await wire.call("lock.release", { name: "claimed", token, key: wire.key() });
  const bound = await home.silent();
  const refused = await bound.refusal("session.hello", { ...hello, bound: true, process: { pid: 1, startTime: "1" } });
  assert.equal(refused.data.code, "PARAMS_INVALID");
});
