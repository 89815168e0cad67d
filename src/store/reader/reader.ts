/**
 * Runs requests that only read, one at a time, in the order in which they come. Each opens its snapshot after it was
 * received and ends it before it is answered, so that a later request never reads from an earlier one's (rule 4).
 */

import { closeSync, fsyncSync, openSync } from "node:fs";
import type { Encoding } from "../../protocol/index.js";
import { type Database, openDatabase, type Statement, StatementCache } from "../../sqlite/index.js";
import { isRefusal, type Limits, type Refusal, refuse } from "../../terms/index.js";
import type { Admitted } from "../gate/index.js";
import type { Answer, ReaderOrders, ReadMessage, StoreMethod } from "../pipe/messages.js";
import { runBatch } from "../statement/batch-run.js";
import { placeOf } from "../statement/error-place.js";
import { type BoundStatement, Planner, type RequestPlan, type StoreParams } from "../statement/plan.js";
import { openRequest, type RawRequest } from "../statement/request.js";
import { changesBody, resultOfRead } from "../statement/result.js";
import { refusalOf } from "../statement/sqlite-refusal.js";
import { describeStatements } from "./describe.js";
import type { Savepoints } from "./savepoints.js";

/** Readers meet locks only while the log is being recovered or folded. */
const busyMs = 5000;

/** A text that once took longer is answered for before the next one begins, so that the answers before it do not wait. */
const quickMs = 1;
const textsMax = 4096;
/** A longer text is not remembered, so it is always answered for before. */
const keptTextUnitsMax = 8192;

export class Reader {
  readonly database: Database;
  readonly limits: Limits;
  readonly #planner: Planner;
  readonly #cache: StatementCache;
  readonly #begin: Statement;
  readonly #commit: Statement;
  readonly #look: Statement;
  /** Texts that were quick when they last ran. */
  #quick = new Set<string>();

  constructor({ database, limits, withoutWriter }: ReaderOrders) {
    this.database = openDatabase({ path: database, role: "reader", durability: "full", busyMs });
    this.limits = limits;
    this.#planner = new Planner(limits);
    this.#cache = new StatementCache(this.database);
    this.#begin = this.database.prepare("BEGIN");
    this.#commit = this.database.prepare("COMMIT");
    // The file is opened at the first read only: a database that cannot be read must show now.
    this.#look = this.database.prepare("SELECT 1 FROM sqlite_schema LIMIT 1");
    this.#look.get();
    if (withoutWriter) syncLog(database);
  }

  /** `before` is called before anything runs, and told whether that may take long. */
  answer(message: ReadMessage, before: (mayBeSlow: boolean) => void): Answer {
    const { read: id, encoding } = message;
    const { plan } = openRequest(message, this.#planner, false);
    const result = isRefusal(plan) ? plan : this.#run(plan, message, before);
    return isRefusal(result) ? { id, kind: "refused", refusal: result } : { id, kind: "done", encoding, bytes: result };
  }

  /** A statement of a transaction, or several, in the snapshot that is open, and has these savepoints. */
  runInSnapshot(request: RawRequest, savepoints: Savepoints): Buffer | Refusal {
    const { plan } = openRequest(request, this.#planner, false);
    if (isRefusal(plan)) return plan;
    if (plan.access === "write") return refuse("READ_ONLY", "a statement that writes has reached a snapshot");
    const { encoding } = request;
    switch (plan.kind) {
      case "one":
        return this.#one(plan, 0, { encoding, bytesMax: this.limits.resultBytesMax });
      case "batch":
        return this.#batch(plan, encoding);
      case "savepoint":
        return savepoints.take(plan.savepoint) ?? changesBody({ rowsAffected: 0, lastInsertRowid: null }, encoding);
      default:
        return refuse("READ_ONLY", `a snapshot runs no request of the kind ${plan.kind}`);
    }
  }

  plan(method: StoreMethod, params: StoreParams): RequestPlan | Refusal {
    return this.#planner.plan(method, params);
  }

  close(): void {
    this.database.close();
  }

  #run(plan: RequestPlan, message: ReadMessage, before: (mayBeSlow: boolean) => void): Buffer | Refusal {
    if (plan.access === "write") return refuse("READ_ONLY", "a request that writes has reached a reader");
    if (plan.kind === "describe") {
      before(true);
      return this.#describe(plan.outline, message);
    }
    if (plan.kind !== "one" && plan.kind !== "batch")
      return refuse("READ_ONLY", `a reader runs no request of the kind ${plan.kind}`);
    const text = plan.kind === "one" ? plan.statements[0].statement.text : undefined;
    before(text === undefined || !this.#quick.has(text));
    const began = performance.now();
    const result =
      plan.kind === "one"
        ? this.#one(plan, 0, { ...message, bytesMax: this.limits.resultBytesMax })
        : this.#many(plan, message);
    if (text !== undefined) this.#learn(text, performance.now() - began < quickMs);
    return result;
  }

  #learn(text: string, quick: boolean): void {
    if (text.length > keptTextUnitsMax) return;
    if (!quick) this.#quick.delete(text);
    else if (this.#quick.size < textsMax) this.#quick.add(text);
    else this.#quick = new Set([text]);
  }

  /** All statements in one snapshot. */
  #many(plan: Extract<RequestPlan, { kind: "batch" }>, { encoding }: ReadMessage): Buffer | Refusal {
    this.#begin.run();
    try {
      return this.#batch(plan, encoding);
    } finally {
      // rule 4: the snapshot ends with the request
      if (this.database.inTransaction) this.#commit.run();
    }
  }

  #batch(plan: Extract<RequestPlan, { kind: "batch" }>, encoding: Encoding): Buffer | Refusal {
    return runBatch(plan, {
      encoding,
      bytesMax: this.limits.resultBytesMax,
      run: (index, bytesMax) => this.#one(plan, index, { encoding, bytesMax }),
      undone: () => !this.database.inTransaction,
    });
  }

  #describe(outline: readonly Admitted[], { encoding }: ReadMessage): Buffer | Refusal {
    this.#begin.run();
    try {
      // Only a statement that runs notices that the schema has changed; preparing one does not.
      this.#look.get();
      return describeStatements(outline, {
        database: this.database,
        encoding,
        bytesMax: this.limits.resultBytesMax,
        explained: (refusal, statement) => this.explained(refusal, { statement }),
      });
    } catch (error) {
      return refusalOf(error);
    } finally {
      if (this.database.inTransaction) this.#commit.run();
    }
  }

  #one(
    plan: RequestPlan,
    index: number,
    { encoding, bytesMax }: { encoding: ReadMessage["encoding"]; bytesMax: number },
  ): Buffer | Refusal {
    const bound = plan.statements[index] as BoundStatement;
    const rowsMax = plan.kind === "one" ? plan.rowsMax : Infinity;
    try {
      return resultOfRead(this.#cache.get(bound.statement.text), bound.values, { encoding, bytesMax, rowsMax });
    } catch (error) {
      return this.explained(refusalOf(error), bound);
    }
  }

  /** With the place in the text, where SQLite says which word it stumbled over. */
  explained(
    refusal: Refusal,
    { statement }: { readonly statement: Pick<Admitted, "verb" | "text" | "start"> },
  ): Refusal {
    if (refusal.refused !== "SQLITE_ERROR" || statement.verb === "PRAGMA") return refusal;
    const place = placeOf(refusal.message, statement.text, (sql) => this.#complaintOf(sql));
    if (place === undefined) return refusal;
    return {
      ...refusal,
      details: { ...refusal.details, position: statement.start + place.position, length: place.length },
    };
  }

  #complaintOf(sql: string): string | undefined {
    try {
      this.database.prepare(sql);
      return undefined;
    } catch (error) {
      return error instanceof Error ? error.message : undefined;
    }
  }
}

/**
 * Whoever opens the log first takes it as the system's memory has it, also a commit whose writer was killed before it was
 * on disk. A writer brings that to the disk with its first write; where there is none, this does (rule 1).
 *
 * SQLite keeps no lock on this file, so that closing it lets go of none (rule 19).
 */
function syncLog(database: string): void {
  let log: number;
  try {
    log = openSync(`${database}-wal`, "r");
  } catch (error) {
    // All is in the database.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  try {
    fsyncSync(log);
  } finally {
    closeSync(log);
  }
}
