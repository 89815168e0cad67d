/**
 * Options by their names: one that is not there is a word written wrong, and without a look at it would silently do
 * nothing. Of values only those are looked at with which no request could say what is wrong.
 */
import { HoldfastError } from "../terms/index.js";

/** Every name of the options, and no other: the compiler sees to it. */
export type KnownOptions<Options> = { readonly [Name in keyof Required<Options>]: true };

/**
 * @param of what takes them, for the message
 * @throws MISUSE with the name that is not known, and those that are; for what is no object, and a signal that is none
 */
export function checkOptions<Options extends object>(of: string, options: Options, known: KnownOptions<Options>): void {
  if (typeof options !== "object" || options === null)
    throw new HoldfastError("MISUSE", `${of} takes an object, not ${JSON.stringify(options) ?? typeof options}`);
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(known, name)) {
      if (name === "signal") mustBeSignal(options);
      continue;
    }
    const message = `${of} has no option ${JSON.stringify(name)}; it has ${Object.keys(known).join(", ")}`;
    throw new HoldfastError("MISUSE", message, { details: { option: name } });
  }
}

/** By what it can do, and not by its class: one of another realm is a signal too. */
function mustBeSignal({ signal }: { readonly signal?: Partial<AbortSignal> | null | undefined }): void {
  if (signal === undefined) return;
  if (typeof signal?.addEventListener === "function" && typeof signal.throwIfAborted === "function") return;
  throw new HoldfastError("MISUSE", "signal must be an AbortSignal", { details: { option: "signal" } });
}
