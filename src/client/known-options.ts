/** Options by their names: one that is not there is a word written wrong, and without a look at it would silently do nothing. */
import { HoldfastError } from "../terms/index.js";

/** Every name of the options, and no other: the compiler sees to it. */
export type KnownOptions<Options> = { readonly [Name in keyof Required<Options>]: true };

/**
 * Looks at the names only.
 *
 * @param of what takes them, for the message
 * @throws MISUSE with the name that is not known, and those that are
 */
export function checkOptions<Options extends object>(of: string, options: Options, known: KnownOptions<Options>): void {
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(known, name)) continue;
    const message = `${of} has no option ${JSON.stringify(name)}; it has ${Object.keys(known).join(", ")}`;
    throw new HoldfastError("MISUSE", message, { details: { option: name } });
  }
}
