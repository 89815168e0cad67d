/**
 * How far a word, a number, a text reaches in SQL: one function for each form, from where it begins to where it ends.
 * An answer below zero says that the form is broken; its negative is where the broken stretch ends.
 */

/** Spaces, tabs, line ends, form feeds; a vertical tab as well, though it may not begin them. */
export function pastSpaces(sql: string, from: number): number {
  let end = from;
  for (;;) {
    const unit = sql.charCodeAt(end);
    if (unit !== 0x20 && !(unit >= 0x09 && unit <= 0x0d)) return end;
    end++;
  }
}

/** What a keyword may be made of. */
export function pastLetters(sql: string, from: number): number {
  let end = from;
  for (;;) {
    const unit = sql.charCodeAt(end);
    if (!isLetter(unit) && unit !== underscore) return end;
    end++;
  }
}

export function pastName(sql: string, from: number): number {
  let end = from;
  while (isNameUnit(sql.charCodeAt(end))) end++;
  return end;
}

function pastDigits(sql: string, from: number): number {
  let end = from;
  while (isDigit(sql.charCodeAt(end))) end++;
  return end;
}

/** Digits with `_` between them. Where exactly it may stand, SQLite's parser judges. */
function pastDigitGroups(sql: string, from: number): number {
  let end = from;
  for (;;) {
    const unit = sql.charCodeAt(end);
    if (!isDigit(unit) && unit !== underscore) return end;
    end++;
  }
}

/** 12, 1_000, 0x1F, 1.5, .5, 2e-3. A letter behind it makes it nothing. */
export function pastNumber(sql: string, at: number): number {
  const end = beginsHex(sql, at) ? pastHexDigits(sql, at + 3) : pastDecimal(sql, at);
  return isNameUnit(sql.charCodeAt(end)) ? -pastName(sql, end) : end;
}

function beginsHex(sql: string, at: number): boolean {
  if (sql.charCodeAt(at) !== 0x30 || !isHexDigit(sql.charCodeAt(at + 2))) return false;
  return sql[at + 1] === "x" || sql[at + 1] === "X";
}

function pastHexDigits(sql: string, from: number): number {
  let end = from;
  while (isHexDigit(sql.charCodeAt(end)) || sql.charCodeAt(end) === underscore) end++;
  return end;
}

function pastDecimal(sql: string, at: number): number {
  let end = pastDigitGroups(sql, at);
  if (sql[end] === ".") end = pastDigitGroups(sql, end + 1);
  if (sql[end] !== "e" && sql[end] !== "E") return end;
  const digits = sql[end + 1] === "+" || sql[end + 1] === "-" ? end + 2 : end + 1;
  return isDigit(sql.charCodeAt(digits)) ? pastDigitGroups(sql, digits) : end;
}

/** `?`, `?12`, `:name`. better-sqlite3 is built with SQLITE_OMIT_TCL_VARIABLE, so there is no `$a::b` and no `$a(…)`. */
export function pastVariable(sql: string, at: number): number {
  if (sql[at] === "?") return pastDigits(sql, at + 1);
  const end = pastName(sql, at + 1);
  if (end === at + 1) return -end;
  // Another build would read on here. Neither reading is let through.
  return sql[end] === "(" || (sql[end] === ":" && sql[end + 1] === ":") ? -(end + 1) : end;
}

/** The quote itself is written twice inside. */
export function pastQuotation(sql: string, at: number): number {
  const quote = sql.charAt(at);
  for (let from = at + 1; ; ) {
    const close = sql.indexOf(quote, from);
    if (close < 0) return -sql.length;
    if (sql[close + 1] !== quote) return close + 1;
    from = close + 2;
  }
}

export function pastBracket(sql: string, at: number): number {
  const close = sql.indexOf("]", at + 1);
  return close < 0 ? -sql.length : close + 1;
}

export function pastBlob(sql: string, at: number): number {
  let end = at + 2;
  while (isHexDigit(sql.charCodeAt(end))) end++;
  return sql[end] === "'" && (end - at) % 2 === 0 ? end + 1 : -Math.min(end + 1, sql.length);
}

export function pastLine(sql: string, at: number): number {
  const newline = sql.indexOf("\n", at + 2);
  return newline < 0 ? sql.length : newline;
}

export function pastBlock(sql: string, at: number): number {
  const close = sql.indexOf("*/", at + 2);
  return close < 0 ? -sql.length : close + 2;
}

export function pastOperator(sql: string, at: number): number {
  const one = sql.charAt(at);
  const next = sql.charAt(at + 1);
  if (one === "-" && next === ">") return sql[at + 2] === ">" ? at + 3 : at + 2;
  // All other pairs end in one of these.
  if ("=<>|".includes(next) && operatorPairs.has(one + next)) return at + 2;
  return "=<>+-*/%&|~".includes(one) ? at + 1 : -(at + 1);
}

const operatorPairs: ReadonlySet<string> = new Set(["==", "!=", "<>", "<=", ">=", "<<", ">>", "||"]);

const underscore = 0x5f;

export function isDigit(unit: number): boolean {
  return unit >= 0x30 && unit <= 0x39;
}

function isLetter(unit: number): boolean {
  return (unit >= 0x61 && unit <= 0x7a) || (unit >= 0x41 && unit <= 0x5a);
}

function isHexDigit(unit: number): boolean {
  return isDigit(unit) || (unit >= 0x61 && unit <= 0x66) || (unit >= 0x41 && unit <= 0x46);
}

/** Letters, digits, `_`, `$`, and all that is not ASCII. False at the end of the text, where the unit is NaN. */
export function isNameUnit(unit: number): boolean {
  return isLetter(unit) || isDigit(unit) || unit === underscore || unit === 0x24 || unit >= 0x80;
}
