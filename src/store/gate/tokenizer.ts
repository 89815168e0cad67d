/**
 * SQL text to tokens, exactly as SQLite cuts them. What the gate sees must be what SQLite will see: a comment that one
 * of the two takes for code is a way past every rule.
 *
 * The rules are those of https://sqlite.org/lang_keywords.html, lang_comment.html, lang_expr.html (literal values,
 * parameters) and of SQLite's own tokenizer where the pages are silent. Stricter than SQLite in three points, where a
 * mistake is more likely than an intention: a comment must end, `#name` is no parameter, and there is no NUL, no
 * surrogate without its partner.
 */
import { isRefusal, isWellFormed } from "../../terms/index.js";
import {
  isDigit,
  isNameUnit,
  pastBlob,
  pastBlock,
  pastBracket,
  pastLetters,
  pastLine,
  pastName,
  pastNumber,
  pastOperator,
  pastQuotation,
  pastSpaces,
  pastVariable,
} from "./lexeme.js";
import { type GateRefusal, refuseAt, shortened } from "./refusal.js";

/**
 * - `word`: letters and underscores only; may be a keyword. `name`: an unquoted identifier that no keyword can be.
 * - `quoted`: an identifier in "", `` or []. `string`: a text in '', which SQLite takes for a name where it needs one.
 * - The marks `(`, `)`, `,`, `.` and `;` are kinds of their own; all other marks are `operator`.
 */
const codes = {
  space: 0,
  comment: 1,
  word: 2,
  name: 3,
  quoted: 4,
  string: 5,
  blob: 6,
  number: 7,
  variable: 8,
  operator: 9,
  "(": 10,
  ")": 11,
  ",": 12,
  ".": 13,
  ";": 14,
} as const;

export type TokenKind = keyof typeof codes;
type Code = (typeof codes)[TokenKind];

const kinds = Object.keys(codes) as readonly TokenKind[];

export interface Token {
  readonly kind: TokenKind;
  /** UTF-16 offset of the first unit. */
  readonly start: number;
  /** UTF-16 offset behind the last unit. */
  readonly end: number;
}

/**
 * The tokens of a text, one small integer each: where it starts, times 16, and what it is. Where it ends is found again
 * when somebody asks. A text of a megabyte may have a million tokens, and it is read by the front's only thread:
 * measured with "1,1,1,…", 50 ms as integers, 120 ms as columns of kind, start and end (2 cores, Node 20, 2026-11-23).
 */
export class TokenTable {
  readonly #sql: string;
  readonly #packed: readonly number[];

  constructor(sql: string, packed: readonly number[]) {
    this.#sql = sql;
    this.#packed = packed;
  }

  get length(): number {
    return this.#packed.length;
  }

  kind(index: number): TokenKind | undefined {
    const packed = this.#packed[index];
    return packed === undefined ? undefined : kinds[packed & 15];
  }

  start(index: number): number {
    return (this.#packed[index] ?? 0) >>> 4;
  }

  end(index: number): number {
    const packed = this.#packed[index] ?? 0;
    return endOf(this.#sql, packed >>> 4, (packed & 15) as Code);
  }
}

/** All tokens: each begins where the one before it ends, the first at 0, the last ends with the text. */
export function tokenize(sql: string): readonly Token[] | GateRefusal {
  const table = cutAll(sql, true);
  if (isRefusal(table)) return table;
  return Array.from({ length: table.length }, (_, i) => {
    return { kind: table.kind(i) ?? "space", start: table.start(i), end: table.end(i) };
  });
}

/** The tokens that mean something: without spaces and comments. */
export function significantTokens(sql: string): TokenTable | GateRefusal {
  return cutAll(sql, false);
}

/** A longer text could not be packed. */
const unitsMax = 2 ** 26;

function cutAll(sql: string, all: boolean): TokenTable | GateRefusal {
  if (sql.length > unitsMax) throw new RangeError(`a text of ${sql.length} units is more than the gate can take`);
  const fault = textFault(sql);
  if (fault !== undefined) return fault;
  const packed: number[] = [];
  for (let start = 0; start < sql.length; ) {
    let code = codeAt(sql, start);
    let end = endOf(sql, start, code);
    if (end < 0) return refuseToken(sql, start, -end);
    if (code === codes.word && isNameUnit(sql.charCodeAt(end))) {
      code = codes.name;
      end = pastName(sql, end);
    }
    if (all || code > codes.comment) packed.push((start << 4) | code);
    start = end;
  }
  return new TokenTable(sql, packed);
}

/** SQLite ends a text at its first NUL and stores half a surrogate pair as bytes that are not UTF-8. */
function textFault(sql: string): GateRefusal | undefined {
  const nul = sql.indexOf("\0");
  if (nul >= 0) return refuseAt("SQL_INVALID_TEXT", "the SQL text contains a NUL character", nul, 1);
  if (!/[\ud800-\udfff]/.test(sql) || isWellFormed(sql)) return undefined;
  const lone = sql.search(/[\ud800-\udfff]/u);
  return refuseAt("SQL_INVALID_TEXT", "the SQL text contains a surrogate without its partner", lone, 1);
}

/** What a token is, by its first unit and where that does not tell, by its second. A `word` may turn out to be a `name`. */
function codeAt(sql: string, at: number): Code {
  const unit = sql.charCodeAt(at);
  if (unit >= 0x80) return unit === byteOrderMark ? codes.space : codes.name;
  const code = codeByUnit[unit] ?? codes.operator;
  switch (code) {
    case codes.word:
      return sql.charCodeAt(at + 1) === apostrophe && (unit | 0x20) === 0x78 ? codes.blob : codes.word;
    case codes["."]:
      return isDigit(sql.charCodeAt(at + 1)) ? codes.number : code;
    case codes.operator:
      return sql.startsWith("--", at) || sql.startsWith("/*", at) ? codes.comment : code;
    default:
      return code;
  }
}

/** Where the token ends, or the negative of where the stretch ends that cannot be one. */
function endOf(sql: string, at: number, code: Code): number {
  switch (code) {
    case codes.space:
      return sql.charCodeAt(at) === byteOrderMark ? at + 1 : pastSpaces(sql, at + 1);
    case codes.word:
      return pastLetters(sql, at + 1);
    case codes.name:
      return pastName(sql, at + 1);
    case codes.number:
      return pastNumber(sql, at);
    case codes.variable:
      return pastVariable(sql, at);
    case codes.string:
      return pastQuotation(sql, at);
    case codes.quoted:
      return sql[at] === "[" ? pastBracket(sql, at) : pastQuotation(sql, at);
    case codes.blob:
      return pastBlob(sql, at);
    case codes.comment:
      return sql[at] === "-" ? pastLine(sql, at) : pastBlock(sql, at);
    case codes.operator:
      return pastOperator(sql, at);
    default:
      return at + 1;
  }
}

const apostrophe = 0x27;
/** U+FEFF is a space where a token begins and a letter inside a name. */
const byteOrderMark = 0xfeff;

/** The code of most tokens by their first unit. */
const codeByUnit: readonly Code[] = codeTable();

function codeTable(): Code[] {
  const table: Code[] = new Array(0x80).fill(codes.operator);
  const enter = (units: string, kind: TokenKind) => {
    for (const unit of units) table[unit.charCodeAt(0)] = codes[kind];
  };
  // A vertical tab may follow another space, but not begin one.
  enter(" \t\n\f\r", "space");
  enter("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_", "word");
  enter("0123456789", "number");
  enter("?:@$", "variable");
  enter('"`[', "quoted");
  enter("'", "string");
  for (const mark of ["(", ")", ",", ".", ";"] as const) enter(mark, mark);
  return table;
}

function refuseToken(sql: string, start: number, end: number): GateRefusal {
  return refuseAt("SQL_INVALID_TEXT", tokenFault(sql, start, end), start, end - start);
}

function tokenFault(sql: string, start: number, end: number): string {
  const shown = shortened(sql.slice(start, end));
  switch (kinds[codeAt(sql, start)]) {
    case "string":
      return "the text that begins with ' here does not end";
    case "quoted":
      return `the name that begins with ${sql[start]} here does not end`;
    case "comment":
      return "the comment that begins with /* here does not end";
    case "blob":
      return "a blob is x'…' with two hexadecimal digits a byte";
    case "number":
      return `${shown} is neither a number nor a name`;
    case "variable":
      return end === start + 1
        ? `${shown} must be followed by the name of a parameter`
        : `${shown} is not the name of a parameter`;
    default:
      return `the character ${JSON.stringify(shown)} has no meaning here`;
  }
}
