/**
 * Streams of rows that are open on the present connection. A stream dies with it: its rows came from one snapshot, and
 * there is no second one like it.
 *
 *   asked (a call in flight) ──answered──► open ──done, closed by the program, connection lost──► (none)
 *
 * The program hears of an open stream's end exactly once, unless it has closed it itself.
 */
import { type Refusal, refuse } from "../../terms/index.js";
import { readDone, readRows } from "./answers.js";
import type { Call } from "./call.js";
import type { Draft } from "./draft.js";
import type { State } from "./state.js";

interface Open {
  readonly call: Call;
  /** How many rows have arrived. */
  rows: number;
}

export class Streams {
  readonly #draft: Draft;
  readonly #open = new Map<number, Open>();
  #last = 0;
  #closed: Refusal | undefined;

  constructor(draft: Draft) {
    this.#draft = draft;
  }

  /** Never used twice, so that what is still on its way to a stream that is over finds none. */
  nextNumber(): number {
    return ++this.#last;
  }

  /** Comes after its answer: where nobody wants rows any more it is over at once. */
  opened(call: Call): void {
    this.#open.set(numberOf(call), { call, rows: 0 });
    if (this.#closed !== undefined) this.closeAll(this.#closed);
  }

  /** `bytes`: of the whole message. */
  heard(method: "db.rows" | "db.done", params: unknown, bytes: number): void {
    if (method === "db.done") this.#done(params);
    else this.#rows(params, bytes);
  }

  #rows(params: unknown, bytes: number): void {
    const arrived = readRows(params);
    const open = arrived && this.#open.get(arrived.stream);
    if (open === undefined || arrived === undefined) return;
    open.rows += arrived.rows.length;
    this.#draft.push({ kind: "rows", call: open.call, rows: arrived.rows, bytes });
  }

  #done(params: unknown): void {
    const done = readDone(params);
    const open = done && this.#open.get(done.stream);
    if (open === undefined || done === undefined) return;
    this.#open.delete(done.stream);
    const complete = done.refusal !== undefined || done.rows === open.rows;
    const message = `the stream had ${done.rows} rows, ${open.rows} of them have arrived`;
    this.#over(open, complete ? done.refusal : refuse("INTERNAL", message));
  }

  /** The program has done with so many bytes, or wants no more of it. */
  told(call: Call, credit: number | "closed"): void {
    const stream = numberOf(call);
    if (credit !== "closed") {
      if (this.#open.has(stream)) this.#draft.notify("db.credit", { stream, bytes: credit });
    } else if (this.#open.delete(stream)) this.#draft.notify("db.close", { stream });
  }

  /** The program wants none any more, also none that is still asked for. Told to the broker: what is in flight may wait for their processes. */
  closeAll(refusal: Refusal): void {
    this.#closed = refusal;
    for (const stream of this.#open.keys()) this.#draft.notify("db.close", { stream });
    this.endAll(refusal);
  }

  endAll(refusal: Refusal): void {
    const all = [...this.#open.values()];
    this.#open.clear();
    for (const open of all) this.#over(open, refusal);
  }

  connectionLost(): void {
    this.endAll(broken);
  }

  check(at: State["at"]): void {
    if (this.#open.size > 0 && at !== "open" && at !== "leaving")
      throw new Error(`${this.#open.size} streams are open while the conversation is ${at}`);
  }

  #over({ call }: Open, refusal: Refusal | undefined): void {
    this.#draft.push({ kind: "stream-done", call, refusal });
  }
}

const broken: Refusal = {
  ...refuse("CONNECTION_LOST", "the connection broke in the middle of a stream, whose snapshot is gone with it"),
  outcome: "none",
};

function numberOf({ params }: Call): number {
  return params.stream ?? 0;
}
