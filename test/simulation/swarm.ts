/**
 * A life of the simulated world out of one seed: for a while things go wrong, each as often as this seed has drawn; then
 * nothing does any more, everybody gets an answer, everything is given back, and nothing may be left.
 */
import assert from "node:assert/strict";
import type { Ask } from "./ask.js";
import type { Counts } from "./coverage.js";
import type { Program } from "./program.js";
import { type Happening, happeningNames, ratesText } from "./rates.js";
import type { Transaction } from "./transaction.js";
import { World } from "./world.js";

export interface LifeStory {
  readonly events: number;
  readonly hash: string;
  readonly counts: Counts;
  /** When it is to be read. */
  readonly lines: readonly string[];
}

/** How many questions are asked while things go wrong, by all programs: mostly few, for most faults need few to show. */
const asksMax = [3, 5, 6, 8, 10, 12, 24];
/** How long the calm may take until nothing is left (virtual ms). */
const calmMsMax = 300_000;

/** How often, when it could ask something, a program that holds a lock runs another under it, and such a one is done. */
const nestingChance = 0.08;
const innerEndChance = 0.15;

export class LifeFailure extends Error {
  override readonly name = "LifeFailure";
  readonly lines: readonly string[];

  constructor({ seed, agenda, rates, trace }: World, options: { readonly cause: unknown }) {
    const { cause } = options;
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`seed ${seed} after ${agenda.kept} events: ${reason}\n  ${ratesText(rates)}`, options);
    this.lines = trace.lines ?? [];
  }
}

export function live(seed: number, traced = false): LifeStory {
  const world = new World(seed, traced);
  const rates = ratesText(world.rates);
  world.trace.say("seed", () => `${seed}: ${rates}`);
  try {
    trouble(world);
    calm(world);
    verdicts(world);
  } catch (error) {
    throw new LifeFailure(world, { cause: error });
  }
  const { agenda, trace, coverage } = world;
  return { events: agenda.kept, hash: trace.hash, counts: coverage.counts, lines: trace.lines ?? [] };
}

// ── while things go wrong ─────────────────────────────────────────────────────────────────────────────────────────────

function trouble(world: World): void {
  const { random, rates, agenda } = world;
  const programs = random.pick([2, 2, 2, 3, 3, 4]);
  const phaseMs = (random.pick(asksMax) * rates.thinkMs) / programs;
  for (let n = 0; n < programs; n++) begin(world);
  for (const happening of happeningNames) {
    if (rates[happening] === 0) continue;
    const meanMs = phaseMs / rates[happening];
    const again = () => {
      if (world.calmed) return;
      happen(world, happening);
      agenda.after(random.exponential(meanMs), again);
    };
    agenda.after(random.exponential(meanMs), again);
  }
  for (const end = agenda.now + phaseMs; agenda.step(end); );
}

/** A new program, which asks one thing after the other. One that runs under another's lock soon ends. */
function begin(world: World, outer?: Program): void {
  const { random, agenda } = world;
  const program = world.newProgram(outer);
  const ask = () => {
    if (!program.alive || program.ended || world.calmed) return;
    if (program.mayNest && random.chance(nestingChance)) begin(world, program);
    else if (outer !== undefined && random.chance(innerEndChance)) program.close();
    else program.act();
    agenda.after(random.exponential(world.rates.thinkMs), ask);
  };
  agenda.after(random.exponential(world.rates.thinkMs), ask);
}

function happen(world: World, happening: Happening): void {
  const { random, agenda } = world;
  const living = world.programs.filter(({ alive, ended }) => alive && !ended);
  switch (happening) {
    case "disconnect":
      if (living.length > 0) random.pick(living).disconnect();
      return;
    case "brokerPause":
      return world.stopBroker(random.pick([100, 400, 2000, 15_000]));
    case "programPause":
      if (living.length > 0) stopFor(world, random.pick(living), random.pick([50, 500, 5000]));
      return;
    case "sleep": {
      const ms = random.pick([1000, 60_000]);
      world.stopBroker(ms);
      for (const program of living) stopFor(world, program, ms);
      return;
    }
    case "death":
      if (living.length > 0) {
        world.kill(random.pick(living));
        agenda.after(random.exponential(world.rates.thinkMs), () => begin(world));
      }
      return;
    case "brokerCrash":
      return crash(world);
    case "brokerStop":
      return world.endBroker(random.chance(world.rates.ledgerCleared));
    case "clockStep":
      return world.stepClock(random.pick([-7_200_000, -1000, 1000, 7_200_000]));
    case "writerDeath":
      return world.store.killWriter(false);
    case "readerDeath":
      return world.store.killReader();
    case "snapshotDeath":
      return world.store.killSnapshot();
    case "ledgerFull":
      return world.fillDisk(random.pick([10, 300, 3000]));
  }
}

function stopFor({ agenda }: World, program: Program, ms: number): void {
  program.stop();
  agenda.after(ms, () => program.goOn());
}

function crash(world: World): void {
  const { random, rates } = world;
  if (random.chance(rates.powerLoss) && !world.onlyLedgerKnows) {
    const { length } = world.programs.filter(({ alive }) => alive);
    world.losePower();
    for (let n = 0; n < length; n++) begin(world);
    return;
  }
  const torn = random.chance(rates.tornTail);
  const whole = ["before-rows", "after-rows", "after-jobs", "after-letters"] as const;
  if (random.chance(0.7)) return world.killBroker(torn ? "within-rows" : random.pick(whole));
  world.killBroker(undefined);
  // Both at once is beyond what is promised: nobody is left who knows how far the tokens had come.
  if (random.chance(rates.ledgerDamage)) world.damageLedger();
  else if (random.chance(rates.databasePutBack)) world.putDatabaseBack();
  else if (random.chance(rates.ledgerCleared)) world.clearLedger();
}

// ── and when they do not any more ─────────────────────────────────────────────────────────────────────────────────────

function calm(world: World): void {
  const { agenda } = world;
  world.calmDown();
  const end = agenda.now + calmMsMax;
  const settle = () => {
    for (const program of world.programs) {
      world.looksRight(program);
      settleDown(program);
    }
    agenda.after(120, settle);
  };
  settle();
  while (!atRest(world)) if (!agenda.step(end)) throw new Error(`not at rest: ${unrest(world)}`);
}

function settleDown(program: Program): void {
  if (!program.alive || program.ended) return;
  program.closeStreams();
  program.endTransaction();
  if (program.held.length > 0) return program.releaseOne();
  if (program.open.length === 0 && program.tables.upToDate) program.close();
}

function atRest({ programs, broker, store }: World): boolean {
  const over = programs.every(({ alive, ended }) => !alive || ended);
  if (!over || broker?.core === undefined) return over && broker === undefined;
  const { settled: _, ...left } = broker.core.counts;
  if (store.tables.busy || !broker.quiet) return false;
  return Object.values(left).every((count) => count === 0) && broker.core.nextDeadline(0 as never) === undefined;
}

function unrest({ programs, broker }: World): string {
  const left = programs.filter(({ alive, ended }) => alive && !ended);
  const open = left.map(
    ({ number, at, open, tables }) =>
      `p${number} is ${at}, ${open.map(({ method, what }) => `${method} ${what}`)} ${tables.upToDate ? "" : "behind"}`,
  );
  return `${open.join("; ")} ${JSON.stringify(broker?.core?.counts)}`;
}

/** What was told of a write is so: there once, or not at all. Of a transaction either all is there or nothing. */
function verdicts({ programs, buried, store, moments }: World): void {
  store.tables.check();
  const times = new Map<string, number>();
  for (const { what } of store.writer.applied) times.set(what, (times.get(what) ?? 0) + 1);
  const twice = [...times].filter(([, count]) => count > 1);
  assert.deepEqual(twice, [], "applied more than once");
  for (const { asks, transactions, role } of [...programs, ...buried]) {
    if (role === "read") nothingIsThere([...asks, ...transactions.flatMap(({ steps }) => steps)], times);
    for (const transaction of transactions) {
      transactionVerdict(transaction, times);
      moments.commitFollows(transaction);
    }
    const empty = new Set(transactions.filter(({ mayBeEmpty }) => mayBeEmpty).map(({ commit }) => commit));
    for (const ask of asks) {
      const { what, outcome, changes } = ask;
      if (!changes) continue;
      if (outcome === "done" && !empty.has(ask))
        assert.equal(times.get(what), 1, `${what} was acknowledged and is not there`);
      if (outcome === "none") assert.equal(times.get(what) ?? 0, 0, `${what} was refused and is there`);
    }
  }
}

/** Who may only read has written nothing. */
function nothingIsThere(asks: readonly Ask[], times: ReadonlyMap<string, number>): void {
  const wrong = asks.find(({ what }) => times.has(what));
  if (wrong !== undefined) throw new Error(`${wrong.what} is there, and its program may only read`);
}

function transactionVerdict({ what: commit, steps }: Transaction, times: ReadonlyMap<string, number>): void {
  const isCommitted = times.has(commit);
  for (const { what, outcome } of steps) {
    const isThere = times.has(what);
    if (isThere && !isCommitted) throw new Error(`${what} is there, and its transaction was not committed`);
    if (isCommitted && outcome === "done" && !isThere) throw new Error(`${what} is not there, and ${commit} is`);
    if (outcome === "none" && isThere) throw new Error(`${what} was refused and is there`);
  }
}
