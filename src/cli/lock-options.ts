/** How a lock is wanted, as `lock` and `acquire` take it on the command line; who knows flock(1) knows the letters. */
import type { Command as Parser } from "commander";
import type { LockClaim, LockWish } from "../client/index.js";
import type { Call } from "./command.js";

export interface ModeOptions {
  readonly shared?: boolean;
  readonly exclusive?: boolean;
  readonly slots?: string;
  readonly take?: string;
  readonly also?: readonly string[];
}

const collect = (word: string, before: readonly string[] = []) => [...before, word];

export function withModeOptions(parser: Parser): Parser {
  return parser
    .option("-s, --shared", "together with others that share it, not with one that has it alone")
    .option("-x, --exclusive", "alone; this is what happens without -s and --slots")
    .option("--slots <n>", "as one of at most N: the name has so many slots from now on")
    .option("--take <k>", "take K of the slots instead of one")
    .option("--also <name>", "another lock at the same time, all or none: NAME, NAME=shared; more than once", collect)
    .addOption(parser.createOption("-e", "as -x").hideHelp());
}

/** How the first name is wanted, and the further ones. */
export interface ClaimWish extends LockWish {
  readonly also: readonly LockClaim[] | undefined;
}

export function claimWishOf(call: Call, options: ModeOptions): ClaimWish {
  const { shared, exclusive, also } = options;
  const slots = positive(call, "--slots", options.slots);
  const take = positive(call, "--take", options.take);
  if (shared === true && (exclusive === true || call.options["e"] === true)) call.misused("either -s or -x, not both");
  if (shared === true && (slots ?? take) !== undefined) call.misused("slots are not shared: either -s or --slots");
  if (exclusive === true && (slots ?? take) !== undefined) call.misused("either -x or --slots, not both");
  if (slots !== undefined && take !== undefined && take > slots)
    call.misused(`--take ${take} is more than --slots ${slots}: it could never be had`);
  return { mode: shared === true ? "shared" : undefined, slots, take, also: also?.map(furtherName) };
}

/** `NAME`, or `NAME=shared`; of a name that ends so itself, `NAME=shared=exclusive`. */
function furtherName(word: string): LockClaim {
  const [, name, mode] = /^(.+)=(shared|exclusive)$/s.exec(word) ?? [];
  return name === undefined ? { name: word } : { name, mode: mode === "shared" ? "shared" : undefined };
}

function positive(call: Call, option: string, word: string | undefined): number | undefined {
  if (word === undefined) return undefined;
  const value = Number(word);
  if (!/^\d+$/.test(word) || value < 1 || !Number.isSafeInteger(value))
    call.misused(`${option} wants a number from 1, not "${word}"`);
  return value;
}
