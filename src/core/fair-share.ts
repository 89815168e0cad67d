/**
 * Whose turn is it: deficit round robin between sessions (Shreedhar and Varghese 1996). Each session has a queue of its
 * own; a round gives every waiting session the same number of bytes, so that one that floods, or sends huge requests,
 * lengthens another's wait by no more than its share. Within a session, order of arrival.
 */

interface Sized {
  readonly parcel: { readonly size: number };
}

interface Line<Item> {
  readonly owner: string;
  items: Item[];
  /** Index of the first item not taken; the array is cut when it has grown stale. */
  head: number;
  /** Bytes that this session may still send in this round. */
  credit: number;
}

/** A request weighs at least this much, so that ten thousand tiny ones are not free. */
const sizeMin = 256;

export class FairShare<Item extends Sized> {
  readonly #lines = new Map<string, Line<Item>>();
  /** Lines with items, in the order of the round; the first is served now. */
  readonly #round: Line<Item>[] = [];
  readonly #quantum: number;
  #length = 0;

  /** `quantum`: bytes a session may send in one round. */
  constructor(quantum: number) {
    this.#quantum = quantum;
  }

  get length(): number {
    return this.#length;
  }

  /** How many sessions have something waiting. */
  get owners(): number {
    return this.#round.length;
  }

  /** Sessions that have something waiting. */
  waiting(): Set<string> {
    return new Set(this.#round.map((line) => line.owner));
  }

  lengthOf(owner: string): number {
    const line = this.#lines.get(owner);
    return line === undefined ? 0 : line.items.length - line.head;
  }

  firstOf(owner: string): Item | undefined {
    const line = this.#lines.get(owner);
    return line?.items[line.head];
  }

  push(owner: string, item: Item): void {
    this.#lineOf(owner).items.push(item);
    this.#length++;
  }

  /** Before the first of its session that is `behind` it. */
  insert(owner: string, item: Item, behind: (other: Item) => boolean): void {
    const { items, head } = this.#lineOf(owner);
    const at = items.findIndex((other, place) => place >= head && behind(other));
    items.splice(at < 0 ? items.length : at, 0, item);
    this.#length++;
  }

  /** Puts items back before everything else of their session (they had been taken and must run again). */
  putBack(owner: string, items: readonly Item[]): void {
    if (items.length === 0) return;
    const line = this.#lineOf(owner);
    line.items = [...items, ...line.items.slice(line.head)];
    line.head = 0;
    this.#length += items.length;
  }

  /** The next item whose owner `may` be served now; the order of the others does not change. */
  take(may: (owner: string) => boolean = () => true): Item | undefined {
    // Lines passed over since `poor`, the last that may be served and had not the credit for its first item.
    let passed = 0;
    let poor: Line<Item> | undefined;
    while (passed < this.#round.length) {
      const line = this.#round[0];
      if (line === undefined) return undefined;
      if (!may(line.owner)) {
        this.#rotate();
        passed++;
        continue;
      }
      const alone = this.#round.length === 1 || (line === poor && passed === this.#round.length - 1);
      passed = 0;
      const item = line.items[line.head];
      if (item === undefined) throw new Error("fair share: an empty line is in the round");
      const size = Math.max(item.parcel.size, sizeMin);
      if (line.credit < size) {
        line.credit += this.#quantum;
        // Who is alone need not wait for credit; otherwise the next one's turn has come.
        if (!alone) {
          poor = line;
          this.#rotate();
          continue;
        }
        line.credit = Math.max(line.credit, size);
      }
      line.credit -= size;
      this.#taken(line);
      return item;
    }
    return undefined;
  }

  /** The first item of one session, whoever's turn it is. */
  takeOf(owner: string): Item | undefined {
    const line = this.#lines.get(owner);
    const item = line?.items[line.head];
    if (line !== undefined) this.#taken(line);
    return item;
  }

  /** Takes out everything of one session, in order. */
  drop(owner: string): Item[] {
    const line = this.#lines.get(owner);
    if (line === undefined) return [];
    const items = line.items.slice(line.head);
    this.#length -= items.length;
    this.#remove(line);
    return items;
  }

  /** Takes out the items of a session that `chosen` picks. */
  dropSome(owner: string, chosen: (item: Item) => boolean): Item[] {
    const line = this.#lines.get(owner);
    if (line === undefined) return [];
    const waiting = line.items.slice(line.head);
    const out = waiting.filter(chosen);
    if (out.length === 0) return out;
    const gone = new Set(out);
    line.items = waiting.filter((item) => !gone.has(item));
    line.head = 0;
    this.#length -= out.length;
    if (line.items.length === 0) this.#remove(line);
    return out;
  }

  *all(): Iterable<Item> {
    for (const line of this.#round) for (let i = line.head; i < line.items.length; i++) yield line.items[i] as Item;
  }

  check(): void {
    let length = 0;
    for (const line of this.#round) {
      const waiting = line.items.length - line.head;
      if (waiting < 1) throw new Error("fair share: an empty line is in the round");
      length += waiting;
    }
    if (length !== this.#length) throw new Error("fair share: the count is wrong");
    if (this.#lines.size !== this.#round.length) throw new Error("fair share: a line is not in the round");
  }

  #lineOf(owner: string): Line<Item> {
    let line = this.#lines.get(owner);
    if (line === undefined) {
      line = { owner, items: [], head: 0, credit: this.#quantum };
      this.#lines.set(owner, line);
      this.#round.push(line);
    }
    return line;
  }

  #taken(line: Line<Item>): void {
    line.head++;
    this.#length--;
    if (line.head === line.items.length) this.#remove(line);
    else if (line.head > 1024 && line.head * 2 > line.items.length) {
      line.items.splice(0, line.head);
      line.head = 0;
    }
  }

  #rotate(): void {
    const first = this.#round.shift();
    if (first !== undefined) this.#round.push(first);
  }

  #remove(line: Line<Item>): void {
    this.#lines.delete(line.owner);
    const at = this.#round.indexOf(line);
    if (at >= 0) this.#round.splice(at, 1);
  }
}
