/**
 * `holdfast acquire NAME --for PID`: takes a lock for a process that goes on after us, such as the shell that calls.
 * The lock lives as long as that process; `holdfast release` gives it back earlier. Prints the fencing token.
 */
import { randomBytes } from "node:crypto";
import type { BoundSecret, BoundSecrets } from "../bound-secret.js";
import { type Call, type Command, ExitWith, optionsOf } from "../command.js";
import { briefly } from "../command-line.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { identityOf, isAlive, nameOf } from "../processes.js";
import { endResumed, reach, tryResume } from "../reach.js";
import { boundSecretsOf } from "../surroundings.js";
import {
  acquireAsWished,
  type Interrupt,
  interruptible,
  type WaitOptions,
  type WishedLock,
  wishedLockOf,
  withWaitOptions,
} from "../wait-options.js";
import { quoted } from "../words.js";

interface AcquireOptions extends WaitOptions {
  readonly for: string;
}

export const acquire: Command = {
  prints: true,
  define(parser) {
    withWaitOptions(
      parser.argument("<name>").requiredOption("--for <pid>", "the process that has the lock and lives on, such as $$"),
    ).addHelpText(
      "after",
      "\nPrints the fencing token, for `holdfast sql --fence NAME:TOKEN`. The lock is given back by\n" +
        "`holdfast release NAME`, or when the process ends, however it ends. What that process waits for with another\n" +
        "call of `holdfast`, such as the same lock once more, is not refused as a deadlock: give such a wait an end (-w).\n" +
        "\n  holdfast acquire deploy --for $$ && make deploy; holdfast release deploy",
    );
  },

  async run(call) {
    const options = optionsOf<AcquireOptions>(call);
    const [name = "", ...more] = call.operands;
    if (more.length > 0) call.misused("acquire takes one name; to run a command there is `holdfast lock`");
    const wish = wishedLockOf(call, name, options);
    const secrets = boundSecretsOf(call.options, call.io);
    secrets.sweep(isAlive);
    const secret = await reserve(call, secrets, { wish, pid: pidOf(call, options.for) });
    const interrupt = interruptible();
    try {
      return await acquireFor(call, { wish, secret, secrets, interrupt });
    } finally {
      interrupt.end();
    }
  },
};

export function pidOf(call: Call, word: string): number {
  const pid = Number(word);
  if (!/^\d+$/.test(word) || pid < 1 || !Number.isSafeInteger(pid)) call.misused(`"${word}" is not a process number`);
  return pid;
}

/** Its `acquire` lives, and has not got the lock. */
export function isWaiting({ token, maker, makerStart }: BoundSecret): boolean {
  const found = token === undefined ? identityOf(maker) : undefined;
  return found !== undefined && (makerStart === undefined || found.startTime === makerStart);
}

/** Makes the file of the secret. One that is left over by an `acquire` that was killed is cleared away first. */
async function reserve(
  call: Call,
  secrets: BoundSecrets,
  { wish: { name, claim, conflictExitCode: exitCode }, pid }: { wish: WishedLock; pid: number },
): Promise<BoundSecret> {
  const process = identityOf(pid);
  if (process === undefined) return call.misused(`there is no process ${pid}`);
  const secret = {
    name,
    also: claim.also?.map((one) => one.name) ?? [],
    process,
    secret: randomBytes(32).toString("base64url"),
    socket: secrets.socket,
    maker: globalThis.process.pid,
    makerStart: identityOf(globalThis.process.pid)?.startTime,
  };
  for (const other of secrets.find({ name, pid })) {
    if (isWaiting(other))
      throw new ExitWith(`process ${other.maker} waits for ${quoted(name)} for process ${pid} already`, { exitCode });
    const session = await tryResume(call, other);
    if (session?.holds === true) {
      await session.broker.detach();
      throw new ExitWith(`process ${pid} has ${quoted(name)} already, with token ${other.token}`, { exitCode });
    }
    if (session !== undefined) await endResumed(call, other, session);
    secrets.remove(other);
  }
  if (!secrets.create(secret))
    throw new ExitWith(`another \`holdfast acquire\` takes ${quoted(name)} for process ${pid} just now`, { exitCode });
  return secret;
}

interface Attempt {
  readonly wish: WishedLock;
  readonly secret: BoundSecret;
  readonly secrets: BoundSecrets;
  readonly interrupt: Interrupt;
}

async function acquireFor(call: Call, { wish, secret, secrets, interrupt }: Attempt): Promise<ExitCode> {
  const { pid } = secret.process;
  // Whether a broker may have a session that holds the lock or waits for it. Then only its secret can end it.
  let left = false;
  try {
    const { signal } = interrupt;
    const session = { secret: secret.secret, boundTo: pid };
    const broker = await reach(call, { start: true, program: nameOf(pid) || `process ${pid}`, signal, session });
    left = true;
    let noted = secret;
    const note = (more: Partial<BoundSecret>) => {
      noted = { ...noted, ...more, secret: broker.sessionSecret };
      secrets.replace(noted);
    };
    // Who waits goes on in the next session when a broker does not know his any more (a backup was put back).
    broker.on("reconnected", ({ resumed }) => {
      try {
        if (!resumed) note({});
      } catch {
        // What cannot be written now is written with the grant, or said then.
      }
    });
    try {
      const { token, names } = await acquireAsWished(call, broker, { wish, signal });
      note({ token, also: names.slice(1) });
      call.output.thing({ name: wish.name, token }, () => [String(token)]);
      // Of a lock whose token nobody has heard nobody knows that it is held.
      await call.io.flushed(signal);
      broker.detach();
      return exitCodes.ok;
    } catch (error) {
      await briefly(broker.close());
      left = !broker.parted;
      throw error;
    }
  } catch (error) {
    const code = interrupt.code();
    if (code === undefined) throw error;
    return code;
  } finally {
    if (!left) secrets.remove(secret);
  }
}
