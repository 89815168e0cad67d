/** The words of a dot command: apart by spaces; '…' and "…" hold a word together, in "…" a backslash keeps its next sign. */

/** Throws a RangeError when a quote does not end. */
export function dotWords(line: string): string[] {
  const words: string[] = [];
  const word = /\s*(?:'([^']*)'|"((?:[^"\\]|\\[\s\S])*)"|([^\s'"]\S*))/uy;
  const text = line.trimEnd();
  while (word.lastIndex < text.length) {
    const at = word.lastIndex;
    const found = word.exec(text);
    if (found === null) throw new RangeError(`the quote in ${text.slice(at).trim()} does not end`);
    const [, single, double, plain] = found;
    words.push(single ?? double?.replace(/\\([\s\S])/g, "$1") ?? plain ?? "");
  }
  return words;
}
