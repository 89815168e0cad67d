/** Schemas of what is shown of locks, which methods and notifications share. */
import * as is from "../schema.js";
import { lockEventKinds, lockModes } from "./lock-words.js";

/** So many times the longest queue is a whole number still: sums of slots stay exact. */
const slotsMax = 1_000_000;

export function SlotsField(description: string) {
  return is.Integer({ minimum: 1, maximum: slotsMax, description });
}

export const someone = {
  session: is.Text({ description: "The session's id" }),
  program: is.Text({ description: "What the session called itself; may be empty" }),
  pid: is.Union([is.Integer(), is.Null()], { description: "Its process, if one was named and could be checked" }),
};

const asking = {
  ...someone,
  reason: is.Text({ description: "What it said it wants the lock for; may be empty" }),
  connected: is.Flag({ description: "false: it lost its connection and may still come back" }),
  mode: is.OneOf(lockModes, "How it holds or wants the name"),
  take: is.Optional(is.WholeNumber("Of a semaphore: how many of the slots", 1)),
  also: is.Optional(is.ArrayOf(is.LockNameField, { description: "The other names of its request, if there are any" })),
};

export const holderRow = is.ObjectOf({
  ...asking,
  token: is.TokenField,
  heldMs: is.WholeNumber("How long it has held the lock"),
  since: is.Integer({ description: "Since when by the wall clock, milliseconds since 1970; for people" }),
  ttlMs: is.Union([is.Integer(), is.Null()], { description: "Its lease; null: it lives as its session" }),
  leaseLeftMs: is.Union([is.Integer(), is.Null()], { description: "What is left of the lease; null: it has none" }),
  guarded: is.Flag({ description: "Its command's processes are ended before the lock goes to another" }),
});

const waiter = is.ObjectOf({
  ...asking,
  upgrade: is.Flag({ description: "It holds the name shared and waits to have it alone" }),
  place: is.WholeNumber("1 is next", 1),
  waitedMs: is.WholeNumber("How long it has waited"),
});

export const lockRow = is.ObjectOf({
  name: is.LockNameField,
  mode: is.Union([is.OneOf(lockModes, "How it is held"), is.Null()], {
    description: "How it is held, or wanted by the first that waits; null: by nobody",
  }),
  slots: is.Optional(is.WholeNumber("Of a semaphore: how many slots the name has", 1)),
  slotsFree: is.Optional(is.WholeNumber("Of a semaphore: how many of them nobody has")),
  draining: is.Flag({
    description: "The last holder is gone and what it began is not over: nobody can be granted yet",
  }),
  ending: is.Union([is.OneOf(["writes", "processes"], "What is not over"), is.Null()], {
    description:
      "Of a holder that is gone: writes, its writes are not all settled; processes, its command's processes are not all gone; null: nothing",
  }),
  holders: is.ArrayOf(holderRow, { description: "The first 100" }),
  holdersTotal: is.WholeNumber("All that hold it"),
  waiters: is.ArrayOf(waiter, { description: "The first 100 in order" }),
  waitersTotal: is.WholeNumber("All that wait"),
});

export const lockEvent = is.ObjectOf({
  ...someone,
  n: is.WholeNumber("Its number: one count for all names, which rises and may leave numbers out", 1),
  at: is.Integer({ description: "When by the wall clock, milliseconds since 1970; for people" }),
  kind: is.OneOf(lockEventKinds, "What happened; `free`: what an ended holder had begun is over"),
  name: is.LockNameField,
  token: is.Optional(is.TokenField),
  reason: is.Optional(is.Text({ description: "Why it was lost, or what it was wanted for" })),
});
