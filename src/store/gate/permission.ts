/**
 * Whether a statement may be sent where it was sent: on a connection that all share, or on a transaction of one's own.
 * A COMMIT or ROLLBACK among the writes of others would end their transaction too (rule 16).
 */
import { type GateCode, type GateRefusal, refuseAt } from "./refusal.js";
import type { Admitted, SessionSetting } from "./statement.js";

/** What the place where a statement was sent allows beyond plain statements; all is off without a word. */
export interface Permissions {
  /** BEGIN, COMMIT, SAVEPOINT …: on an interactive transaction, a stream, a shell. */
  readonly transactionControl?: boolean;
  /** A transaction of the sender's own is open. */
  readonly inTransaction?: boolean;
  /** The connection belongs to this session, so that it may have settings. */
  readonly allowForeignKeysSetting?: boolean;
}

/** Whether what was found may be sent to this place. */
export function admit(found: Admitted, permissions: Permissions): Admitted | GateRefusal {
  switch (found.kind) {
    case "statement":
      if (!found.needsTransaction || permissions.inTransaction === true) return found;
      return refuseHere(found, "STATEMENT_REFUSED", "PRAGMA defer_foreign_keys needs a transaction: it ends with it");
    case "transaction-control":
      if (permissions.transactionControl === true) return found;
      return refuseHere(
        found,
        "TRANSACTION_CONTROL",
        `${found.verb} is taken only in a transaction that was begun; a batch and a script are one by themselves`,
      );
    case "session-setting":
      return admitSetting(found, permissions);
  }
}

function admitSetting(found: SessionSetting, permissions: Permissions): SessionSetting | GateRefusal {
  if (permissions.allowForeignKeysSetting !== true) {
    const message = `PRAGMA ${found.name} belongs to a connection, and this one is shared; foreign keys are enforced`;
    return refuseHere(found, "STATEMENT_REFUSED", message);
  }
  if (permissions.inTransaction !== true) return found;
  return refuseHere(found, "STATEMENT_REFUSED", `PRAGMA ${found.name} does nothing inside a transaction`);
}

function refuseHere(found: Admitted, code: GateCode, message: string): GateRefusal {
  return refuseAt(code, message, found.start, found.end - found.start);
}
