/** What a program asks of its transaction, drawn: it begins one, or goes on with it. */
import type { Grant } from "../../src/client/conversation/index.js";
import type { Ask } from "./ask.js";
import type { Random } from "./random.js";
import type { Surroundings } from "./surroundings.js";
import { Transaction, type TransactionMode } from "./transaction.js";
import type { Wisher } from "./wishes.js";

/** How often it is ended in the same breath. */
const endChance: { readonly [Mode in TransactionMode]: number } = { write: 0.6, deferred: 0.3, read: 0.35 };

/** `behind`: its writes that have no answer. */
export function transact(program: Wisher, around: Surroundings, behind: readonly Ask[]): Ask[] {
  const { random } = around.weather;
  const asks: Ask[] = [];
  let { transaction } = program;
  if (transaction === undefined) {
    transaction = drawTransaction(program, around, behind);
    program.begins(transaction);
    asks.push(transaction.begin);
  }
  for (let steps = random.below(transaction.mode === "deferred" ? 4 : 3); steps > 0; steps--)
    asks.push(transaction.next(around));
  if (random.chance(endChance[transaction.mode])) asks.push(transaction.end(around, program.mayGiveBack));
  return asks;
}

function drawTransaction(program: Wisher, { weather: { random }, nextWhat }: Surroundings, behind: readonly Ask[]) {
  const mode = random.weighted({ write: 55, deferred: 25, read: 20 });
  const timeoutMs = random.pick([undefined, undefined, undefined, 300]);
  const grant = mode === "read" ? undefined : drawGrant(program, random);
  const fences = grant === undefined ? [] : [{ name: random.pick(grant.names), token: grant.token }];
  const gives = random.chance(0.4) ? grant : undefined;
  return new Transaction(nextWhat(), { mode, fences, gives, timeoutMs }, behind);
}

function drawGrant({ held, guards }: Wisher, random: Random): Grant | undefined {
  const grants = held.filter((grant) => !guards.has(grant));
  return grants.length > 0 && random.chance(0.7) ? random.pick(grants) : undefined;
}
