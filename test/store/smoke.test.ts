import assert from "node:assert/strict";
import { test } from "node:test";
import { rig } from "./store-rig.js";
test("smoke", async (t) => {
  const r = rig(t);
  const ready = await r.startWriter();
  console.log(ready);
  console.log(await r.execute("create table t(a integer primary key, b)"));
  console.log(await r.execute("insert into t(b) values(?)", ["x"], { key: 1 }));
  console.log(await r.execute("insert into t(b) values(?)", ["x"], { key: 1 }));
  await r.startReader();
  console.log(JSON.stringify(await r.read("db.query", { sql: "select *, typeof(b) from t" })));
  console.log(JSON.stringify(await r.execute("insert into t(b) valuess(?)", ["x"])));
  console.log(JSON.stringify(await r.write("db.script", {sql:"insert into t(b) values(1); insert into t(b) values(2) returning *; select * from t", atomic:false}, {key: 5})));
  console.log(JSON.stringify(await r.write("db.batch", {statements:[{sql:"insert into t(b) values(1)"}, {sql:"select last_insert_rowid()"}]}, {key: 6, encoding:"msgpack"})));
  console.log(JSON.stringify(await r.settle("a".repeat(32) as never, [1,5,6,7])));
  console.log(r.log, r.store.processes());
  assert.ok(true);
});
