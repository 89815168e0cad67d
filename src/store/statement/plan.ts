/**
 * A request's parameters, looked at before anything runs: is it refused, does it write, must it have a transaction of
 * its own, what is bound where. The front asks only for the judgement; a child plans again for itself and trusts nothing.
 */
import {
  type BatchParams,
  type BoundValue,
  boundArgs,
  boundNamed,
  type Condition,
  type DescribeParams,
  type ExecuteParams,
  type QueryParams,
  type ScriptParams,
  type TxBatchParams,
  type TxCommitParams,
  type TxExecuteParams,
} from "../../protocol/index.js";
import { isRefusal, type Limits, type Refusal, refuse } from "../../terms/index.js";
import {
  type Admitted,
  arrange,
  type Control,
  Gate,
  outlineOf,
  type Permissions,
  type Statement,
  statementsOf,
  type TransactionControl,
} from "../gate/index.js";
import type { StoreMethod } from "../pipe/messages.js";
import { BatchTexts } from "./batch-texts.js";
import { conditionFault } from "./conditions.js";

/** What decides where a request goes. */
export interface Judgement {
  /** `read`: a reader can serve it. */
  readonly access: "read" | "write";
  /** Rule 7: a transaction of its own. */
  readonly alone: boolean;
  /** SAVEPOINT and its kin. */
  readonly control?: boolean;
}

export interface BoundStatement {
  readonly statement: Statement;
  /** As better-sqlite3 takes them: an array, and behind it an object where there are names. */
  readonly values: readonly unknown[];
}

export type SavepointControl = Extract<Control, { readonly savepoint: string }>;

export type RequestPlan = Judgement &
  (
    | { readonly kind: "one"; readonly statements: readonly [BoundStatement]; readonly rowsMax: number }
    | {
        readonly kind: "batch";
        readonly statements: readonly BoundStatement[];
        /** By the place of the statement; absent: it runs. */
        readonly conditions: readonly (Condition | undefined)[];
        /** False: a statement that is refused is undone by itself. */
        readonly atomic: boolean;
      }
    | { readonly kind: "script"; readonly statements: readonly BoundStatement[]; readonly atomic: boolean }
    /** SAVEPOINT, RELEASE, ROLLBACK TO: in a transaction of the client's own. */
    | {
        readonly kind: "savepoint";
        readonly statements: readonly [];
        readonly text: string;
        readonly savepoint: SavepointControl;
      }
    /** Nothing is run for it: what the statements are is all that is asked. */
    | { readonly kind: "describe"; readonly statements: readonly []; readonly outline: readonly Admitted[] }
    /** Nothing is run for it; what is planned is what its key stands for. */
    | { readonly kind: "commit"; readonly statements: readonly []; readonly transaction: number }
  );

/** Parameters as they passed the protocol's check. */
export type StoreParams =
  | ExecuteParams
  | QueryParams
  | BatchParams
  | ScriptParams
  | DescribeParams
  | TxExecuteParams
  | TxBatchParams
  | TxCommitParams;

const textsMax = 4096;
const inBatch: Permissions = { inTransaction: true };
const inTransaction: Permissions = { inTransaction: true, transactionControl: true };
const noValues: readonly unknown[] = [];

export class Planner {
  readonly #limits: Limits;
  readonly #gate: Gate;

  constructor(limits: Limits) {
    this.#limits = limits;
    this.#gate = new Gate({ textsMax, sqlBytesMax: limits.sqlBytesMax });
  }

  /** Values are not looked at. */
  judge(method: StoreMethod, params: StoreParams): Judgement | Refusal {
    switch (method) {
      case "db.execute":
      case "db.query":
        return this.#statement((params as ExecuteParams).sql, method === "db.query" ? readOnly : undefined);
      case "db.batch":
        return this.#judgeBatch(params as BatchParams);
      case "db.script":
        return this.#planScript(params as ScriptParams);
      case "db.describe":
        return this.#planDescription(params as DescribeParams);
      case "tx.execute":
        return this.#judgeStep((params as TxExecuteParams).sql);
      case "tx.batch":
        return this.#judgeBatch(params as TxBatchParams);
      case "tx.commit":
        return { access: "write", alone: true };
    }
  }

  plan(method: StoreMethod, params: StoreParams): RequestPlan | Refusal {
    switch (method) {
      case "db.execute":
      case "db.query":
        return this.#planOne(method, params as QueryParams);
      case "db.batch":
        return this.#planBatch(params as BatchParams);
      case "db.script":
        return this.#planScript(params as ScriptParams);
      case "db.describe":
        return this.#planDescription(params as DescribeParams);
      case "tx.execute":
        return this.#planStep(params as TxExecuteParams);
      case "tx.batch":
        return this.#planBatch(params as TxBatchParams);
      case "tx.commit":
        return {
          kind: "commit",
          access: "write",
          alone: true,
          statements: [],
          transaction: (params as TxCommitParams).tx,
        };
    }
  }

  #planOne(method: StoreMethod, params: QueryParams): RequestPlan | Refusal {
    const statement = this.#statement(params.sql, method === "db.query" ? readOnly : undefined);
    return isRefusal(statement) ? statement : this.#planStatement(statement, params);
  }

  #judgeStep(sql: string): Judgement | Refusal {
    const found = this.#step(sql);
    if (isRefusal(found) || found.kind === "statement") return found;
    return { access: "read", alone: false, control: true };
  }

  #planStep(params: TxExecuteParams): RequestPlan | Refusal {
    const found = this.#step(params.sql);
    if (isRefusal(found)) return found;
    if (found.kind === "statement") return this.#planStatement(found, params);
    const values = this.#bind(found, params.args, params.named);
    if (isRefusal(values)) return values;
    const { text, control: savepoint } = found;
    if (!("savepoint" in savepoint)) throw new Error(`a ${savepoint.action} is no step of a transaction`);
    return { kind: "savepoint", access: "read", alone: false, statements: [], text, savepoint };
  }

  #planStatement(statement: Statement, params: QueryParams): RequestPlan | Refusal {
    const values = this.#bind(statement, params.args, params.named);
    if (isRefusal(values)) return values;
    const { access, alone } = statement;
    return { kind: "one", access, alone, statements: [{ statement, values }], rowsMax: params.rowsMax ?? Infinity };
  }

  #judgeBatch(params: BatchParams | TxBatchParams): Judgement | Refusal {
    const statements = this.#batchStatements(params);
    return isRefusal(statements) ? statements : judgementOf(statements);
  }

  #planBatch(params: BatchParams | TxBatchParams): RequestPlan | Refusal {
    const found = this.#batchStatements(params);
    if (isRefusal(found)) return found;
    const statements: BoundStatement[] = [];
    for (const [index, { args, named }] of params.statements.entries()) {
      const statement = found[index] as Statement;
      const values = this.#bind(statement, args, named);
      if (isRefusal(values)) return inStatement(values, index);
      statements.push({ statement, values });
    }
    const conditions = params.statements.map((one) => one.if);
    return { kind: "batch", ...judgementOf(found), statements, conditions, atomic: params.atomic ?? true };
  }

  #batchStatements(params: BatchParams | TxBatchParams): readonly Statement[] | Refusal {
    const { statementsMax, sqlBytesMax } = this.#limits;
    if (params.statements.length > statementsMax)
      return refuse(
        "SQL_TOO_LONG",
        `the batch has ${params.statements.length} statements, at most ${statementsMax} are allowed; split it`,
        { limit: "statementsMax" },
      );
    const texts = new BatchTexts(sqlBytesMax, (sql) => this.#statement(sql, undefined, inBatch));
    const statements: Statement[] = [];
    for (const [index, { sql, if: condition }] of params.statements.entries()) {
      const fault = condition === undefined ? undefined : conditionFault(condition, index);
      if (fault !== undefined) return fault;
      const statement = texts.next(sql);
      if (isRefusal(statement)) return inStatement(statement, index);
      statements.push(statement);
    }
    return statements;
  }

  #planScript(params: ScriptParams): RequestPlan | Refusal {
    const atomic = params.atomic ?? true;
    const { sqlBytesMax, statementsMax } = this.#limits;
    const script = statementsOf(params.sql, { inTransaction: atomic, sqlBytesMax, statementsMax });
    if (isRefusal(script)) return script;
    const statements: BoundStatement[] = [];
    for (const found of script.statements) {
      if (found.kind !== "statement") throw new Error(`the gate let ${found.kind} into a script`);
      statements.push({ statement: found, values: noValues });
    }
    return { kind: "script", access: "write", alone: true, statements, atomic };
  }

  #planDescription({ sql }: DescribeParams): RequestPlan | Refusal {
    const outline = outlineOf(sql, this.#limits.sqlBytesMax, this.#limits.statementsMax);
    if (isRefusal(outline)) return outline;
    return { kind: "describe", access: "read", alone: false, statements: [], outline };
  }

  /** What may be said in a transaction of one's own: begin, commit and rollback are methods. */
  #step(sql: string): Statement | TransactionControl | Refusal {
    const found = this.#gate.inspect(sql, inTransaction);
    if (isRefusal(found)) return found;
    if (found.kind === "session-setting") throw new Error(`the gate let ${found.kind} into a transaction`);
    if (found.kind === "statement") return found;
    const { action } = found.control;
    if (action !== "begin" && action !== "commit" && action !== "rollback") return found;
    const { start: position, end } = found;
    const message = `${found.verb} is not taken as a statement: use tx.${action}`;
    return refuse("TRANSACTION_CONTROL", message, { position, length: end - position });
  }

  #statement(
    sql: string,
    rule?: (found: Statement) => Refusal | undefined,
    permissions?: Permissions,
  ): Statement | Refusal {
    const found = this.#gate.inspect(sql, permissions);
    if (isRefusal(found)) return found;
    if (found.kind !== "statement")
      throw new Error(`the gate let ${found.kind} through where only statements are served`);
    return rule?.(found) ?? found;
  }

  #bind(
    statement: Admitted,
    args: readonly unknown[] = noValues,
    named?: { readonly [name: string]: unknown },
  ): readonly unknown[] | Refusal {
    const { parameters } = statement;
    const { parametersMax, valueBytesMax } = this.#limits;
    if (parameters.count > parametersMax || args.length > parametersMax)
      return refuse("PARAMETER_SURPLUS", `a statement may have ${parametersMax} parameters here`, { parametersMax });
    const bound = args.length === 0 ? [] : boundArgs(args, valueBytesMax);
    if (isRefusal(bound)) return bound;
    const byName = named === undefined ? undefined : boundNamed(named, valueBytesMax);
    if (isRefusal(byName)) return byName;
    const arranged = arrange<BoundValue>(parameters, bound, byName === undefined ? undefined : record(byName));
    if (isRefusal(arranged)) return arranged;
    if (parameters.count === 0) return noValues;
    return parameters.named.length === 0 ? [arranged.anonymous] : [arranged.anonymous, arranged.named];
  }
}

function judgementOf(statements: readonly Statement[]): Judgement {
  const access = statements.some((one) => one.access === "write") ? "write" : "read";
  return { access, alone: statements.some((one) => one.alone) };
}

function record(map: ReadonlyMap<string, BoundValue>): Record<string, BoundValue> {
  const object: Record<string, BoundValue> = Object.create(null);
  for (const [name, value] of map) object[name] = value;
  return object;
}

function readOnly(found: Statement): Refusal | undefined {
  if (found.access === "read") return undefined;
  const { start: position, end } = found;
  return refuse("READ_ONLY", `db.query only reads, and this is ${found.verb}`, { position, length: end - position });
}

/** Which statement of a batch or a script the refusal speaks of. */
export function inStatement(refusal: Refusal, index: number, more?: { readonly [field: string]: unknown }): Refusal {
  return { ...refusal, details: { ...refusal.details, statement: index, ...more } };
}
