/**
 * `holdfast locks`: who holds which lock and who waits; `holdfast locks show NAME`: one of them in full.
 * Starts nothing: where no broker runs, nothing is held.
 */
import { BoundSecrets } from "../bound-secret.js";
import { integer } from "../cells.js";
import { type Call, type Command, optionsOf } from "../command.js";
import { formatDuration } from "../durations.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { reachRunning } from "../reach.js";
import { placesOf } from "../surroundings.js";
import { holderText, type LockInfo, quoted, stateOf, waiterText } from "../words.js";

export const locks: Command = {
  prints: true,
  define(parser) {
    parser
      .usage("[options]\n       holdfast locks show NAME")
      .argument("[show]")
      .argument("[name]")
      .option("--prefix <prefix>", "only names that begin so")
      .addHelpText("after", "\n`show NAME` ends with 0 when the lock is held and with 1 when it is free.");
  },

  async run(call) {
    const { prefix } = optionsOf<{ prefix?: string }>(call);
    const [verb, name] = call.operands;
    if (verb === undefined) return list(call, prefix);
    if (verb !== "show") call.misused(`locks knows "show NAME", not "${verb}"`);
    if (name === undefined) call.misused("locks show wants the name of a lock");
    return show(call, name ?? "");
  },
};

async function list(call: Call, prefix: string | undefined): Promise<ExitCode> {
  const found = await ask(call, prefix === undefined ? {} : { prefix });
  const { output } = call;
  if (output.asJson) output.things(found);
  else if (found.length > 0 || !output.forPeople) output.rows(rowsOf(found, output.forPeople));
  if (found.length === 0 && output.forPeople) output.comment("no lock is held");
  return exitCodes.ok;
}

const columns = ["name", "state", "holder", "pid", "since", "reason", "waiters"];

function rowsOf(found: readonly LockInfo[], forPeople: boolean) {
  const rows = found.map((lock) => {
    const [holder] = lock.holders;
    const since = forPeople ? formatDuration(holder?.heldMs ?? 0) : new Date(holder?.since ?? 0).toISOString();
    return [
      lock.name,
      stateOf(lock),
      holder?.program ?? null,
      holder?.pid === undefined || holder.pid === null ? null : integer(holder.pid),
      holder === undefined ? null : since,
      holder?.reason ?? null,
      integer(lock.waitersTotal),
    ];
  });
  return { columns, rows };
}

async function show(call: Call, name: string): Promise<ExitCode> {
  const [lock] = await ask(call, { name });
  const { output } = call;
  const held = lock !== undefined && (lock.holders.length > 0 || lock.draining);
  if (output.asJson)
    output.thing(lock ?? { name, draining: false, holders: [], waiters: [], waitersTotal: 0 }, () => []);
  else for (const line of lock === undefined ? [`${quoted(name)} is free`] : showLines(lock)) output.line(line);
  return held ? exitCodes.ok : exitCodes.refused;
}

function showLines(lock: LockInfo): string[] {
  const lines = [`${quoted(lock.name)} is ${stateOf(lock)}`];
  for (const holder of lock.holders) lines.push(`  held by ${holderText(holder)}, token ${holder.token}`);
  for (const waiter of lock.waiters) lines.push(`  ${String(waiter.place).padStart(3)}. ${waiterText(waiter)}`);
  const unnamed = lock.waitersTotal - lock.waiters.length;
  return unnamed > 0 ? [...lines, `       and ${unnamed} more`] : lines;
}

async function ask(call: Call, which: { name?: string; prefix?: string }): Promise<readonly LockInfo[]> {
  const broker = await reachRunning(call);
  if (broker === undefined) return [];
  try {
    const { locks: found } = await broker.call("lock.list", which);
    return found.map((lock) => withoutBound(lock, boundTokens(call)));
  } finally {
    await broker.close();
  }
}

/** What `holdfast acquire` took needs no connection: that there is none is not worth a word. */
function withoutBound(lock: LockInfo, bound: ReadonlySet<number | undefined>): LockInfo {
  const holders = lock.holders.map((one) => (bound.has(one.token) ? { ...one, connected: true } : one));
  return { ...lock, holders };
}

function boundTokens(call: Call): ReadonlySet<number | undefined> {
  const secrets = new BoundSecrets(placesOf(call.options, call.io).boundDir);
  return new Set(secrets.find().map(({ token }) => token));
}
