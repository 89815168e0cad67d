/** What a program asks for, drawn: mostly what makes sense for it, now and then what does not. */
import type { Grant } from "../../src/client/conversation/index.js";
import type { SessionId } from "../../src/terms/index.js";
import { Ask, type Fence } from "./ask.js";
import type { Style, Surroundings } from "./surroundings.js";
import { transact } from "./transacting.js";
import type { Transaction } from "./transaction.js";

/** Who wishes: how it stands with its locks. */
export interface Wisher {
  readonly style: Style;
  /** Most of what it does it does in transactions. */
  readonly transacts: boolean;
  readonly session: SessionId | undefined;
  readonly held: readonly Grant[];
  readonly open: readonly Ask[];
  readonly waits: boolean;
  readonly mayGiveBack: boolean;
  readonly underNow: { readonly under?: readonly number[] };
  readonly fences: readonly Fence[];
  /** Grants under which a command runs. */
  readonly guards: ReadonlyMap<Grant, unknown>;
  /** Grants that were shared when they were given. */
  readonly shared: ReadonlySet<Grant>;
  readonly transactions: readonly Transaction[];
  /** Its transaction, until it has ended that. */
  readonly transaction: Transaction | undefined;
  releasing(grant: Grant): Ask;
  begins(transaction: Transaction): void;
}

const insertSql = "insert into happened values (?)";
const selectSql = "select what from happened where what = ?";
/** As the broker's own limit has it. */
const ttlMsMin = 1000;

type Wish = (program: Wisher, around: Surroundings) => Ask | readonly Ask[] | undefined;

const wishes = {
  acquire: [30, acquire],
  release: [24, release],
  write: [24, write],
  lastWrite: [8, lastWrite],
  writeAndRelease: [8, writeAndRelease],
  strangeWrite: [6, (_, around) => writeUnder([around.strangeFence()], around)],
  transact: [12, (program, around) => transact(program, around, unanswered(program))],
  read: [6, (program, around) => read(program, around)],
  writeAndRead: [8, writeAndRead],
  stream: [6, stream],
  upgrade: [14, upgrade],
  downgrade: [5, downgrade],
  list: [3, () => new Ask("read", "lock.list", {})],
  history: [2, (_, { weather, names }) => new Ask("read", "lock.history", { name: weather.random.pick(names) })],
  break: [3, breakOne],
  transfer: [6, transfer],
  resize: [1, resize],
} as const satisfies Record<string, readonly [weight: number, wish: Wish]>;

const weights = Object.fromEntries(Object.entries(wishes).map(([name, [weight]]) => [name, weight])) as {
  readonly [Name in keyof typeof wishes]: number;
};

const weightsTransacting = { ...weights, transact: 120 };

/** What it asks now, in one breath. */
export function drawWish(program: Wisher, around: Surroundings): readonly Ask[] {
  const [, wish] = wishes[around.weather.random.weighted(program.transacts ? weightsTransacting : weights)];
  return [wish(program, around) ?? []].flat();
}

// ── locks ───────────────────────────────────────────────────────────────────────────────────────────────────────────

interface ClaimParams {
  readonly name: string;
  readonly mode?: "shared" | "semaphore";
  readonly slots?: number;
  readonly take?: number;
}

function acquire(program: Wisher, around: Surroundings): Ask | undefined {
  const { random } = around.weather;
  // Who gives nothing back while it waits, waits for one thing at a time.
  if (program.style === "blocking" && program.waits) return undefined;
  const [claim, ...also] = drawClaims(around);
  if (claim === undefined) return undefined;
  const timedMs = 1 + random.below(2500);
  const waitMs = random.pick([undefined, undefined, undefined, 0, timedMs, timedMs]);
  const guard = random.chance(0.1);
  const params = {
    ...claim,
    ...(also.length === 0 ? {} : { also }),
    ...(waitMs === undefined ? {} : { waitMs }),
    ...(random.chance(0.2) ? { ttlMs: ttlMsMin + random.below(2000) } : {}),
    ...(guard ? { guard } : {}),
    ...(random.chance(0.03) ? { steal: true } : {}),
    ...(random.chance(0.25) ? { tell: random.pick([["place"], ["contended"], ["place", "contended"]]) } : {}),
    ...program.underNow,
    reason: "work",
  };
  return new Ask("acquire", "lock.acquire", params, {
    names: [claim, ...also].map(({ name }) => name),
    guard,
    shared: [claim, ...also].some(({ mode }) => mode === "shared"),
  });
}

function drawClaims({ weather: { random }, names }: Surroundings): ClaimParams[] {
  const count = random.pick([1, 1, 1, 1, 2, 2, 3]);
  return Array.from({ length: count }, () => {
    const name = random.pick(names);
    // Which names are semaphores is agreed on, but not by everybody.
    const semaphore = isSemaphore(name) !== random.chance(0.02);
    if (!semaphore) return random.chance(0.5) ? { name, mode: "shared" } : { name };
    const slots = random.chance(0.9) ? 2 : 3;
    return {
      name,
      mode: "semaphore",
      ...(random.chance(0.8) ? { slots } : {}),
      ...(random.chance(0.5) ? { take: 1 + random.below(random.chance(0.05) ? 4 : 2) } : {}),
    };
  });
}

function isSemaphore(name: string): boolean {
  return name.startsWith("s");
}

function release(program: Wisher, { weather: { random } }: Surroundings): Ask | undefined {
  const { held } = program;
  if (held.length === 0 || !program.mayGiveBack) return undefined;
  return program.releasing(random.pick(held));
}

function upgrade(program: Wisher, { weather: { random } }: Surroundings): Ask | undefined {
  if (program.style === "blocking" && program.waits) return undefined;
  // A guarded command carries the token of its lock: that must not change under it.
  const grants = program.held.filter((grant) => !program.guards.has(grant));
  const shared = grants.filter((grant) => program.shared.has(grant));
  if (grants.length === 0) return undefined;
  const grant = random.pick(shared.length > 0 && random.chance(0.9) ? shared : grants);
  const waitMs = random.pick([undefined, undefined, 0, 1 + random.below(1500)]);
  const wait = waitMs === undefined ? {} : { waitMs };
  const params = { name: random.pick(grant.names), token: grant.token, ...wait, ...program.underNow };
  return new Ask("upgrade", "lock.upgrade", params, { grant });
}

function downgrade({ held }: Wisher, { weather: { random } }: Surroundings): Ask | undefined {
  if (held.length === 0) return undefined;
  const grant = random.pick(held);
  return new Ask("change", "lock.downgrade", { name: random.pick(grant.names), token: grant.token }, { grant });
}

function breakOne(_: Wisher, { weather: { random }, names }: Surroundings): Ask {
  const params = { name: random.pick(names), graceMs: random.pick([0, 10, 500]), reason: "it takes too long" };
  return new Ask("change", "lock.break", params);
}

/** To somebody who waits for it, mostly. */
function transfer(program: Wisher, around: Surroundings): Ask | undefined {
  const { random } = around.weather;
  const own = random.chance(0.7) && program.mayGiveBack ? program.held.filter((one) => !program.guards.has(one)) : [];
  const wanted = own.filter(({ names }) => names.some((name) => around.waiterFor(name) !== undefined));
  const grant = own.length === 0 ? undefined : random.pick(wanted.length > 0 ? wanted : own);
  const name = random.pick(grant?.names ?? around.names);
  const to = around.waiterFor(name) ?? program.session;
  if (to === undefined) return undefined;
  if (grant !== undefined)
    return new Ask("transfer", "lock.transfer", { name, token: grant.token, to }, { grant, names: grant.names });
  return new Ask("change", "lock.transfer", { name, to });
}

function resize(_: Wisher, { weather: { random }, names }: Surroundings): Ask {
  const semaphores = names.filter(isSemaphore);
  const name = random.pick(semaphores.length === 0 ? names : semaphores);
  return new Ask("change", "lock.resize", { name, slots: 1 + random.below(4) });
}

// ── the database ────────────────────────────────────────────────────────────────────────────────────────────────────

function write(program: Wisher, around: Surroundings): Ask {
  return writeUnder(around.weather.random.chance(0.7) ? program.fences : [], around);
}

/** Under a lock, which it gives back when it is on disk. */
function lastWrite(program: Wisher, around: Surroundings): Ask | undefined {
  const { random } = around.weather;
  const grants = program.mayGiveBack ? program.held.filter((grant) => !program.guards.has(grant)) : [];
  if (grants.length === 0) return undefined;
  const grant = random.pick(grants);
  return writeUnder([{ name: random.pick(grant.names), token: grant.token }], around, grant);
}

/** The same by two requests that do not wait for each other. */
function writeAndRelease(program: Wisher, around: Surroundings): Ask[] {
  const { held } = program;
  if (held.length === 0 || !program.mayGiveBack) return [];
  const { random } = around.weather;
  const grant = random.pick(held);
  return [writeUnder([{ name: random.pick(grant.names), token: grant.token }], around), program.releasing(grant)];
}

function writeUnder(fences: readonly Fence[], { weather, nextWhat }: Surroundings, gives?: Grant): Ask {
  const { random, rates } = weather;
  const what = `w${nextWhat()}`;
  const marks = [...(random.chance(0.1) ? ["fails"] : []), ...(random.chance(rates().endless) ? ["endless"] : [])];
  const params = {
    ...{ sql: insertSql, args: [what, ...marks] },
    ...(fences.length === 0 ? {} : { fence: fences }),
    ...(gives === undefined ? {} : { release: fences }),
  };
  const kind = gives !== undefined || random.chance(0.85) ? "write" : "once";
  return new Ask(kind, "db.execute", params, { what, fences, gives: gives === undefined ? [] : [gives] });
}

/** What it reads must show what it has just asked to be written. */
function writeAndRead(program: Wisher, around: Surroundings): Ask[] {
  const writes = Array.from({ length: around.weather.random.pick([1, 1, 3]) }, () => write(program, around));
  return [...writes, read(program, around, writes)];
}

function read(program: Wisher, { weather, nextWhat }: Surroundings, more: readonly Ask[] = []): Ask {
  const what = `r${nextWhat()}`;
  const { random, rates } = weather;
  const marks = random.chance(rates().endless) ? ["endless"] : [];
  const params = { sql: selectSql, args: [what, ...marks] };
  const behind = [...unanswered(program), ...more];
  if (random.chance(0.6)) return new Ask("read", "db.query", params, { what, behind });
  return new Ask(random.chance(0.8) ? "write" : "once", "db.execute", params, { what, behind, onlyReads: true });
}

function stream(program: Wisher, { weather, nextWhat }: Surroundings): Ask {
  const { random, rates } = weather;
  const what = `s${nextWhat()}`;
  const marks = [...(random.chance(0.1) ? ["fails"] : []), ...(random.chance(rates().endless) ? ["endless"] : [])];
  const behind = unanswered(program);
  const credit = random.pick([50, 200, 1000]);
  return new Ask("stream", "db.stream", { sql: selectSql, args: [what, ...marks], credit }, { what, behind });
}

/** Its writes that have no answer. */
function unanswered({ open }: Wisher): Ask[] {
  return open.filter(({ changes }) => changes);
}
