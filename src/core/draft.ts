/**
 * The turn while it is being made: the three lists that every machine appends to, and that the core hands out once.
 */
import type { Job, LedgerEntry, Letter, Turn } from "./turn.js";

export class Draft {
  ledger: LedgerEntry[] = [];
  dispatch: Job[] = [];
  send: Letter[] = [];

  get empty(): boolean {
    return this.ledger.length === 0 && this.dispatch.length === 0 && this.send.length === 0;
  }

  take(): Turn {
    const turn: Turn = { ledger: this.ledger, dispatch: this.dispatch, send: this.send };
    this.ledger = [];
    this.dispatch = [];
    this.send = [];
    return turn;
  }
}
