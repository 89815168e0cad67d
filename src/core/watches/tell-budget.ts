/**
 * How much those who watch are told in one turn of the broker, so that one who watches the same a thousand times does not
 * keep everybody waiting while it is written to him, nor fill the memory. A little is told to each connection always;
 * more, as long as it is not too much for one, nor what all are told beyond their little.
 */
import type { ConnectionId } from "../../terms/index.js";

export interface TellBudgetLimits {
  readonly alwaysMax: number;
  readonly eachMax: number;
  readonly allMax: number;
}

export class TellBudget {
  readonly #limits: TellBudgetLimits;
  readonly #told = new Map<ConnectionId, number>();
  #beyond = 0;

  constructor(limits: TellBudgetLimits) {
    this.#limits = limits;
  }

  /** Whether this connection may be told so much more in this turn; then it counts as told. */
  takes(connection: ConnectionId, amount: number): boolean {
    const { alwaysMax, eachMax, allMax } = this.#limits;
    const told = (this.#told.get(connection) ?? 0) + amount;
    if (told > alwaysMax) {
      if (told > eachMax || this.#beyond + amount > allMax) return false;
      this.#beyond += amount;
    }
    this.#told.set(connection, told);
    return true;
  }

  turnEnded(): void {
    if (this.#told.size > 0) this.#told.clear();
    this.#beyond = 0;
  }
}
