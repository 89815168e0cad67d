import assert from "node:assert/strict";
import { test } from "node:test";
import { TellBudget } from "../../../src/core/watches/tell-budget.js";
import { connection } from "../support/values.js";

const [anna, bert, carl] = [connection(1), connection(2), connection(3)];

test("a little is told to each always, more to one up to his bound, and to all up to theirs", () => {
  const budget = new TellBudget({ alwaysMax: 10, eachMax: 100, allMax: 150 });
  assert.equal(budget.takes(anna, 101), false);
  assert.equal(budget.takes(anna, 100), true);
  assert.equal(budget.takes(anna, 1), false);
  assert.equal(budget.takes(bert, 60), false);
  assert.equal(budget.takes(bert, 50), true);
  assert.equal(budget.takes(carl, 11), false);
  assert.equal(budget.takes(carl, 10), true);
  assert.equal(budget.takes(carl, 1), false);
});

test("the next turn begins anew", () => {
  const budget = new TellBudget({ alwaysMax: 0, eachMax: 100, allMax: 100 });
  assert.equal(budget.takes(anna, 100), true);
  assert.equal(budget.takes(bert, 1), false);
  budget.turnEnded();
  assert.equal(budget.takes(bert, 100), true);
});
