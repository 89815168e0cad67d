/**
 * Who is interested in a name: by the name itself, or by a beginning of it. However many are interested in others, a name
 * is looked up once, and once for each length that a wanted beginning has.
 */
import type { LockName } from "../../terms/index.js";

interface Interest {
  readonly name: LockName | undefined;
  /** Counts when there is no name; the empty one is every name's beginning. */
  readonly prefix: string;
}

export class NameIndex<One extends Interest> {
  readonly #byName = new Map<string, Set<One>>();
  readonly #byPrefix = new Map<string, Set<One>>();
  /** How many beginnings of each length there are. */
  readonly #lengths = new Map<number, number>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(one: One): void {
    this.#size++;
    if (one.name !== undefined) addTo(this.#byName, one.name, one);
    else if (addTo(this.#byPrefix, one.prefix, one)) this.#count(one.prefix.length, 1);
  }

  remove(one: One): void {
    this.#size--;
    if (one.name !== undefined) removeFrom(this.#byName, one.name, one);
    else if (removeFrom(this.#byPrefix, one.prefix, one)) this.#count(one.prefix.length, -1);
  }

  has(one: One): boolean {
    const all = one.name === undefined ? this.#byPrefix.get(one.prefix) : this.#byName.get(one.name);
    return all?.has(one) ?? false;
  }

  forEach(name: LockName, visit: (one: One) => void): void {
    for (const one of this.#byName.get(name) ?? []) visit(one);
    for (const length of this.#lengths.keys())
      if (length <= name.length) for (const one of this.#byPrefix.get(name.slice(0, length)) ?? []) visit(one);
  }

  #count(length: number, by: 1 | -1): void {
    const count = (this.#lengths.get(length) ?? 0) + by;
    if (count === 0) this.#lengths.delete(length);
    else this.#lengths.set(length, count);
  }
}

/** Whether it is the first under this key. */
function addTo<One>(all: Map<string, Set<One>>, key: string, one: One): boolean {
  const some = all.get(key);
  if (some !== undefined) some.add(one);
  else all.set(key, new Set([one]));
  return some === undefined;
}

/** Whether it was the last under this key. */
function removeFrom<One>(all: Map<string, Set<One>>, key: string, one: One): boolean {
  const some = all.get(key);
  some?.delete(one);
  if (some?.size !== 0) return false;
  all.delete(key);
  return true;
}
