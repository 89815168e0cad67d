/**
 * The SQL texts of one batch. Everybody waits while they are judged, so that must not cost more than the longest single
 * statement does: each different text is judged once and counts once, and together they are no longer than one may be.
 */
import { createHash } from "node:crypto";
import { isRefusal, type Refusal, refuse, utf8Length } from "../../terms/index.js";
import type { Statement } from "../gate/index.js";

/**
 * A longer text is known by its SHA-256, in UTF-16 units: V8 makes the hash of one over 16,383 of nothing but its length,
 * and many of one length would each be compared with all others. What is let in never reads as such a digest does.
 */
const directUnitsMax = 8192;

export class BatchTexts {
  readonly #bytesMax: number;
  readonly #judge: (sql: string) => Statement | Refusal;
  readonly #judged = new Map<string, Statement>();
  #bytes = 0;

  /** `bytesMax`: of all different texts, in UTF-8. */
  constructor(bytesMax: number, judge: (sql: string) => Statement | Refusal) {
    this.#bytesMax = bytesMax;
    this.#judge = judge;
  }

  /** The statement of the next text, or why it is refused; after a refusal the batch is not gone on with. */
  next(sql: string): Statement | Refusal {
    const mark = sql.length <= directUnitsMax ? sql : createHash("sha256").update(sql).digest("hex");
    const known = this.#judged.get(mark);
    if (known !== undefined) return known;
    this.#bytes += utf8Length(sql);
    if (this.#bytes > this.#bytesMax) return tooLong(this.#bytes, this.#bytesMax);
    const found = this.#judge(sql);
    if (!isRefusal(found)) this.#judged.set(mark, found);
    return found;
  }
}

function tooLong(bytes: number, bytesMax: number): Refusal {
  const message = `the different SQL texts of the batch have ${bytes} bytes up to here, at most ${bytesMax} are allowed together; pass values as parameters, or split it`;
  return refuse("SQL_TOO_LONG", message, { limit: "sqlBytesMax" });
}
