/**
 * Every method of the protocol under every role, said to a living broker. A method that is added needs a line here: it
 * does not compile without one.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isHoldfastError } from "../../src/client/index.js";
import { type MethodName, methodNames, type ParamsOf, type Role } from "../../src/protocol/index.js";
import { Home } from "../support/broker.js";
import { Canary } from "../support/canary.js";
import { within } from "../support/patience.js";

/** The least role that may ask for it. What else is wrong with the request counts only when that is settled. */
type Cases<Name extends MethodName> = readonly (readonly [least: Role, params: ParamsOf<Name>])[];

const secret = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI";
const held = { name: "lock", token: 7 };
const select = { sql: "select 1" };
const insert = { sql: "insert into t values (1)" };

const cases: { readonly [Name in MethodName]: Cases<Name> } = {
  // It decides what the role is. A second one is refused for another reason.
  "session.hello": [["read", { protocol: { min: 1, max: 1 }, role: "admin" }]],
  "session.goodbye": [["read", {}]],
  "session.settle": [["read", { secret, keys: [1] }]],
  "session.ping": [["read", {}]],
  "db.execute": [
    ["read", select],
    ["write", { ...insert, key: 1 }],
    ["write", { ...insert, key: "a key of its own" }],
    ["write", insert],
    ["write", { sql: "pragma user_version = 1" }],
  ],
  "db.query": [["read", select]],
  "db.batch": [
    ["read", { statements: [select, select] }],
    ["write", { statements: [select, insert], key: 1 }],
  ],
  // Wherever its statements come from, it has the writer to itself.
  "db.script": [["write", { sql: "select 1", key: 1 }]],
  "db.describe": [["read", { sql: "delete from t" }]],
  "db.stream": [["read", { ...select, stream: 1, credit: 1000 }]],
  "tx.begin": [
    ["write", { tx: 1, mode: "write" }],
    ["read", { tx: 2, mode: "read" }],
    ["write", { tx: 3, mode: "deferred" }],
  ],
  "tx.stream": [["read", { tx: 1, ...select, stream: 1, credit: 1000 }]],
  // Without a transaction there is nothing that could be done with it.
  "tx.execute": [["read", { tx: 1, ...insert }]],
  "tx.batch": [["read", { tx: 1, statements: [insert] }]],
  "tx.commit": [["read", { tx: 1, key: 1 }]],
  "tx.rollback": [["read", { tx: 1 }]],
  "watch.open": [["read", { watch: 1, tables: ["t"] }]],
  "watch.close": [["read", { watch: 1 }]],
  "lock.acquire": [
    ["read", { name: "lock", key: 1, waitMs: 0 }],
    ["write", { name: "lock", key: 1, waitMs: 0, steal: true }],
  ],
  "lock.upgrade": [["read", { ...held, key: 1 }]],
  "lock.downgrade": [["read", { ...held, key: 1 }]],
  "lock.cancel": [["read", { of: 1, key: 2 }]],
  "lock.release": [["read", { ...held, key: 1 }]],
  "lock.list": [["read", {}]],
  "lock.history": [["read", { name: "lock" }]],
  "lock.watch": [["read", { watch: 1, prefix: "" }]],
  "lock.unwatch": [["read", { watch: 1 }]],
  "lock.break": [["write", { name: "lock", key: 1 }]],
  "lock.transfer": [["write", { name: "lock", to: "0".repeat(32), key: 1 }]],
  "lock.resize": [["write", { name: "slots", slots: 2, key: 1 }]],
  "admin.status": [["admin", {}]],
  "admin.stop": [["admin", {}]],
};

const roles: readonly Role[] = ["read", "write", "admin"];

test("every method is served to those who may, and refused to all others before anything else is", async (t) => {
  const home = new Home(t);
  await home.start();
  const canary = await Canary.start(home);
  await (await home.wire()).call("db.script", { sql: "create table t (a)", key: 1 });
  let asked = 0;
  for (const method of methodNames) {
    for (const [least, params] of cases[method])
      for (const role of roles) {
        const allowed = roles.indexOf(role) >= roles.indexOf(least);
        // The next test does it.
        if (method === "admin.stop" && allowed) continue;
        const wire = await home.wire({ role });
        const { error } = await wire.post(method, params);
        const where = `${method} ${JSON.stringify(params)} as ${role}: ${JSON.stringify(error)}`;
        assert.equal(error?.data.code === "FORBIDDEN", !allowed, where);
        if (!allowed) assert.deepEqual(error?.data.details, { role, needed: least }, where);
        await wire.drop();
        asked++;
      }
  }
  assert.ok(asked >= methodNames.length * roles.length - 1);
  const looker = await home.wire({ role: "read" });
  const { rows } = await looker.call("db.query", { sql: "select count(*) from t" });
  // Four inserts, each as two roles, and one of them under a key that holds in all sessions.
  assert.deepEqual(rows, [[7]]);
  await canary.goesOn();
});

test("a hello that was refused opens no door to what needs no session", async (t) => {
  const home = new Home(t);
  const front = await home.start();
  const first = await home.wire({ role: "read" });
  const second = await home.silent();
  const answers = [
    second.post("session.hello", { protocol: { min: 1, max: 1 }, secret: first.secret, role: "admin" }),
    second.post("admin.stop", {}),
    second.post("db.execute", { sql: "create table u (a)" }),
  ];
  const codes = (await Promise.all(answers)).map(({ error }) => error?.data.code);
  assert.deepEqual(codes, ["FORBIDDEN", "NOT_READY", "NOT_READY"]);
  assert.equal((await first.call("session.ping", {})).now > 0, true);
  await (await home.wire({ role: "admin" })).call("admin.stop", {});
  assert.equal((await within("the end of the broker", front.exited)).code, 0);
});

test("a program says its role with connect or in its environment, and keeps it over a lost connection", async (t) => {
  const home = new Home(t);
  await home.start();
  const refused = async (work: Promise<unknown>) => {
    const error: unknown = await work.then(
      () => assert.fail("it was done"),
      (reason: unknown) => reason,
    );
    assert.ok(isHoldfastError(error), String(error));
    return error.code;
  };
  const reader = await home.connect({ role: "read" });
  const writer = await home.connect({ env: { HOLDFAST_ROLE: "write" } });
  await writer.script("create table t (a)");
  assert.equal(await refused(reader.execute("insert into t values (1)")), "FORBIDDEN");
  assert.equal(await refused(reader.status()), "FORBIDDEN");
  assert.equal(await refused(writer.status()), "FORBIDDEN");
  assert.equal((await (await home.connect({ env: { HOLDFAST_ROLE: "" } })).status()).writes.state, "ok");
  await home.killAll();
  await home.start();
  assert.deepEqual(await reader.query("select a from t"), []);
  assert.equal(await refused(reader.execute("insert into t values (1)")), "FORBIDDEN");
  assert.equal(await refused(home.connect({ env: { HOLDFAST_ROLE: "root" } })), "MISUSE");
});
