/** What the gate says of a text, in the form in which tests ask: let in, or refused. */
import assert from "node:assert/strict";
import {
  type Admitted,
  type GateCode,
  type GateRefusal,
  type InspectOptions,
  inspectStatement,
} from "../../../src/store/gate/index.js";
import { isRefusal } from "../../../src/terms/index.js";

/** The statement; fails the test if it is refused. */
export function letIn(sql: string, options?: InspectOptions): Admitted {
  const found = inspectStatement(sql, options);
  if (isRefusal(found)) assert.fail(`${sql}\nwas refused: ${found.message}`);
  return found;
}

/** The refusal; fails the test if there is none. */
export function refusalOf(sql: string, options?: InspectOptions): GateRefusal {
  const found = inspectStatement(sql, options);
  if (!isRefusal(found)) assert.fail(`${sql}\nwas let in as ${found.verb}`);
  return found;
}

/** The stretch of the text that the refusal speaks of; checks the code on the way. */
export function refusedAt(sql: string, code: GateCode, options?: InspectOptions): string {
  const { refused, details } = refusalOf(sql, options);
  assert.equal(refused, code, sql);
  return sql.slice(details.position, details.position + details.length);
}
