/** What the ledger is told of a grant and of what waits. */
import type { Token } from "../../terms/index.js";
import type { GrantRow, WaiterRow } from "../turn.js";
import { claimsOf, type Grant, isHeld } from "./grant.js";
import { claimsWanted, type Waiting } from "./request.js";

export function grantRow(grant: Grant, claims = claimsOf(grant)): GrantRow {
  const { session, token, key, since, reason, terms, converted, formerTokens } = grant;
  return {
    token,
    session: session.id,
    key,
    since,
    reason,
    claims,
    ttlMs: terms.ttlMs,
    guarded: terms.guarded,
    tell: terms.tell,
    converted,
    former: formerTokens.length === 0 ? undefined : formerTokens,
    ending: isHeld(grant) ? undefined : session.identity,
  };
}

export function waiterRow(waiting: Waiting): WaiterRow {
  const { session, key, arrival, since, reason } = waiting;
  const request = waiting.kind === "request" ? waiting : undefined;
  const terms = waiting.kind === "request" ? waiting.terms : waiting.holding.grant.terms;
  return {
    arrival,
    session: session.id,
    key,
    since,
    reason,
    claims: claimsWanted(waiting),
    ttlMs: terms.ttlMs,
    guarded: terms.guarded,
    tell: terms.tell,
    under: waiting.under?.map(tokenOf),
    beside: request?.beside?.map(tokenOf),
    convertOf: waiting.kind === "conversion" ? waiting.holding.grant.token : undefined,
  };
}

function tokenOf({ token }: Grant): Token {
  return token;
}
