import assert from "node:assert/strict";
import { test } from "node:test";
import type { Letter } from "../../src/core/index.js";
import { encodeRequest } from "../../src/protocol/index.js";
import { StoreRequest } from "../../src/store/index.js";
import type { TransactionNumber } from "../../src/terms/index.js";
import { connection, grantRow, key, name, seqOf, session, tokenOf } from "../core/support/values.js";
import { Causes } from "./causes.js";
import { type Held, Shadow } from "./shadow.js";

const [token, to, fence] = [tokenOf(7), connection(1), { name: name("x"), token: tokenOf(7) }];
const lost: Letter = { kind: "lost", to, fence, reason: "its lease is over" };

/** A session that holds one lock and says goodbye, which waits behind its writes. */
function parting(): { causes: Causes; held: Held; id: string } {
  const shadow = new Shadow();
  const id = session(1);
  const row = grantRow({ token, session: id, claims: [{ name: name("x"), mode: "exclusive" }] });
  const held = shadow.granted(row, () => true);
  const causes = new Causes(shadow, () => 0);
  causes.asked({ kind: "goodbye", connection: to, request: 1 }, id);
  causes.turned();
  return { causes, held, id };
}

function isGivenBack(causes: Causes, held: Held, send: readonly Letter[] = []): boolean {
  causes.ends(held, send);
  return causes.isGivenBack(held);
}

test("what a session has when its goodbye takes effect is given back", () => {
  const { causes, held } = parting();
  assert.ok(isGivenBack(causes, held));
});

test("what is taken from a session before its goodbye takes effect is not given back", () => {
  const { causes, held } = parting();
  assert.ok(!isGivenBack(causes, held, [lost]));
});

test("a goodbye that goes with its connection gives nothing back, but in that very turn", () => {
  const { causes, held, id } = parting();
  causes.asked({ kind: "disconnected", connection: to }, id);
  assert.ok(isGivenBack(causes, held), "it may have taken effect before");
  const later = parting();
  later.causes.asked({ kind: "disconnected", connection: to }, later.id);
  later.causes.turned();
  assert.ok(!isGivenBack(later.causes, later.held));
});

test("a session that speaks on another connection holds on to what it has", () => {
  const { causes, held, id } = parting();
  causes.cameAgain(id);
  causes.turned();
  assert.ok(!isGivenBack(causes, held));
});

test("what was handed on behind a write is handed on, also where a commit of that turn would give it back", () => {
  const { causes, held, id } = parting();
  const parcel = new StoreRequest("tx.commit", "json", encodeRequest(3, "tx.commit", { tx: 1 }, "json"));
  const commit = { transaction: 1 as TransactionNumber, key: key(2), release: [fence], parcel };
  const handing = { key: key(1), name: name("x"), token: undefined, reason: "", to: session(1) };
  causes.asked({ kind: "transfer", connection: to, request: 2, ...handing }, id);
  causes.asked({ kind: "tx-commit", connection: to, request: 3, ...commit }, id);
  const committed: Letter = { kind: "committed", to, request: 3, seq: seqOf(9) };
  const transferred: Letter = { kind: "transferred", to, request: 2, from: token, heir: session(1) };
  assert.equal(causes.ends(held, [transferred, committed]), "handed");
  assert.equal(causes.ends(held, [committed]), "written");
});
