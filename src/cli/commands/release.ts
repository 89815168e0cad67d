/** `holdfast release NAME`: gives back what `holdfast acquire` took, by the secret that it left. */

import type { LockRow } from "../../client/index.js";
import { type BoundSecret, BoundSecrets } from "../bound-secret.js";
import { type Call, type Command, optionsOf } from "../command.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { identityOf, isAlive } from "../processes.js";
import { endResumed, reachRunning, tryResume } from "../reach.js";
import { placesOf } from "../surroundings.js";
import { holderText, quoted } from "../words.js";
import { pidOf } from "./acquire.js";

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
    const secrets = new BoundSecrets(placesOf(call.options, call.io).boundDir);
    secrets.sweep(isAlive);
    // Without a token its `acquire` waits still, or was killed before it could note that it had been granted.
    const isDone = ({ token, maker }: BoundSecret) => token !== undefined || identityOf(maker) === undefined;
    const done = secrets.find({ name, pid }).filter(isDone);
    // What was left over by one that did not get so far counts where there is nothing else.
    const noted = done.filter(({ token }) => token !== undefined);
    const found = noted.length > 0 ? noted : done;
    const [secret, ...others] = found;
    if (secret === undefined) return notHeld(call, name);
    if (others.length > 0)
      call.misused(
        `${found.map((one) => one.process.pid).join(", ")} have acquired ${quoted(name)}: say which with --for`,
      );
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

/** Starts no broker to find that out: where none runs, nothing is held. */
async function notHeld(call: Call, name: string): Promise<ExitCode> {
  const [holder] = (await lockWithoutStart(call, name))?.holders ?? [];
  call.output.warn(
    holder === undefined
      ? `${quoted(name)} is not held`
      : `${quoted(name)} is held by ${holderText(holder)}, who did not get it by \`holdfast acquire\`: only that process can give it back`,
  );
  return exitCodes.refused;
}

async function lockWithoutStart(call: Call, name: string): Promise<LockRow | undefined> {
  const broker = await reachRunning(call);
  try {
    return (await broker?.locks.list({ name }))?.[0];
  } finally {
    await broker?.close();
  }
}
