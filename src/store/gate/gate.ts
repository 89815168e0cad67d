/**
 * The gate as the front keeps it: texts come again and again, so what was found is kept by text.
 *
 * Two generations of texts: what is asked for moves to the younger one, and when that is full the older one is dropped
 * as a whole. It forgets what has not been asked for lately, as an LRU list does, at the cost of one look-up.
 */
import { isRefusal } from "../../terms/index.js";
import { inspectText } from "./inspect.js";
import { admit, type Permissions } from "./permission.js";
import type { GateRefusal } from "./refusal.js";
import type { Admitted } from "./statement.js";

export interface GateOptions {
  /** How many texts are kept at most. From 2. */
  readonly textsMax: number;
  /** A longer text is inspected anew each time, in UTF-16 units; so at most `textsMax` times this is kept. */
  readonly textUnitsMax?: number;
  /** A longer text is refused with SQL_TOO_LONG; bytes of UTF-8. */
  readonly sqlBytesMax?: number;
}

const noPermissions: Permissions = {};

export class Gate {
  readonly #generationMax: number;
  readonly #textUnitsMax: number;
  readonly #sqlBytesMax: number | undefined;
  #young = new Map<string, Admitted | GateRefusal>();
  #old = new Map<string, Admitted | GateRefusal>();

  constructor({ textsMax, textUnitsMax = 8192, sqlBytesMax }: GateOptions) {
    if (!Number.isSafeInteger(textsMax) || textsMax < 2)
      throw new RangeError(`textsMax must be a whole number from 2, not ${textsMax}`);
    this.#generationMax = Math.floor(textsMax / 2);
    this.#textUnitsMax = textUnitsMax;
    this.#sqlBytesMax = sqlBytesMax;
  }

  /** What the one statement of this text is, or why it is refused here. */
  inspect(sql: string, permissions: Permissions = noPermissions): Admitted | GateRefusal {
    const found = this.#young.get(sql) ?? this.#find(sql);
    return isRefusal(found) ? found : admit(found, permissions);
  }

  /** How many texts are kept now. */
  get texts(): number {
    return this.#young.size + this.#old.size;
  }

  #find(sql: string): Admitted | GateRefusal {
    const known = this.#old.get(sql);
    const found = known ?? inspectText(sql, this.#sqlBytesMax);
    if (known !== undefined) this.#old.delete(sql);
    if (sql.length <= this.#textUnitsMax) this.#keep(sql, found);
    return found;
  }

  #keep(sql: string, found: Admitted | GateRefusal): void {
    if (this.#young.size >= this.#generationMax) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(sql, found);
  }
}
