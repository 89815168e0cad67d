/** A statement as a template. JavaScript reads it as any other text: `\n` is a line break, `\\` is a backslash. */
import { HoldfastError } from "../terms/index.js";

/** Each template of the program is one object, however often it is run. */
const texts = new WeakMap<TemplateStringsArray, string>();

/**
 * Its text, with a `?` for each value. Throws MISUSE for a piece that JavaScript cannot read, which would be missing in
 * the statement.
 */
export function templateText(strings: TemplateStringsArray): string {
  const known = texts.get(strings);
  if (known !== undefined) return known;
  const unread = (strings as readonly (string | undefined)[]).indexOf(undefined);
  if (unread >= 0) {
    const piece = strings.raw[unread];
    const message = `the statement has an escape that JavaScript does not know: ${piece} (a backslash is written as \\\\)`;
    throw new HoldfastError("MISUSE", message, { details: { piece } });
  }
  const text = strings.join("?");
  texts.set(strings, text);
  return text;
}
