/**
 * The one snapshot of this process, and what its session asks in it: one thing after the other, and between them the
 * messages of its one stream (rule 4: while it is open nobody else is served from this process).
 *
 *   clear ──begin, stream──► open ──end, the stream's end if nothing was begun──► clear
 *
 * Statements may run between two messages of the stream: it is read on from where it was.
 */
import { type Encoding, encodeBody, type ParamsOf } from "../../protocol/index.js";
import type { Statement } from "../../sqlite/index.js";
import { isRefusal, type Refusal } from "../../terms/index.js";
import type { FromSnapshot, RunMessage, StreamMessage, ToSnapshot } from "../pipe/snapshot-messages.js";
import { openParams } from "../statement/request.js";
import { refusalOf } from "../statement/sqlite-refusal.js";
import type { Reader } from "./reader.js";
import { RowStream } from "./row-stream.js";
import { Savepoints } from "./savepoints.js";

interface Streaming {
  readonly run: number;
  readonly rows: RowStream;
  /** What may still be sent, and all that was ever given. */
  credit: number;
  given: number;
  /** That it waits for credit has been said. */
  saysWaiting: boolean;
}

export interface SnapshotParts {
  readonly reader: Reader;
  readonly send: (message: FromSnapshot) => void;
}

export class Snapshot {
  readonly #parts: SnapshotParts;
  readonly #begin: Statement;
  readonly #commit: Statement;
  readonly #meta: Statement;
  readonly #savepoints = new Savepoints();
  #streaming: Streaming | undefined;

  constructor(parts: SnapshotParts) {
    this.#parts = parts;
    const { database } = parts.reader;
    this.#begin = database.prepare("BEGIN");
    this.#commit = database.prepare("COMMIT");
    // All columns: a file that no writer of this version has had yet does not count its commits.
    this.#meta = database.prepare("SELECT * FROM _holdfast_meta WHERE id = 1");
  }

  /** Whether `advance` has something to do. */
  get flowing(): boolean {
    return this.#streaming !== undefined && !this.#streaming.saysWaiting;
  }

  take(message: ToSnapshot): void {
    switch (message.kind) {
      case "begin":
        this.#begin.run();
        // A transaction has its snapshot only when something was read in it.
        return this.#parts.send({ kind: "begun", run: message.run, ...this.#shown() });
      case "run":
        return this.#run(message);
      case "stream":
        return this.#stream(message);
      case "credit":
        return this.#credit(message.run, message.bytes);
      case "close":
        if (this.#streaming?.run === message.run) this.#over(undefined);
        return;
      case "end":
        return this.#end();
    }
  }

  /** One message of the stream. */
  advance(): void {
    const streaming = this.#streaming;
    if (streaming === undefined || streaming.saysWaiting) return;
    let step: ReturnType<RowStream["next"]>;
    try {
      step = streaming.rows.next(streaming.credit);
    } catch (error) {
      return this.#over(refusalOf(error));
    }
    if (isRefusal(step)) return this.#over(step);
    switch (step.kind) {
      case "over":
        return this.#over(undefined);
      case "waits":
        streaming.saysWaiting = true;
        return this.#parts.send({ kind: "waits", run: streaming.run, credit: streaming.given });
      case "rows":
        streaming.credit -= step.message.length;
        return this.#parts.send({ kind: "rows", run: streaming.run, rows: streaming.rows.sent, message: step.message });
    }
  }

  #shown(): { readonly seq: number; readonly commits: number } {
    const { seq, commits = -1 } = this.#meta.get() as { readonly seq: number; readonly commits?: number };
    return { seq, commits };
  }

  #run(message: RunMessage): void {
    const { run, encoding } = message;
    const { reader } = this.#parts;
    const result = reader.runInSnapshot(message, this.#savepoints);
    // What would be run after that, would be run by itself.
    this.#answer(run, result, { encoding, ended: !reader.database.inTransaction });
  }

  #stream(message: StreamMessage): void {
    const { run, encoding } = message;
    // The one before was closed, and the word of that is behind this.
    this.#over(undefined);
    const opened = this.#open(message);
    if (isRefusal(opened)) return this.#answer(run, opened);
    this.#answer(run, encodeBody(opened.result, encoding), { encoding });
    this.#streaming = opened.streaming;
  }

  #open(message: StreamMessage): { readonly streaming: Streaming; readonly result: object } | Refusal {
    const { run, encoding, credit } = message;
    const { reader } = this.#parts;
    const params = openParams(message) as ParamsOf<"db.stream">;
    const { stream, credit: windowBytes } = params;
    const plan = reader.plan("db.query", params);
    if (isRefusal(plan)) return plan;
    const [bound] = plan.statements;
    if (bound === undefined) throw new Error("a plan for one statement has none");
    let rows: RowStream | undefined;
    try {
      rows = new RowStream({ database: reader.database, bound, encoding, stream, windowBytes, limits: reader.limits });
      const columns = rows.open();
      const streaming = { run, rows, credit, given: credit, saysWaiting: false };
      return { streaming, result: { stream, columns } };
    } catch (error) {
      rows?.close();
      return reader.explained(refusalOf(error), bound);
    }
  }

  #credit(run: number, bytes: number): void {
    const streaming = this.#streaming;
    if (streaming?.run !== run) return;
    streaming.credit += bytes;
    streaming.given += bytes;
    streaming.saysWaiting = false;
  }

  #over(refusal: Refusal | undefined): void {
    const streaming = this.#streaming;
    if (streaming === undefined) return;
    this.#streaming = undefined;
    streaming.rows.close();
    this.#parts.send({ kind: "streamed", run: streaming.run, refusal });
  }

  #end(): void {
    this.#streaming?.rows.close();
    this.#streaming = undefined;
    this.#savepoints.clear();
    if (this.#parts.reader.database.inTransaction) this.#commit.run();
    this.#parts.send({ kind: "cleared" });
  }

  #answer(
    run: number,
    result: Buffer | Refusal,
    { encoding = "json", ended = false }: { readonly encoding?: Encoding; readonly ended?: boolean } = {},
  ): void {
    const answer = isRefusal(result)
      ? ({ id: run, kind: "refused", refusal: result, ended } as const)
      : ({ id: run, kind: "done", encoding, bytes: result } as const);
    this.#parts.send({ kind: "answered", answer });
  }
}
