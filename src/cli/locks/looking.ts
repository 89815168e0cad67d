/** `holdfast locks`, `locks show`, `locks history`: looks and goes. Where no broker runs, nothing is held. */
import type { Broker, LockEventRow, LockFilter, LockRow } from "../../client/index.js";
import { integer } from "../cells.js";
import type { Call } from "../command.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import type { Rows } from "../formats.js";
import { localTime } from "../log-line.js";
import { reachRunning } from "../reach.js";
import { boundSecretsOf } from "../surroundings.js";
import { holderText, ordinal, programText, quoted, stateOf, waiterText } from "../words.js";
import { peopleRows, plainRows } from "./table.js";

export async function list(call: Call, filter: LockFilter): Promise<ExitCode> {
  const found = await ask(call, [], (broker) => locksNow(call, broker, filter));
  const { output } = call;
  if (output.asJson) output.things(found);
  else if (found.length > 0 || !output.forPeople) output.rows(rowsFor(call, found));
  if (found.length === 0 && output.forPeople) output.comment(nothingText(filter));
  return exitCodes.ok;
}

export function rowsFor({ output }: Call, found: readonly LockRow[]): Rows {
  return output.forPeople ? peopleRows(found) : plainRows(found);
}

export function nothingText({ prefix, session, contended }: LockFilter): string {
  if (contended === true) return "nobody waits for a lock";
  if (session !== undefined) return `session ${session} holds no lock and waits for none`;
  return prefix === undefined ? "no lock is held" : `no lock is held whose name begins with ${quoted(prefix)}`;
}

/** As the broker tells them; only that what `holdfast acquire` took needs no connection, and is not shown to lack one. */
export async function locksNow(call: Call, broker: Broker, filter: LockFilter): Promise<LockRow[]> {
  const bound = boundTokens(call);
  const locks = await broker.locks.list(filter);
  return locks.map((lock) => {
    const holders = lock.holders.map((one) => (bound.has(one.token) ? { ...one, connected: true } : one));
    return { ...lock, holders };
  });
}

function boundTokens(call: Call): ReadonlySet<number | undefined> {
  const secrets = boundSecretsOf(call.options, call.io);
  return new Set(secrets.find().map(({ token }) => token));
}

export async function show(call: Call, name: string): Promise<ExitCode> {
  const [lock] = await ask(call, [], (broker) => locksNow(call, broker, { name }));
  const { output } = call;
  const held = lock !== undefined && (lock.holdersTotal > 0 || lock.draining);
  if (output.asJson) output.thing(lock ?? free(name), () => []);
  else for (const line of lock === undefined ? [`${quoted(name)} is free`] : showLines(lock)) output.line(line);
  return held ? exitCodes.ok : exitCodes.refused;
}

function free(name: string): LockRow {
  const nobody = { holders: [], holdersTotal: 0, waiters: [], waitersTotal: 0 };
  return { name, mode: null, draining: false, ending: null, ...nobody };
}

function showLines(lock: LockRow): string[] {
  const { holders, holdersTotal, waiters, waitersTotal } = lock;
  const lines = [`${quoted(lock.name)} is ${stateOf(lock)}`];
  for (const holder of holders)
    lines.push(
      `  held by ${holderText(holder)}, token ${holder.token}${withNames(holder.also)}, session ${holder.session}`,
    );
  if (holdersTotal > holders.length) lines.push(`  and by ${holdersTotal - holders.length} more`);
  for (const waiter of waiters)
    lines.push(
      `  ${ordinal(waiter.place)} in line: ${waiterText(waiter)}${withNames(waiter.also)}, session ${waiter.session}`,
    );
  if (waitersTotal > waiters.length) lines.push(`  and ${waitersTotal - waiters.length} more`);
  return lines;
}

function withNames(also: readonly string[] | undefined): string {
  return also === undefined || also.length === 0 ? "" : `, together with ${also.map(quoted).join(", ")}`;
}

export async function history(call: Call, name: string, max: number | undefined): Promise<ExitCode> {
  const events = await ask(call, [], (broker) => broker.locks.history(name, { max }));
  const { output } = call;
  if (output.asJson) output.things(events);
  else if (events.length > 0 || !output.forPeople) output.rows(eventRows(events, output.forPeople));
  if (events.length === 0 && output.forPeople) output.comment(`nothing is known to have happened at ${quoted(name)}`);
  return exitCodes.ok;
}

export function eventRows(events: readonly LockEventRow[], forPeople: boolean): Rows {
  const columns = ["at", "name", "event", "program", "pid", "session", "token", "reason"];
  const rows = events.map(({ at, name, kind, program, pid, session, token, reason }) => [
    forPeople ? localTime(new Date(at)) : new Date(at).toISOString(),
    name,
    kind,
    programText(program),
    pid === null ? null : integer(pid),
    forPeople ? session.slice(0, 8) : session,
    token === undefined ? null : integer(token),
    reason ?? null,
  ]);
  return { columns, rows };
}

/** `nothing`: what there is where no broker runs. */
async function ask<T>(call: Call, nothing: T, question: (broker: Broker) => Promise<T>): Promise<T> {
  const broker = await reachRunning(call);
  if (broker === undefined) return nothing;
  try {
    return await question(broker);
  } finally {
    await broker.close();
  }
}
