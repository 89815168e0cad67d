/**
 * Runs one request inside a transaction that is open, behind a savepoint of its own: whatever goes wrong with it, its
 * neighbours' work stands, unless SQLite has ended the whole transaction, which the caller must look for (rule 3).
 */
import { type Encoding, encodeResults } from "../../protocol/index.js";
import type { Database, Statement, StatementCache } from "../../sqlite/index.js";
import { isRefusal, type Limits, type Refusal } from "../../terms/index.js";
import { runBatch } from "../statement/batch-run.js";
import { placeOf } from "../statement/error-place.js";
import { type BoundStatement, inStatement, type RequestPlan } from "../statement/plan.js";
import { changesBody, type ResultOptions } from "../statement/result.js";
import { refusalOf } from "../statement/sqlite-refusal.js";
import { ChangeRunner, RowidUnclear, type StatementResult } from "./changes.js";
import { endOnDiskFailure } from "./process-end.js";
import { rowidsUsedUp } from "./rowids-used-up.js";
import type { SchemaWatch } from "./schema-watch.js";
import type { WatchTriggers } from "./watch-triggers.js";

/** Beyond once for each statement a request is not run again because of an unclear rowid. */
const runsMax = 1100;

export interface RequestRunnerParts {
  readonly limits: Limits;
  readonly schema: SchemaWatch;
  readonly watches: WatchTriggers;
}

export class RequestRunner {
  readonly #database: Database;
  readonly #limits: Limits;
  readonly #schema: SchemaWatch;
  readonly #watches: WatchTriggers;
  readonly #changes: ChangeRunner;
  readonly #savepoint: Statement;
  readonly #release: Statement;
  readonly #rollback: Statement;
  /** Of one statement of a batch that is not undone with it. */
  readonly #step: { readonly begin: Statement; readonly end: Statement; readonly undo: Statement };

  constructor(database: Database, cache: StatementCache, { limits, schema, watches }: RequestRunnerParts) {
    this.#database = database;
    this.#limits = limits;
    this.#schema = schema;
    this.#watches = watches;
    this.#changes = new ChangeRunner(database, cache);
    this.#savepoint = database.prepare("SAVEPOINT _holdfast_request");
    this.#release = database.prepare("RELEASE _holdfast_request");
    this.#rollback = database.prepare("ROLLBACK TO _holdfast_request");
    this.#step = {
      begin: database.prepare("SAVEPOINT _holdfast_step"),
      end: database.prepare("RELEASE _holdfast_step"),
      undo: database.prepare("ROLLBACK TO _holdfast_step"),
    };
  }

  /** All of the request, or nothing of it. Throws ProcessMustEnd. */
  run(plan: RequestPlan, encoding: Encoding): StatementResult | Refusal {
    const masked = plan.statements.length === 1 || this.#mayMask(plan) ? "all" : "first";
    return this.#behindSavepoint(() => this.#all(plan, encoding, masked));
  }

  /** Inside a transaction of the client's own, whose last rowid is the client's as well. Throws ProcessMustEnd. */
  runStep(plan: RequestPlan, encoding: Encoding): StatementResult | Refusal {
    if (plan.kind === "savepoint") return this.#control(plan.text, encoding);
    return this.#behindSavepoint(() => this.#all(plan, encoding, "none"));
  }

  /** One statement of a script that has a transaction for each. */
  runStatement(
    plan: RequestPlan,
    index: number,
    { encoding, bytesMax }: { encoding: Encoding; bytesMax: number },
  ): StatementResult | Refusal {
    return this.#behindSavepoint(() => this.#one(plan, index, { encoding, bytesMax, masked: index === 0 }));
  }

  #behindSavepoint(work: () => StatementResult | Refusal): StatementResult | Refusal {
    for (let runs = 0; runs < runsMax; runs++) {
      this.#savepoint.run();
      try {
        const result = work();
        if (isRefusal(result)) this.#undo();
        else this.#release.run();
        return result;
      } catch (error) {
        endOnDiskFailure(error);
        this.#undo();
        if (!(error instanceof RowidUnclear)) throw error;
      }
    }
    throw new Error(`a request was run ${runsMax} times and its rowids are still unclear`);
  }

  /** Nothing to undo where SQLite has already done it for the whole transaction. */
  #undo(): void {
    if (!this.#database.inTransaction) return;
    this.#rollback.run();
    this.#release.run();
  }

  /** SAVEPOINT and its kin: SQLite itself knows the stack of names. */
  #control(text: string, encoding: Encoding): StatementResult | Refusal {
    try {
      this.#database.prepare(text).run();
    } catch (error) {
      endOnDiskFailure(error);
      return refusalOf(error);
    }
    return { body: changesBody({ rowsAffected: 0, lastInsertRowid: null }, encoding), changes: undefined };
  }

  /** `masked`: before which of its statements the last rowid may be replaced. */
  #all(plan: RequestPlan, encoding: Encoding, masked: "all" | "first" | "none"): StatementResult | Refusal {
    let bytesMax = this.#limits.resultBytesMax;
    if (plan.kind === "one") return this.#one(plan, 0, { encoding, bytesMax, masked: masked !== "none" });
    if (plan.kind === "batch") return this.#batch(plan, encoding, masked);
    const bodies: Buffer[] = [];
    for (let index = 0; index < plan.statements.length; index++) {
      const maskedHere = masked === "all" || (masked === "first" && index === 0);
      const result = this.#one(plan, index, { encoding, bytesMax, masked: maskedHere });
      if (isRefusal(result)) return result;
      bodies.push(result.body);
      bytesMax -= result.body.length;
    }
    return { body: encodeResults(bodies, encoding), changes: undefined };
  }

  #batch(
    plan: Extract<RequestPlan, { kind: "batch" }>,
    encoding: Encoding,
    masked: "all" | "first" | "none",
  ): StatementResult | Refusal {
    const one = (index: number, bytesMax: number) => {
      const maskedHere = masked === "all" || (masked === "first" && index === 0);
      const result = this.#one(plan, index, { encoding, bytesMax, masked: maskedHere });
      return isRefusal(result) ? result : result.body;
    };
    const run = plan.atomic ? one : (index: number, bytesMax: number) => this.#behindStep(() => one(index, bytesMax));
    const undone = () => !this.#database.inTransaction;
    const body = runBatch(plan, { encoding, bytesMax: this.#limits.resultBytesMax, run, undone });
    return isRefusal(body) ? body : { body, changes: undefined };
  }

  #behindStep(run: () => Buffer | Refusal): Buffer | Refusal {
    this.#step.begin.run();
    const result = run();
    if (!this.#database.inTransaction) return result;
    if (isRefusal(result)) this.#step.undo.run();
    this.#step.end.run();
    return result;
  }

  #one(
    plan: RequestPlan,
    index: number,
    { encoding, bytesMax, masked }: { encoding: Encoding; bytesMax: number; masked: boolean },
  ): StatementResult | Refusal {
    const bound = plan.statements[index] as BoundStatement;
    const position = plan.kind === "script" ? { position: bound.statement.start } : undefined;
    const rowsMax = plan.kind === "one" ? plan.rowsMax : Infinity;
    const options = { encoding, bytesMax, rowsMax, ...position };
    let refusal: Refusal;
    try {
      const result = this.#run(bound, options, masked);
      if (!isRefusal(result)) return result;
      refusal = result;
    } catch (error) {
      if (error instanceof RowidUnclear) throw error;
      endOnDiskFailure(error);
      refusal = this.#explained(error, bound);
    }
    return plan.kind === "script" ? inStatement(refusal, index) : refusal;
  }

  /** A table that is watched may come, change or go with it. */
  #run(bound: BoundStatement, options: ResultOptions, masked: boolean): StatementResult | Refusal {
    const { schemaChange, verb } = bound.statement;
    const watched = schemaChange && this.#watches.active;
    if (watched && verb === "ALTER") this.#watches.beforeAlter();
    const result = this.#changes.run(bound, options, masked);
    if (watched && !isRefusal(result)) this.#watches.schemaChanged();
    return result;
  }

  #explained(error: unknown, { statement }: BoundStatement): Refusal {
    const refusal = refusalOf(error);
    if (refusal.refused === "DISK_FULL") return rowidsUsedUp(this.#database, statement.text) ?? refusal;
    if (refusal.refused !== "SQLITE_ERROR" || statement.verb === "PRAGMA") return refusal;
    const place = placeOf(refusal.message, statement.text, (sql) => this.#complaintOf(sql));
    if (place === undefined) return refusal;
    const { position, length } = place;
    return { ...refusal, details: { ...refusal.details, position: statement.start + position, length } };
  }

  #complaintOf(sql: string): string | undefined {
    try {
      this.#database.prepare(sql);
      return undefined;
    } catch (error) {
      return error instanceof Error ? error.message : undefined;
    }
  }

  /** Not where a later statement of the request, or the schema, asks for the rowid of an earlier one. */
  #mayMask(plan: RequestPlan): boolean {
    return (
      !this.#schema.asksForRowid && !plan.statements.some(({ statement }) => /last_insert_rowid/i.test(statement.text))
    );
  }
}
