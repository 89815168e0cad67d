/** The program's side of a watch of tables: changes in order, cursors that lose nothing, gaps, and an end in every way. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Driver, TableSubscription } from "../../src/client/driver.js";
import { TableChanges, type TableNews, type TableWatchOptions } from "../../src/client/table-changes.js";
import type { Integers } from "../../src/protocol/index.js";
import { isHoldfastError, refuse } from "../../src/terms/index.js";

type Told = readonly [seq: number, table: string, more?: object];

class Stage {
  readonly said: string[] = [];
  subscription: TableSubscription | undefined;
  readonly changes: TableChanges;

  constructor(options: TableWatchOptions = {}, integers: Integers = "auto") {
    const driver = {
      watch: (subscription: TableSubscription) => {
        this.subscription = subscription;
        this.said.push("watch");
      },
      unwatch: () => this.said.push("unwatch"),
    };
    const spelling = { encoding: "json", integers } as const;
    this.changes = new TableChanges({ driver: driver as unknown as Driver, spelling }, ["t", "u"], options);
  }

  get #watch(): TableSubscription {
    if (this.subscription === undefined) throw new Error("nothing is watched");
    return this.subscription;
  }

  opens(upTo = 10): void {
    const watch = this.#watch;
    watch.after ??= { seq: upTo, source: "s" };
    watch.handlers.onNews({ kind: "tables-watched", watch, absent: ["u"] });
  }

  tells(...rows: readonly Told[]): void {
    this.tellsAll(rows);
  }

  tellsAll(rows: readonly Told[]): void {
    const changes = rows.map(([seq, table, more]) => ({ seq, table, inserts: 1, updates: 0, deletes: 0, ...more }));
    this.#watch.handlers.onNews({ kind: "tables-changed", watch: this.#watch, source: "s", changes });
  }

  gap(seq: number): void {
    this.#watch.handlers.onNews({ kind: "tables-gap", watch: this.#watch, at: { seq, source: "s2" } });
  }

  ends(): void {
    this.#watch.handlers.onEnd(refuse("WATCHES_FULL", "full"));
  }

  async take(count: number): Promise<TableNews[]> {
    const all: TableNews[] = [];
    for (let n = 0; n < count; n++) {
      const { value, done } = await this.changes.next();
      if (done === true) break;
      all.push(value);
    }
    return all;
  }
}

const cursors = (news: readonly TableNews[]) => news.map(({ cursor }) => cursor);

test("begins at once, says what does not exist, and gives what was told before it was asked for", async () => {
  const stage = new Stage();
  assert.deepEqual(stage.said, ["watch"]);
  stage.opens();
  assert.deepEqual(await stage.changes.opened, { absent: ["u"] });
  stage.tells([11, "t"], [12, "u"]);
  const news = await stage.take(2);
  assert.deepEqual(
    news.map((one) => !one.gap && [one.seq, one.table, one.inserts, one.keysCut]),
    [
      [11, "t", 1, false],
      [12, "u", 1, false],
    ],
  );
});

test("a cursor is that of the commit before until all tables of its own are there", async () => {
  const stage = new Stage();
  stage.opens();
  stage.tells([11, "t"], [11, "u"], [12, "t"]);
  stage.tells([13, "t"], [13, "u"]);
  assert.deepEqual(cursors(await stage.take(5)), ["s:10", "s:11", "s:12", "s:12", "s:13"]);
});

test("a cursor is taken up again, and what is none is refused", () => {
  const stage = new Stage({ after: "ab.7:12" });
  assert.deepEqual(stage.subscription?.after, { seq: 12, source: "ab.7" });
  assert.throws(() => new Stage({ after: "12" }), /is not the cursor/);
});

test("keys come as values, and what they were", async () => {
  const stage = new Stage();
  stage.opens();
  const keys = [
    { change: "insert", key: [{ $int: "9007199254740993" }, { $blob: "AP8=" }] },
    { change: "update", key: ["b"], was: ["a"] },
  ];
  stage.tells([11, "t", { keys, keysCut: true, schema: "changed" }]);
  const [news] = await stage.take(1);
  assert.deepEqual(news, {
    ...{ gap: false, table: "t", seq: 11, inserts: 1, updates: 0, deletes: 0, schema: "changed" },
    keys: [
      { change: "insert", key: [9007199254740993n, new Uint8Array([0, 255])] },
      { change: "update", key: ["b"], was: ["a"] },
    ],
    ...{ keysCut: true, cursor: "s:11" },
  });
});

test("a key that cannot be a number is told where the program waits, and ends the watch", async () => {
  const stage = new Stage({ keys: true }, "number");
  stage.opens();
  stage.tells([11, "t", { keys: [{ change: "insert", key: [1] }] }]);
  stage.tells([12, "t", { keys: [{ change: "insert", key: [{ $int: "9007199254740993" }] }] }]);
  stage.tells([13, "t", { keys: [{ change: "insert", key: [2] }] }]);
  assert.deepEqual(cursors(await stage.take(1)), ["s:11"]);
  await assert.rejects(stage.changes.next(), (error) => isHoldfastError(error) && error.code === "MISUSE");
  assert.deepEqual(stage.said, ["watch", "unwatch"]);
  assert.deepEqual(await stage.changes.next(), { value: undefined, done: true });
});

test("an option that there is not is refused", () => {
  assert.throws(() => new Stage({ key: true } as never), /watch has no option "key"; it has keys, after, signal/);
});

test("a gap comes in its place", async () => {
  const stage = new Stage();
  stage.opens();
  stage.tells([11, "t"]);
  stage.gap(20);
  stage.tells([21, "t"]);
  const news = await stage.take(3);
  assert.deepEqual(news[1], { gap: true, seq: 20, cursor: "s2:20" });
  assert.deepEqual(
    news.map(({ gap }) => gap),
    [false, true, false],
  );
});

test("what nobody takes is dropped when it is too much, and a gap stands for it", async () => {
  const stage = new Stage();
  stage.opens();
  for (let seq = 11; seq <= 10_011; seq++) stage.tells([seq, "t"]);
  stage.tells([10_012, "t"]);
  const news = await stage.take(2);
  assert.deepEqual(cursors(news), ["s:10011", "s:10012"]);
  assert.equal(news[0]?.gap, true);
});

test("keys that nobody takes are dropped when they are too much memory, however few the commits are", async () => {
  const stage = new Stage({ keys: true });
  stage.opens();
  const body = "x".repeat(9 * 1024 * 1024);
  const large = { keys: [{ change: "update", key: [body], was: [{ $blob: body }] }] };
  for (let seq = 11; seq <= 13; seq++) stage.tells([seq, "t", large]);
  assert.deepEqual(cursors(await stage.take(1)), ["s:11"]);
  stage.tells([14, "t", large]);
  assert.deepEqual(cursors(await stage.take(1)), ["s:12"], "what was taken does not count");
  for (let seq = 15; seq <= 16; seq++) stage.tells([seq, "t", large]);
  assert.deepEqual(await stage.take(1), [{ gap: true, seq: 16, cursor: "s:16" }]);
  stage.tells([17, "t", large]);
  assert.deepEqual(cursors(await stage.take(1)), ["s:17"]);
  const named = Array.from({ length: 1000 }, (_, n) => ({ change: "insert", key: [n] }));
  for (let seq = 18; seq <= 617; seq++) stage.tells([seq, "t", { keys: named }]);
  assert.equal((await stage.take(1))[0]?.gap, true, "numbers take memory as well");
});

test("what was missed may be told at once, however much it is", async () => {
  const stage = new Stage();
  stage.opens();
  stage.tellsAll(Array.from({ length: 300_000 }, (_, n) => [11 + n, "t"]));
  assert.deepEqual(await stage.take(1), [{ gap: true, seq: 300_010, cursor: "s:300010" }]);
});

test("leaving the loop ends the watch", async () => {
  const stage = new Stage();
  stage.opens();
  stage.tells([11, "t"]);
  for await (const _ of stage.changes) break;
  assert.deepEqual(stage.said, ["watch", "unwatch"]);
  assert.deepEqual(await stage.changes.next(), { value: undefined, done: true });
  stage.tells([12, "t"]);
  assert.deepEqual(await stage.changes.next(), { value: undefined, done: true });
});

test("a refusal is thrown where the program waits, and what came before it is still given", async () => {
  const stage = new Stage();
  stage.opens();
  stage.tells([11, "t"]);
  stage.ends();
  assert.equal((await stage.take(1)).length, 1);
  await assert.rejects(stage.changes.next(), (error) => isHoldfastError(error) && error.code === "WATCHES_FULL");
  const other = new Stage();
  other.ends();
  await assert.rejects(other.changes.opened, (error) => isHoldfastError(error) && error.code === "WATCHES_FULL");
});

test("a signal ends it with its reason, before it is open as well", async () => {
  const ended = new AbortController();
  const stage = new Stage({ signal: ended.signal });
  const waiting = stage.changes.next();
  ended.abort(new Error("enough"));
  await assert.rejects(waiting, /enough/);
  await assert.rejects(stage.changes.opened, /enough/);
  assert.deepEqual(stage.said, ["watch", "unwatch"]);
  assert.throws(() => new Stage({ signal: ended.signal }), /enough/);
});
