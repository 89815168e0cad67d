/**
 * `holdfast locks`: who holds which lock and who waits; one of them in full; what happened to it; and how to step in.
 * Starts nothing: where no broker runs, nothing is held.
 */
import type { LockFilter } from "../../client/index.js";
import { type Call, type Command, optionsOf } from "../command.js";
import type { ExitCode } from "../exit-codes.js";
import { live } from "../locks/live.js";
import { history, list, show } from "../locks/looking.js";
import { breakLock, resizeLock, type StepInOptions, transferLock } from "../locks/stepping-in.js";
import { nearest } from "../suggestions.js";
import { durationOf } from "../wait-options.js";

interface LocksOptions {
  readonly prefix?: string;
  readonly session?: string;
  readonly contended?: boolean;
  readonly watch?: boolean;
  readonly max?: string;
  readonly token?: string;
  readonly grace?: string;
  readonly reason?: string;
}

interface Verb {
  /** What comes after the verb. */
  readonly operands: readonly string[];
  readonly options: readonly (keyof LocksOptions)[];
  readonly run: (call: Call, operands: readonly string[]) => Promise<ExitCode>;
}

const verbs: { readonly [verb: string]: Verb } = {
  show: { operands: ["NAME"], options: [], run: (call, [name = ""]) => show(call, name) },
  history: { operands: ["NAME"], options: ["max"], run: (call, [name = ""]) => history(call, name, maxOf(call)) },
  break: {
    operands: ["NAME"],
    options: ["token", "grace", "reason"],
    run: (call, [name = ""]) => breakLock(call, name, stepInOptions(call)),
  },
  transfer: {
    operands: ["NAME", "SESSION"],
    options: ["token", "reason"],
    run: (call, [name = "", to = ""]) => transferLock(call, { name, to, options: stepInOptions(call) }),
  },
  resize: {
    operands: ["NAME", "SLOTS"],
    options: [],
    run: (call, [name = "", slots = ""]) => resizeLock(call, name, slots),
  },
};
const listOptions: readonly (keyof LocksOptions)[] = ["prefix", "session", "contended", "watch"];

export const locks: Command = {
  prints: true,
  define(parser) {
    const names = Object.entries(verbs).map(([verb, { operands }]) => `holdfast locks ${verb} ${operands.join(" ")}`);
    parser
      .usage(["[options]", ...names].join("\n       "))
      .argument("[words...]")
      .optionsGroup("Which:")
      .option("--prefix <prefix>", "only names that begin so")
      .option("--contended", "only names that somebody waits for")
      .option("--session <id>", "only names that this session holds or waits for")
      .option("--watch", "go on: the table as it changes; events as lines when piped or with --json")
      .optionsGroup("With break, transfer and history:")
      .option("--grace <time>", "break: so long the holder has to give it back itself (default: none)")
      .option("--reason <text>", "break, transfer: why; the holder is told")
      .option("--token <token>", "break, transfer: only the holder with this token")
      .option("--max <count>", "history: so many of the latest events")
      .addHelpText(
        "after",
        "\n`show NAME` ends with 0 when the lock is held and with 1 when it is free. `break` takes a lock from its holders;\n" +
          "their fenced writes are refused from then on. `transfer` hands it to one that waits (its session as `show` tells\n" +
          "it, the first digits are enough, or its process number). `resize` changes how many slots a name has.\n" +
          '\n  holdfast locks break deploy/prod --grace 30s --reason "rollback"',
      );
  },

  async run(call) {
    const [word, ...operands] = call.operands;
    if (word === undefined) return look(call);
    const verb = Object.hasOwn(verbs, word) ? verbs[word] : undefined;
    if (verb === undefined) return call.misused(unknownVerb(word));
    const { operands: wanted, options } = verb;
    if (operands.length !== wanted.length)
      call.misused(`locks ${word} wants ${wanted.join(" and ")}: holdfast locks ${word} ${wanted.join(" ")}`);
    refuseOthers(call, `locks ${word}`, options);
    return verb.run(call, operands);
  },
};

function unknownVerb(word: string): string {
  const known = Object.keys(verbs);
  const meant = nearest(word, known);
  return `locks knows ${known.join(", ")}, not "${word}"${meant === undefined ? "" : `; did you mean "${meant}"?`}`;
}

function look(call: Call): Promise<ExitCode> {
  refuseOthers(call, "locks without a verb", listOptions);
  const { prefix, session, contended, watch } = optionsOf<LocksOptions>(call);
  if (session !== undefined && !/^[0-9a-f]{32}$/.test(session))
    call.misused(`"${session}" is not a session's id: 32 digits and letters, as \`holdfast locks show\` tells it`);
  const filter: LockFilter = { prefix, session, ...(contended === true ? { contended } : {}) };
  return watch === true ? live(call, filter) : list(call, filter);
}

/** An option that says nothing here was meant for something: better said than passed over. */
function refuseOthers(call: Call, what: string, taken: readonly (keyof LocksOptions)[]): void {
  const all = [...listOptions, "max", "token", "grace", "reason"] as const;
  const other = all.find((one) => call.options[one] !== undefined && !taken.includes(one));
  if (other !== undefined) call.misused(`${what} does not take --${other}`);
}

function stepInOptions(call: Call): StepInOptions {
  const { token, grace, reason } = optionsOf<LocksOptions>(call);
  if (token !== undefined && !/^[1-9]\d{0,15}$/.test(token)) call.misused(`"${token}" is not a token`);
  return {
    token: token === undefined ? undefined : Number(token),
    graceMs: grace === undefined ? undefined : durationOf(call, grace),
    reason,
  };
}

function maxOf(call: Call): number | undefined {
  const { max } = optionsOf<LocksOptions>(call);
  if (max !== undefined && !/^[1-9]\d{0,8}$/.test(max)) call.misused(`"${max}" is not a number of events from 1`);
  return max === undefined ? undefined : Number(max);
}
