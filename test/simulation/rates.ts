/**
 * How bad this life is: each seed draws its own rates, and about half of the faults do not happen in it at all, so that
 * rare ones meet each other without a third that hides them.
 */
import type { Random } from "./random.js";

/** `[least, most]`; what is drawn lies between, evenly over the orders of magnitude when `least` is above 0. */
const ranges = {
  /** How long a program thinks before it asks the next thing (mean, ms). */
  thinkMs: [10, 800],
  /** How long a frame is on its way (mean, ms). */
  delayMs: [0.05, 30],
  /** How long the broker's loop takes from what comes in to the end of its turn (mean, ms). */
  loopMs: [0.02, 10],
  /** How long the writer needs for a group (mean, ms). */
  writeMs: [0.2, 100],
} as const;

/** Of each, how often it is expected in the life as a whole; in half of all lives never. */
const happenings = {
  disconnect: 6,
  brokerPause: 2,
  programPause: 3,
  sleep: 1,
  death: 2,
  brokerCrash: 2,
  brokerStop: 1,
  clockStep: 2,
  writerDeath: 2,
  readerDeath: 1,
  snapshotDeath: 1,
  ledgerFull: 1,
} as const;

/** The chance of each when it could be; in half of all lives 0. */
const chances = {
  /** A frame is lost, and with it its connection: a stream has no gaps. */
  loss: 0.02,
  /** What was under way on a broken connection still arrives, and arrives late: the same request reaches the broker twice. */
  duplication: 0.7,
  /** The broker notices late that a connection is gone. */
  halfOpen: 0.7,
  /** A connection breaks while a commit that came on it is with the writer, which is asked again meanwhile. */
  lossBehindCommit: 0.5,
  /** A child of a dead program keeps its connection open. */
  heir: 0.5,
  /** A crash in the middle of a turn takes some of the rows of this turn, and with them all of them. */
  tornTail: 0.5,
  /** A crash is one of the machine: every program dies, and nobody believes the ledger. */
  powerLoss: 0.2,
  ledgerDamage: 0.2,
  /** After a crash the database is an older copy of itself. */
  databasePutBack: 0.1,
  writerUnavailable: 0.3,
  diskFailure: 0.2,
  /** A group takes its time to get to the disk. */
  slowDisk: 0.2,
  /** A write or read that never ends. */
  endless: 0.05,
  /** The operating system does not say whether a process lives. */
  fateUnknown: 0.3,
  /** The broker's backlog is full. */
  busy: 0.1,
  /** With the end of a broker its ledger goes, and programs live on. */
  ledgerCleared: 0.3,
} as const;

type Numbers<Of> = { readonly [Name in keyof Of]: number };
export type Happening = keyof typeof happenings;
export type Rates = Numbers<typeof ranges> & Numbers<typeof happenings> & Numbers<typeof chances>;

export const happeningNames = Object.keys(happenings) as readonly Happening[];

export function drawRates(random: Random): Rates {
  const drawn: Record<string, number> = {};
  for (const [name, [least, most]] of Object.entries(ranges)) drawn[name] = least * (most / least) ** random.next();
  for (const [name, most] of [...Object.entries(happenings), ...Object.entries(chances)])
    drawn[name] = random.chance(0.5) ? 0 : most * random.next();
  return drawn as unknown as Rates;
}

/** Nothing goes wrong any more. */
export function calm(rates: Rates): Rates {
  const none: Record<string, number> = { ...rates };
  for (const name of [...Object.keys(happenings), ...Object.keys(chances)]) none[name] = 0;
  return none as unknown as Rates;
}

/** For people. */
export function ratesText(rates: Rates): string {
  const shown = Object.entries(rates).filter(([, rate]) => rate > 0);
  return shown.map(([name, rate]) => `${name}=${rate.toPrecision(2)}`).join(" ");
}
