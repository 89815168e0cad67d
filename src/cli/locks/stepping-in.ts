/** `locks break`, `locks transfer`, `locks resize`: an operator steps in. */
import type { Broker, WaiterRow } from "../../client/index.js";
import { isHoldfastError } from "../../terms/index.js";
import { type Call, ExitWith } from "../command.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { reachRunning } from "../reach.js";
import { holderText, quoted, typed, waiterText } from "../words.js";

export interface StepInOptions {
  readonly token: number | undefined;
  readonly graceMs: number | undefined;
  readonly reason: string | undefined;
}

export async function breakLock(call: Call, name: string, options: StepInOptions): Promise<ExitCode> {
  return withBroker(call, name, async (broker) => {
    const [before] = await broker.locks.list({ name, waiters: false });
    const ended = await broker.locks.break(name, options);
    if (ended.length === 0) throw new ExitWith(`${quoted(name)} is not held`, { exitCode: exitCodes.refused });
    const lines = ended.map(({ token, outcome }) => {
      const holder = before?.holders.find((one) => one.token === token);
      const who = holder === undefined ? `the holder with token ${token}` : holderText(holder);
      return outcome === "released" ? `${who} has released ${quoted(name)}` : `${quoted(name)} was taken from ${who}`;
    });
    call.output.thing({ name, ended }, () => lines);
    return exitCodes.ok;
  });
}

export async function transferLock(
  call: Call,
  { name, to, options }: { name: string; to: string; options: Omit<StepInOptions, "graceMs"> },
): Promise<ExitCode> {
  if (to === "") call.misused("transfer to whom? the session or the process number of one that waits");
  return withBroker(call, name, async (broker) => {
    const [lock] = await broker.locks.list({ name });
    const found = waiterMeant(lock?.waiters ?? [], to);
    // Of a long queue only the first are listed: whether this one waits, the broker says.
    const waiter = typeof found === "string" && wholeSession.test(to) ? { session: to.toLowerCase() } : found;
    if (typeof waiter === "string") throw new ExitWith(`${waiter}\n${whoWaits(name)}`, { exitCode: exitCodes.refused });
    const { session } = waiter;
    const { token, reason } = options;
    await broker.locks.transfer(name, session, { token, reason });
    const who = "waitedMs" in waiter ? waiterText(waiter) : `session ${session}`;
    call.output.thing({ name, to: session }, () => [`${quoted(name)} goes to ${who}`]);
    return exitCodes.ok;
  });
}

const wholeSession = /^[0-9a-f]{32}$/i;

function whoWaits(name: string): string {
  return `\`holdfast locks show ${typed(name)}\` tells who waits`;
}

/** By session (its first digits are enough), or by process number. */
function waiterMeant(waiters: readonly WaiterRow[], to: string): WaiterRow | string {
  const byPid = waiters.filter(({ pid }) => String(pid) === to);
  const found = byPid.length > 0 ? byPid : waiters.filter(({ session }) => session.startsWith(to.toLowerCase()));
  const [first, ...others] = found;
  if (first === undefined) return `nobody waits whose session or process is ${to}`;
  return others.every(({ session }) => session === first.session) ? first : `${to} can mean several that wait`;
}

export async function resizeLock(call: Call, name: string, word: string): Promise<ExitCode> {
  const slots = Number(word);
  if (!/^\d+$/.test(word) || slots < 1) call.misused(`"${word}" is not a number of slots from 1`);
  return withBroker(call, name, async (broker) => {
    await broker.locks.resize(name, slots);
    call.output.comment(`${quoted(name)} has ${slots === 1 ? "1 slot" : `${slots} slots`} now`);
    return exitCodes.ok;
  });
}

/** A broker is not started for that: without one, nothing is held. */
async function withBroker(call: Call, name: string, work: (broker: Broker) => Promise<ExitCode>): Promise<ExitCode> {
  const broker = await reachRunning(call);
  if (broker === undefined)
    throw new ExitWith(`${quoted(name)} is not held: no broker runs`, { exitCode: exitCodes.refused });
  try {
    return await work(broker);
  } catch (error) {
    if (!isHoldfastError(error) || error.code !== "LOCK_NOT_HELD") throw error;
    throw new ExitWith(error.message, { exitCode: exitCodes.refused, cause: error });
  } finally {
    await broker.close();
  }
}
