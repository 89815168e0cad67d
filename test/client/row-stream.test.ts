/** The program's side of a stream: rows in order, credit given back, and an end in every way there is. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Driver, Question } from "../../src/client/driver.js";
import { RowStream } from "../../src/client/row-stream.js";
import type { Integers } from "../../src/protocol/index.js";
import { isHoldfastError, type Refusal, refuse } from "../../src/terms/index.js";

const credit = 1000;

/** What the library asks of the driver, written down; and a broker whose part the test plays. */
class Stage {
  readonly said: string[] = [];
  readonly question = new Question("stream", "db.stream", {});
  readonly stream: RowStream<unknown>;
  #answer: (() => void) | undefined;

  constructor({ signal, integers = "auto" }: { readonly signal?: AbortSignal; readonly integers?: Integers } = {}) {
    const driver = {
      ask: () => {
        this.said.push("ask");
        return new Promise<void>((resolve) => {
          this.#answer = resolve;
        });
      },
      cancel: () => {
        this.said.push("cancel");
        if (this.question.result === undefined) this.refuse(refuse("CANCELLED", "cancelled"));
      },
      credit: (_: Question, bytes: number) => this.said.push(`credit ${bytes}`),
      closeStream: () => this.said.push("close"),
    };
    const spelling = { encoding: "json", integers } as const;
    this.stream = new RowStream({
      driver: driver as unknown as Driver,
      ...{ spelling, question: this.question, credit, shape: "arrays", signal },
    });
  }

  open(columns: readonly string[] = ["n"]): void {
    this.question.result = { stream: 1, columns };
    this.#answer?.();
  }

  refuse(refusal: Refusal): void {
    this.question.refusal = refusal;
    this.#answer?.();
  }

  rows(numbers: readonly unknown[], bytes = 300): void {
    this.question.onRows?.(
      numbers.map((number) => [number]),
      bytes,
    );
  }

  done(refusal?: Refusal): void {
    this.question.onDone?.(refusal);
  }

  /** The next rows, as many as are wanted. */
  async take(count: number): Promise<unknown[]> {
    const rows: unknown[] = [];
    for (let i = 0; i < count; i++) {
      const { value, done } = await this.stream.next();
      if (done === true) break;
      rows.push((value as unknown[])[0]);
    }
    return rows;
  }
}

test("a stream that was closed before it was open has no columns, and says so", async () => {
  const closed = (error: unknown) => isHoldfastError(error) && error.code === "CLOSED";
  const stage = new Stage();
  const columns = stage.stream.columns();
  await Promise.resolve();
  await stage.stream.return();
  await assert.rejects(columns, closed);
  const never = new Stage();
  await never.stream.return();
  await assert.rejects(never.stream.columns(), closed);
  assert.deepEqual(never.said, []);
});

/** A stage whose stream is open; what was said until then is forgotten. */
async function opened(options: { readonly signal?: AbortSignal } = {}): Promise<Stage> {
  const stage = new Stage(options);
  const columns = stage.stream.columns();
  await Promise.resolve();
  stage.open();
  await columns;
  stage.said.length = 0;
  return stage;
}

function code(error: unknown): string | undefined {
  return isHoldfastError(error) ? error.code : undefined;
}

test("nothing is asked before a row is wanted", async () => {
  const stage = new Stage();
  assert.deepEqual(stage.said, []);
  const row = stage.stream.next();
  assert.deepEqual(stage.said, ["ask"]);
  stage.open();
  stage.rows([1]);
  assert.deepEqual(await row, { value: [1], done: false });
});

test("rows come in order, across messages, to whoever asks, and the end comes after the last", async () => {
  const stage = await opened();
  const early = [stage.stream.next(), stage.stream.next(), stage.stream.next()];
  stage.rows([1, 2]);
  stage.rows([3, 4]);
  stage.done();
  assert.deepEqual(
    (await Promise.all(early)).map(({ value }) => (value as unknown[])[0]),
    [1, 2, 3],
  );
  assert.deepEqual(await stage.take(5), [4]);
  assert.deepEqual(await stage.stream.next(), { value: undefined, done: true });
});

test("credit is given back when half of the window is owed, and all of it when nothing is left to read", async () => {
  const stage = await opened();
  stage.rows([1], 300);
  stage.rows([2], 300);
  stage.rows([3], 300);
  assert.deepEqual(await stage.take(1), [1]);
  assert.deepEqual(stage.said, []);
  assert.deepEqual(await stage.take(1), [2]);
  assert.deepEqual(stage.said, ["credit 600"]);
  assert.deepEqual(await stage.take(1), [3]);
  assert.deepEqual(stage.said, ["credit 600", "credit 300"]);
});

test("an error comes after the rows that came before it, and again whenever more is asked for", async () => {
  const stage = await opened();
  stage.rows([1, 2]);
  stage.done(refuse("SNAPSHOT_ENDED", "too old"));
  assert.deepEqual(await stage.take(2), [1, 2]);
  for (let i = 0; i < 2; i++) await assert.rejects(stage.stream.next(), (error) => code(error) === "SNAPSHOT_ENDED");
});

test("a refused stream throws at the first row", async () => {
  const stage = new Stage();
  const row = stage.stream.next();
  stage.refuse(refuse("SQLITE_ERROR", "no such table"));
  await assert.rejects(row, (error) => code(error) === "SQLITE_ERROR");
});

test("a value that cannot be a number rejects, and closes the stream at the broker", async () => {
  const stage = new Stage({ integers: "number" });
  const first = stage.take(1);
  await Promise.resolve();
  stage.open();
  stage.rows([1, { $int: "9007199254740993" }, 3]);
  assert.deepEqual(await first, [1]);
  const misuse = (error: unknown) => isHoldfastError(error) && error.code === "MISUSE" && error.outcome === "none";
  const next = stage.stream.next();
  assert.deepEqual(stage.said, ["ask", "cancel", "close"]);
  await assert.rejects(next, misuse);
  await assert.rejects(stage.stream.next(), misuse);
  stage.rows([4]);
  await assert.rejects(stage.stream.next(), misuse);
});

test("leaving the loop closes the stream, and what arrives later is dropped", async () => {
  const stage = await opened();
  stage.rows([1, 2]);
  for await (const row of stage.stream) {
    assert.deepEqual(row, [1]);
    break;
  }
  assert.deepEqual(stage.said, ["cancel", "close"]);
  stage.rows([3]);
  assert.deepEqual(await stage.stream.next(), { value: undefined, done: true });
});

test("a stream that is closed while it is being opened ends without an error", async () => {
  const stage = new Stage();
  const row = stage.stream.next();
  await stage.stream.return();
  assert.deepEqual(await row, { value: undefined, done: true });
  assert.deepEqual(stage.said, ["ask", "cancel", "close"]);
});

test("a stream that is closed before it has begun asks nothing", async () => {
  const stage = new Stage();
  await stage.stream.return();
  assert.deepEqual(await stage.stream.next(), { value: undefined, done: true });
  assert.deepEqual(stage.said, []);
});

test("a signal ends the stream with its reason, open or not", async () => {
  for (const state of ["asked", "open"] as const) {
    const stop = new AbortController();
    const stage = state === "open" ? await opened({ signal: stop.signal }) : new Stage({ signal: stop.signal });
    const row = stage.stream.next();
    stop.abort(new Error("enough"));
    await assert.rejects(row, /enough/);
    assert.deepEqual(stage.said.slice(-2), ["cancel", "close"]);
  }
});

test("an aborted signal asks nothing", async () => {
  const stage = new Stage({ signal: AbortSignal.abort(new Error("too late")) });
  await assert.rejects(stage.stream.next(), /too late/);
  assert.deepEqual(stage.said, []);
});
