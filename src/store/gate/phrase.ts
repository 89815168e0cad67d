/**
 * The words of one statement, to be asked by their place in it: "is the second word TABLE", "which name stands there".
 * A place behind the end is allowed everywhere and is nothing.
 */
import { type GateCode, type GateRefusal, refuseAt, shortened } from "./refusal.js";
import type { TokenKind, TokenTable } from "./tokenizer.js";

export class Phrase {
  readonly sql: string;
  /** How many tokens the statement has; places run from 0 to one less. */
  readonly length: number;
  /** The tokens of the whole text, of which this statement has those from `#from`. */
  readonly #tokens: TokenTable;
  readonly #from: number;

  constructor(sql: string, tokens: TokenTable, from: number, to: number) {
    this.sql = sql;
    this.length = to - from;
    this.#tokens = tokens;
    this.#from = from;
  }

  kind(place: number): TokenKind | undefined {
    return place >= 0 && place < this.length ? this.#tokens.kind(this.#from + place) : undefined;
  }

  /** UTF-16 offset of the first unit of the token there; behind the last one, the end of the statement. */
  startAt(place: number): number {
    return place < this.length ? this.#tokens.start(this.#from + place) : this.end;
  }

  /** UTF-16 offset behind the last unit of the token there. */
  endAt(place: number): number {
    return place < this.length ? this.#tokens.end(this.#from + place) : this.end;
  }

  /** The token as it is written. */
  text(place: number): string {
    return this.sql.slice(this.startAt(place), this.endAt(place));
  }

  /** `keyword` in upper case. Quoted words are names, never keywords. */
  isWord(place: number, keyword: string): boolean {
    if (this.kind(place) !== "word") return false;
    const start = this.startAt(place);
    return this.endAt(place) - start === keyword.length && this.#spells(start, keyword);
  }

  /** The word in upper case, or "" where there is none. Only ASCII letters are folded, as SQLite does. */
  word(place: number): string {
    return this.kind(place) === "word" ? this.text(place).toUpperCase() : "";
  }

  /** The name that stands there, without its quotes; SQLite reads '…' as a name too where it needs one. */
  name(place: number): string | undefined {
    switch (this.kind(place)) {
      case "word":
      case "name":
        return this.text(place);
      case "quoted":
      case "string":
        return unquoted(this.text(place));
      default:
        return undefined;
    }
  }

  /** Whether `name` would give one. */
  isName(place: number): boolean {
    const kind = this.kind(place);
    return kind === "word" || kind === "name" || kind === "quoted" || kind === "string";
  }

  isMark(place: number, mark: string): boolean {
    return this.kind(place) !== undefined && this.text(place) === mark;
  }

  /** From a `(` to the place behind its `)`, or undefined if it is not closed in this statement. */
  pastGroup(place: number): number | undefined {
    let depth = 0;
    for (let i = place; i < this.length; i++) {
      const kind = this.kind(i);
      if (kind === "(") depth++;
      else if (kind === ")" && --depth === 0) return i + 1;
      if (depth === 0) return undefined;
    }
    return undefined;
  }

  /** The token as it is written, for a message. */
  shown(place: number): string {
    return place < this.length ? shortened(this.text(place)) : "the end of the statement";
  }

  refuse(place: number, code: GateCode, message: string): GateRefusal {
    const start = this.startAt(place);
    return refuseAt(code, message, start, this.endAt(place) - start);
  }

  /** UTF-16 offset of the statement's first unit. */
  get start(): number {
    return this.#tokens.start(this.#from);
  }

  /** UTF-16 offset behind the statement's last unit. */
  get end(): number {
    return this.#tokens.end(this.#from + this.length - 1);
  }

  #spells(start: number, keyword: string): boolean {
    for (let i = 0; i < keyword.length; i++) {
      // A word has letters and underscores only, so clearing this bit is all there is to upper case.
      if ((this.sql.charCodeAt(start + i) & ~0x20) !== keyword.charCodeAt(i)) return false;
    }
    return true;
  }
}

function unquoted(text: string): string {
  const quote = text.charAt(0);
  const inside = text.slice(1, -1);
  return quote === "[" ? inside : inside.replaceAll(quote + quote, quote);
}

/** Lower case of the ASCII letters alone: what SQLite takes for the same name. `toLowerCase` would fold `K` (Kelvin) too. */
export function folded(name: string): string {
  return name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}
