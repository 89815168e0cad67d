/**
 * Watches of tables through a real broker: who follows a table by them has it as it is in the end, whatever was killed
 * meanwhile; and what is not known is told as a gap.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Broker, TableChange, TableChanges, TableNews } from "../../src/client/index.js";
import { openDatabase } from "../../src/sqlite/index.js";
import { Home, successorOf } from "../support/broker.js";
import { until, within } from "../support/patience.js";
import { kill, known } from "../support/processes.js";

type Change = Omit<TableChange, "cursor" | "seq" | "gap" | "keysCut"> | "gap";

async function next(changes: TableChanges): Promise<TableNews> {
  const { value, done } = await within("news of a table", changes.next());
  assert.notEqual(done, true);
  return value as TableNews;
}

function bare(news: TableNews): Change {
  if (news.gap) return "gap";
  const { cursor: _, seq: __, gap: ___, keysCut: ____, ...change } = news;
  return change;
}

/** Keeps a copy of the table `job` by nothing but its news. */
class Follower {
  readonly rows = new Map<number, number>();
  gaps = 0;
  changes = 0;
  #lastSeq = 0;
  readonly #broker: Broker;
  readonly #changes: TableChanges;
  readonly over: Promise<void>;

  constructor(broker: Broker) {
    this.#broker = broker;
    this.#changes = broker.watch("job", { keys: true });
    this.over = this.#follow();
  }

  /** Looks once more for what is not told yet, and ends. */
  async end(): Promise<void> {
    await this.#changes.return();
    await this.over;
  }

  async #follow(): Promise<void> {
    await this.#changes.opened;
    await this.#readAll();
    for await (const news of this.#changes) {
      if (news.gap) {
        this.gaps++;
        this.#lastSeq = news.seq;
        await this.#readAll();
        continue;
      }
      this.changes++;
      assert.ok(news.seq > this.#lastSeq, "a commit is told twice, or out of order");
      this.#lastSeq = news.seq;
      assert.equal(news.keysCut, false);
      for (const { key } of news.keys ?? []) await this.#read(Number(key[0]));
    }
  }

  async #readAll(): Promise<void> {
    const rows = await this.#broker.query<{ id: number; n: number }>("select id, n from job");
    this.rows.clear();
    for (const { id, n } of rows) this.rows.set(id, n);
  }

  async #read(id: number): Promise<void> {
    const row = await this.#broker.get<{ n: number }>("select n from job where id = ?", [id]);
    if (row === undefined) this.rows.delete(id);
    else this.rows.set(id, row.n);
  }
}

/** Writes until it is told to stop; what is refused because something was killed is not repeated. */
async function scribble(broker: Broker, first: number, goesOn: () => boolean): Promise<number> {
  let done = 0;
  for (let n = 0; goesOn(); n++) {
    const id = first + (n % 7);
    const texts = [
      "insert into job (id, n) values (?, 0) on conflict do nothing",
      "update job set n = n + 1 where id = ?",
      "delete from job where id = ? and n % 3 = 0",
    ];
    await broker.execute(texts[n % 3] ?? "", [id]).catch(() => undefined);
    done++;
  }
  return done;
}

for (const [whom, kills] of [
  ["broker", 4],
  ["writer", 6],
] as const)
  test(`who follows a table has it whole though the ${whom} is killed ${kills} times meanwhile`, async (t) => {
    const home = new Home(t);
    const setup = await home.connect({ start: true });
    await setup.execute("create table job (id integer primary key, n int)");
    const follower = new Follower(await home.connect({ start: true }));
    let goesOn = true;
    const writers = [1, 101, 201].map(async (first) =>
      scribble(await home.connect({ start: true }), first, () => goesOn),
    );
    let front = known((await home.status()).pid);
    for (let n = 0; n < kills; n++) {
      const before = follower.changes;
      await until("some changes to be told", () => follower.changes > before + 20);
      if (whom === "broker") {
        kill(front, "SIGKILL");
        front = await successorOf(home, front);
      } else kill(await home.processOf("writer"), "SIGKILL");
      const gaps = follower.gaps;
      if (n === 0) await until("the gap to be told", () => follower.gaps >= Math.max(1, gaps));
    }
    goesOn = false;
    const done = (await within("the writers", Promise.all(writers))).reduce((sum, one) => sum + one, 0);
    const rows = await setup.query<{ id: number; n: number }>("select id, n from job order by id");
    const wanted = JSON.stringify(rows.map(({ id, n }) => [id, n]));
    await until("the follower to have it all", () => {
      const has = [...follower.rows].sort(([a], [b]) => a - b);
      return JSON.stringify(has) === wanted;
    });
    await follower.end();
    assert.ok(follower.gaps >= 1, "no gap was told");
    t.diagnostic(`${done} writes, ${follower.changes} changes, ${follower.gaps} gaps`);
  });

test("a commit of a transaction is told once, and what was rolled back in it not at all", async (t) => {
  const home = new Home(t);
  await home.start();
  const broker = await home.connect();
  await broker.execute("create table job (id integer primary key, n int)");
  const changes = broker.watch("job", { keys: true });
  await changes.opened;
  await broker.transaction(async (tx) => {
    await tx.execute("insert into job values (1, 1)");
    await tx.execute("savepoint s");
    await tx.execute("insert into job values (2, 1), (3, 1)");
    await tx.execute("rollback to s");
    await tx.execute("update job set n = 2");
  });
  const given = await broker.begin();
  await given.execute("delete from job");
  await given.rollback();
  await broker.execute("insert into job values (9, 9)");
  assert.deepEqual(
    [bare(await next(changes)), bare(await next(changes))],
    [
      {
        ...{ table: "job", inserts: 1, updates: 1, deletes: 0 },
        keys: [
          { change: "insert", key: [1] },
          { change: "update", key: [1] },
        ],
      },
      { ...{ table: "job", inserts: 1, updates: 0, deletes: 0 }, keys: [{ change: "insert", key: [9] }] },
    ],
  );
});

test("a lost connection misses nothing, because its tables stay watched, and goes on behind what it has heard", async (t) => {
  const home = new Home(t);
  await home.start();
  const broker = await home.connect();
  await broker.execute("create table job (id integer primary key)");
  const wire = await home.wire();
  const { source } = await wire.call("watch.open", { watch: 1, tables: ["job"] });
  await broker.execute("insert into job values (1)");
  const heard = (await wire.notice("watch.changes")).params as { upTo: number };
  await wire.drop();
  await broker.execute("insert into job values (2)");
  await broker.execute("insert into job values (3)");
  const again = await home.wire();
  const opened = await again.call("watch.open", { watch: 1, tables: ["job"], after: heard.upTo, source });
  assert.equal(opened.gap, false);
  const { changes } = (await again.notice("watch.changes")).params as { changes: { inserts: number }[] };
  assert.deepEqual(
    changes.map(({ inserts }) => inserts),
    [1, 1],
  );
});

test("a table that is made, altered, filled and dropped is told step by step", async (t) => {
  const home = new Home(t);
  await home.start();
  const broker = await home.connect();
  const changes = broker.watch(["Job", "other"]);
  assert.deepEqual(await changes.opened, { absent: ["Job", "other"] });
  await broker.script("create table job (id integer primary key); insert into job values (1), (2);");
  await broker.execute("alter table job add column note text");
  await broker.execute("update job set note = 'x'");
  await broker.execute("drop table job");
  const told: Change[] = [];
  for (let n = 0; n < 4; n++) told.push(bare(await next(changes)));
  assert.deepEqual(told, [
    { table: "Job", inserts: 2, updates: 0, deletes: 0, schema: "created" },
    { table: "Job", inserts: 0, updates: 0, deletes: 0, schema: "changed" },
    { table: "Job", inserts: 0, updates: 2, deletes: 0 },
    { table: "Job", inserts: 0, updates: 0, deletes: 0, schema: "dropped" },
  ]);
});

test("what another program writes past the broker is not seen, and a gap is told with the next commit", async (t) => {
  const home = new Home(t);
  await home.start();
  const broker = await home.connect();
  await broker.execute("create table job (id integer primary key)");
  const changes = broker.watch("job");
  await changes.opened;
  const stranger = openDatabase({ path: home.database, role: "writer", durability: "off", busyMs: 1000 });
  stranger.exec("insert into job values (1)");
  stranger.close();
  await broker.execute("insert into job values (2)");
  await broker.execute("insert into job values (3)");
  assert.deepEqual(
    [bare(await next(changes)), bare(await next(changes)), bare(await next(changes))],
    [{ table: "job", inserts: 1, updates: 0, deletes: 0 }, "gap", { table: "job", inserts: 1, updates: 0, deletes: 0 }],
  );
});

test("what cannot be watched is refused with the reason, and a signal ends a watch", async (t) => {
  const home = new Home(t);
  await home.start();
  const broker = await home.connect();
  await broker.execute("create view v as select 1 as a");
  for (const [table, words] of [
    ["v", /a view/],
    ["sqlite_schema", /SQLite's own/],
    ["_holdfast_meta", /broker's own/],
  ] as const)
    await assert.rejects(broker.watch(table).next(), words);
  const ended = new AbortController();
  const changes = broker.watch("later", { signal: ended.signal });
  await changes.opened;
  const waiting = changes.next();
  ended.abort(new Error("enough"));
  await assert.rejects(waiting, /enough/);
  assert.equal((await changes.return()).done, true);
});
