/** What the ledger is told of a grant and of a wait. */
import type { LockName } from "../../terms/index.js";
import type { Claim } from "../command.js";
import type { GrantRow, WaiterRow } from "../turn.js";
import type { Grant, Lock, Waiter } from "./lock.js";

const silent = { place: false, contended: false };

export function grantRow({ lock, session, token, key, since, reason }: Grant): GrantRow {
  return {
    token,
    session: session.id,
    key,
    since,
    reason,
    claims: claimsOf(lock),
    ttlMs: undefined,
    guarded: false,
    tell: silent,
    converted: undefined,
    ending: undefined,
  };
}

export function waiterRow({ lock, session, key, arrival, since, reason }: Waiter): WaiterRow {
  return {
    arrival,
    session: session.id,
    key,
    since,
    reason,
    claims: claimsOf(lock),
    ttlMs: undefined,
    guarded: false,
    tell: silent,
    under: undefined,
    convertOf: undefined,
  };
}

function claimsOf({ name }: Lock): readonly Claim[] {
  return [{ name, mode: "exclusive" }];
}

export function nameOf({ claims }: { readonly claims: readonly Claim[] }): LockName {
  const [claim] = claims;
  if (claim === undefined) throw new Error("a request for no lock");
  return claim.name;
}
