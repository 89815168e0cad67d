/** Lines to what they mean together: a dot command, or statements as soon as the last of them is ended. */
import { isBlank, isWhole, lineBreaks } from "./statements.js";

export type Gathered =
  | { readonly kind: "dot"; readonly line: string; readonly at: number }
  /** `at`: the line on which the text begins, from 1. */
  | { readonly kind: "sql"; readonly text: string; readonly at: number };

export class Gatherer {
  #text = "";
  #begun = false;
  #lines = 0;

  /** What is not whole yet. */
  get pending(): string {
    return this.#text;
  }

  get begun(): boolean {
    return this.#begun;
  }

  /** Undefined: more is needed, or there was nothing in it. */
  add(line: string): Gathered | undefined {
    this.#lines++;
    if (!this.#begun && line.trimStart().startsWith(".")) return { kind: "dot", line: line.trim(), at: this.#lines };
    this.#text = this.#begun ? `${this.#text}\n${line}` : line;
    this.#begun = true;
    if (isBlank(this.#text)) this.drop();
    else if (line.includes(";") && isWhole(this.#text)) return this.rest();
    return undefined;
  }

  /** What is pending, as it is: the end of a file ends a statement too. */
  rest(): Gathered | undefined {
    if (!this.#begun) return undefined;
    const text = this.#text;
    this.drop();
    return { kind: "sql", text, at: this.#lines - lineBreaks(text) };
  }

  drop(): void {
    this.#text = "";
    this.#begun = false;
  }
}
