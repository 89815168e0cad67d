/** What a statement that is written as a template is, and that no part of it goes missing. */
import assert from "node:assert/strict";
import { it } from "node:test";
import type { HoldfastError, Transaction } from "../../src/client/index.js";
import { templateText } from "../../src/client/sql-template.js";
import { rows } from "./support/fake-broker.js";
import { pair, rejection } from "./support/pair.js";

/** The template itself. */
function template(strings: TemplateStringsArray, ..._values: readonly unknown[]): TemplateStringsArray {
  return strings;
}

it("a value stands where it is written, and an escape is what it is in any text", () => {
  assert.equal(templateText(template`select ${1}, ${2}`), "select ?, ?");
  assert.equal(templateText(template`select 'a\n\\b\u00e4'`), "select 'a\n\\bä'");
});

it("a piece with an escape that there is not is refused, again and again, and nothing of the statement runs", async (test) => {
  const { broker, fake } = await pair(test);
  for (const method of ["db.execute", "tx.execute"]) fake.on(method, () => rows([]));
  for (const method of ["tx.begin", "tx.rollback"]) fake.on(method, () => ({}));
  const root = 7;
  const run = (on: Pick<Transaction, "sql">) =>
    on.sql`delete from page where root = ${root} and path like 'C:\users\%'`;
  for (const _ of [1, 2]) isRefused(await rejection(run(broker)));
  // Though nobody waits for it there, the transaction does not come to pass without it.
  isRefused(await rejection(broker.transaction((tx) => void run(tx))));
  const lock = await broker.acquire("a");
  isRefused(await rejection(run(lock)));
  assert.deepEqual(
    fake.asked.map(({ method }) => method),
    ["tx.begin", "tx.rollback", "lock.acquire"],
  );
});

function isRefused({ code, message, details }: HoldfastError): void {
  assert.equal(code, "MISUSE");
  assert.match(message, /escape that JavaScript does not know: .*path like 'C:\\users\\%'/);
  assert.match(String(details["piece"]), /^ and path like/);
}
