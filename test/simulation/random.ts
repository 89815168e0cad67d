/** Numbers that look random and are the same for the same seed. (Mulberry32, public domain.) */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 to below 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** A whole number from 0 to below `end`. */
  below(end: number): number {
    return Math.floor(this.next() * end);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** With this mean, as the times between things that happen by themselves. */
  exponential(mean: number): number {
    return -mean * Math.log(1 - this.next());
  }

  /** One of the keys, as often as its weight says. */
  weighted<Key extends string>(weights: { readonly [One in Key]: number }): Key {
    const keys = Object.keys(weights) as Key[];
    let left = this.next() * keys.reduce((sum, key) => sum + weights[key], 0);
    for (const key of keys) {
      left -= weights[key];
      if (left < 0) return key;
    }
    return keys[0] as Key;
  }

  pick<One>(from: readonly One[]): One {
    if (from.length === 0) throw new Error("nothing to pick from");
    return from[this.below(from.length)] as One;
  }
}
