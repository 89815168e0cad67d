/** How text from elsewhere is put on a terminal: how wide it is, and made harmless. */

const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f680}-\u{1f6ff}\u{1f900}-\u{1f9ff}\u{20000}-\u{3fffd}]/u;
const invisible = /[\p{Mn}\p{Me}\p{Cf}]/u;

/** Columns of a terminal: East Asian wide signs and pictures take two, marks that combine take none. */
export function widthOf(text: string): number {
  let width = 0;
  for (const sign of text) width += widthOfSign(sign);
  return width;
}

function widthOfSign(sign: string): number {
  const code = sign.codePointAt(0) ?? 0;
  if (code < 0x300) return 1;
  if (invisible.test(sign)) return 0;
  return wide.test(sign) ? 2 : 1;
}

export function padEnd(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - widthOf(text)));
}

/** Shortened to the width, the cut shown by an ellipsis. */
export function cut(text: string, widthMax: number): string {
  if (widthOf(text) <= widthMax) return text;
  let kept = "";
  let width = 1;
  for (const sign of text) {
    width += widthOfSign(sign);
    if (width > widthMax) break;
    kept += sign;
  }
  return `${kept}…`;
}

/** As `cut`, of a line with colours: they take no place. */
export function cutPainted(text: string, widthMax: number): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a colour begins with one
  const parts = text.split(/(\u001b\[\d+m)/);
  const isColour = (at: number) => at % 2 === 1;
  let left = widthMax;
  if (widthOf(parts.filter((_, at) => !isColour(at)).join("")) <= left) return text;
  let kept = "";
  for (const [at, part] of parts.entries()) {
    // Those behind the cut too: they end what was begun before it.
    if (isColour(at)) kept += part;
    else if (left > 0) {
      kept += widthOf(part) < left ? part : cut(`${part}…`, left);
      left -= widthOf(part);
    }
  }
  return kept;
}

const named: { readonly [sign: string]: string } = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0" };

/**
 * Control characters as what a programmer would type for them: a value must not move the cursor or recolour the screen,
 * nor a name change the direction in which the line reads.
 */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, (sign) => {
    const code = sign.charCodeAt(0);
    return named[sign] ?? (code < 0x100 ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`);
  });
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, "0");
}
