/** `holdfast release NAME`: gives back what `holdfast acquire` took, by the secret that it left. */

import type { HolderRow, LockRow } from "../../client/index.js";
import type { BoundSecret, BoundSecrets } from "../bound-secret.js";
import { type Call, type Command, optionsOf } from "../command.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { isAlive } from "../processes.js";
import { endResumed, reachRunning, tryResume } from "../reach.js";
import { boundSecretsOf } from "../surroundings.js";
import { holderText, quoted, typed } from "../words.js";
import { isWaiting, pidOf } from "./acquire.js";

export const release: Command = {
  prints: false,
  define(parser) {
    parser
      .argument("<name>")
      .option("--for <pid>", "the process that has the lock; needed only when several have acquired it")
      .addHelpText("after", "\nExit code 1 when the lock is not held, or not by way of `holdfast acquire`.");
  },

  async run(call) {
    const { for: word } = optionsOf<{ for?: string }>(call);
    const [name = "", ...more] = call.operands;
    if (more.length > 0) call.misused("release takes one name");
    const pid = word === undefined ? undefined : pidOf(call, word);
    const secrets = boundSecretsOf(call.options, call.io);
    secrets.sweep(isAlive);
    const secret = secretMeant(call, secrets, { name, pid });
    if (secret === undefined) return notHeld(call, secrets, name);
    const session = await tryResume(call, secret);
    // With its session its locks go: the session was made for this one.
    if (session !== undefined) await endResumed(call, secret, session);
    secrets.remove(secret);
    if (session?.holds === true || (session !== undefined && secret.token === undefined)) return exitCodes.ok;
    const [who, what] = [`process ${secret.process.pid}`, quoted(name)];
    const hadIt = secret.token !== undefined;
    call.output.warn(hadIt ? `${who} had acquired ${what}, but has lost it since` : `${who} has not got ${what}`);
    return exitCodes.refused;
  },
};

/** Undefined: there is none. */
function secretMeant(
  call: Call,
  secrets: BoundSecrets,
  { name, pid }: { name: string; pid: number | undefined },
): BoundSecret | undefined {
  // Without a token its `acquire` was killed before it could note that it had been granted.
  const done = secrets.find({ name, pid }).filter((one) => !isWaiting(one));
  // What was left over by one that did not get so far counts where there is nothing else.
  const noted = preferred(done, ({ token }) => token !== undefined);
  const found = preferred(noted, (one) => one.name === name);
  const [secret, ...others] = found;
  if (secret === undefined || others.length === 0) return secret;
  if (others.every((one) => one.process.pid === secret.process.pid))
    return call.misused(
      `${quoted(name)} was acquired with ${found.map((one) => quoted(one.name)).join(", ")}: release these`,
    );
  return call.misused(
    `${found.map((one) => one.process.pid).join(", ")} have acquired ${quoted(name)}: say which with --for`,
  );
}

function preferred<T>(all: readonly T[], wanted: (one: T) => boolean): readonly T[] {
  const found = all.filter(wanted);
  return found.length > 0 ? found : all;
}

/** Starts no broker to find that out: where none runs, nothing is held. */
async function notHeld(call: Call, secrets: BoundSecrets, name: string): Promise<ExitCode> {
  const [holder] = (await lockWithoutStart(call, name))?.holders ?? [];
  call.output.warn(holder === undefined ? `${quoted(name)} is not held` : whyNot(secrets, name, holder));
  return exitCodes.refused;
}

function whyNot(secrets: BoundSecrets, name: string, holder: HolderRow): string {
  const held = `${quoted(name)} is held by ${holderText(holder)}`;
  const other = secrets.all().find(({ token, process }) => token === holder.token && process.pid === holder.pid);
  if (other?.socket !== undefined && other.socket !== secrets.socket)
    return `${held}; it was acquired by way of ${other.socket}: give it back with --socket ${typed(other.socket)}`;
  return `${held}, who did not get it by \`holdfast acquire\`: only that process can give it back`;
}

async function lockWithoutStart(call: Call, name: string): Promise<LockRow | undefined> {
  const broker = await reachRunning(call);
  try {
    return (await broker?.locks.list({ name }))?.[0];
  } finally {
    await broker?.close();
  }
}
