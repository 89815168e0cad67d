/**
 * A transaction of a program: what it asks for in it, one request after the other or several in one breath, and how it
 * ends it. What became of it decides what became of its statements: all of them, or none. All that is read in it is of
 * one moment.
 */
import { type Grant, Tie } from "../../src/client/conversation/index.js";
import { Ask, type Fence, ownKeyOf } from "./ask.js";
import type { Surroundings } from "./surroundings.js";

/** `deferred`: until it writes it only reads. */
export type TransactionMode = "write" | "deferred" | "read";

export interface TransactionWords {
  readonly mode: TransactionMode;
  readonly fences: readonly Fence[];
  /** The lock that it relies on, and that its commit gives back. */
  readonly gives: Grant | undefined;
  /** How long it may be open. */
  readonly timeoutMs: number | undefined;
}

const insertSql = "insert into happened values (?)";
const selectSql = "select what from happened where what = ?";

/** How often it asks for what, by what it is. */
const wishes = {
  write: { step: 80, read: 12, savepoint: 8, stream: 0 },
  deferred: { step: 30, read: 33, savepoint: 27, stream: 10 },
  read: { step: 3, read: 57, savepoint: 10, stream: 30 },
};

export class Transaction {
  /** No two transactions have the same number, of whatever session. */
  readonly tie: Tie;
  readonly mode: TransactionMode;
  readonly begin: Ask;
  /** What it writes. */
  readonly steps: Ask[] = [];
  /** Its commit, once it was asked for. */
  commit: Ask | undefined;
  /** With this its program ends it, and asks nothing more of it. */
  ending: Ask | undefined;
  /** How many writes are there for whatever it reads; absent until it was told. */
  shows: number | undefined;
  readonly #words: TransactionWords;
  /** The last stream from its snapshot. */
  #stream: Ask | undefined;
  /** The savepoint that it sets, or has set, and not ended. */
  #savepoint: Ask | undefined;

  /** `behind`: writes of its program that have no answer. */
  constructor(number: number, words: TransactionWords, behind: readonly Ask[]) {
    this.mode = words.mode;
    this.tie = new Tie(number);
    this.#words = words;
    const { mode, fences, timeoutMs } = words;
    const params = {
      ...{ tx: number, mode },
      ...(fences.length === 0 ? {} : { fence: fences }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    };
    this.begin = new Ask("begin", "tx.begin", params, { tie: this.tie, behind });
  }

  get over(): boolean {
    return this.ending !== undefined;
  }

  /** What its commit does, as it is written in the store. */
  get what(): string {
    return committing(this.tie.number);
  }

  /** It may have been committed without anything to write. */
  get mayBeEmpty(): boolean {
    return this.mode !== "write" && this.steps.every(({ outcome }) => outcome !== "done");
  }

  /** There is nothing that its commit could write. */
  get isEmpty(): boolean {
    return this.mode !== "write" && this.steps.every(({ outcome }) => outcome === "none");
  }

  /** What it asks for next. */
  next(around: Surroundings): Ask {
    switch (around.weather.random.weighted(wishes[this.mode])) {
      case "step":
        return this.#write(around);
      case "read":
        return this.#read(around);
      case "savepoint":
        return this.#savepoints(around);
      case "stream":
        return this.#mayStream ? this.#streams(around) : this.#read(around);
    }
  }

  /** `mayGiveBack`: the program does not need the lock any more. */
  end({ weather: { random } }: Surroundings, mayGiveBack: boolean): Ask {
    if (random.chance(0.2)) return this.rollBack();
    this.ending = this.#commits(mayGiveBack, random.chance(0.5));
    return this.ending;
  }

  rollBack(): Ask {
    this.ending = new Ask("rollback", "tx.rollback", { tx: this.tie.number }, { tie: this.tie });
    return this.ending;
  }

  #commits(mayGiveBack: boolean, underOwnKey: boolean): Ask {
    const { tie, what } = this;
    const { fences, gives } = this.#words;
    // As the library has it: of what was read nothing can be in doubt.
    if (this.mode === "read") return new Ask("rollback", "tx.commit", { tx: tie.number }, { tie });
    const isHeld = gives?.state === "held" && fences.some(({ token }) => token === gives.token);
    const release = mayGiveBack && isHeld;
    const params = {
      tx: tie.number,
      ...(release ? { release: fences } : {}),
      ...(underOwnKey ? { key: ownKeyOf(what) } : {}),
    };
    const more = { what, tie, fences, gives: release ? [gives] : [] };
    this.commit = new Ask(underOwnKey ? "named" : "write", "tx.commit", params, more);
    return this.commit;
  }

  #write(around: Surroundings): Ask {
    const step = this.#statement(insertSql, "t", around);
    this.steps.push(step);
    return step;
  }

  #read(around: Surroundings): Ask {
    return this.#statement(selectSql, "q", around);
  }

  #statement(sql: string, letter: string, { weather: { random, rates }, nextWhat }: Surroundings): Ask {
    const what = `${letter}${nextWhat()}`;
    const marks = [
      ...(random.chance(0.08) ? ["fails"] : []),
      ...(random.chance(0.03) ? ["ends"] : []),
      ...(random.chance(rates().endless) ? ["endless"] : []),
    ];
    const params = { tx: this.tie.number, sql, args: [what, ...marks] };
    return new Ask("step", "tx.execute", params, { what, tie: this.tie });
  }

  /** Sets one, or ends the one that is set. */
  #savepoints({ nextWhat }: Surroundings): Ask {
    const isSet = this.#savepoint?.outcome === "done";
    const sql = isSet ? `release ${this.#savepoint?.what}` : "savepoint";
    const what = `p${nextWhat()}`;
    const params = { tx: this.tie.number, sql: isSet ? sql : `${sql} ${what}` };
    const ask = new Ask("step", "tx.execute", params, { what, tie: this.tie });
    this.#savepoint = isSet ? undefined : ask;
    return ask;
  }

  /** One at a time, and none in what writes. */
  get #mayStream(): boolean {
    const stream = this.#stream;
    const isOver = stream === undefined || stream.over || stream.outcome === "none" || stream.outcome === "unknown";
    return isOver && (this.mode === "read" || this.steps.length === 0);
  }

  #streams({ weather: { random, rates }, nextWhat }: Surroundings): Ask {
    const what = `s${nextWhat()}`;
    const marks = [...(random.chance(0.1) ? ["fails"] : []), ...(random.chance(rates().endless) ? ["endless"] : [])];
    const params = {
      tx: this.tie.number,
      sql: selectSql,
      args: [what, ...marks],
      credit: random.pick([50, 200, 1000]),
    };
    this.#stream = new Ask("stream", "tx.stream", params, { what, tie: this.tie });
    return this.#stream;
  }
}

export function committing(number: number): string {
  return `c${number}`;
}

export function isCommit(what: string): boolean {
  return what.startsWith("c");
}
