/**
 * Durations in buckets that grow by two percent, from a tenth of a microsecond to a quarter of an hour: small enough to
 * send between processes, exact enough to compare percentiles, and mergeable.
 */
const growth = Math.log(1.02);
const leastUs = 0.1;

export interface HistogramData {
  readonly counts: readonly (readonly [bucket: number, count: number])[];
  readonly maxUs: number;
  readonly sumUs: number;
}

export class Histogram {
  readonly #counts = new Map<number, number>();
  #total = 0;
  #maxUs = 0;
  #sumUs = 0;

  add(us: number): void {
    const bucket = us <= leastUs ? 0 : Math.ceil(Math.log(us / leastUs) / growth);
    this.#counts.set(bucket, (this.#counts.get(bucket) ?? 0) + 1);
    this.#total++;
    this.#sumUs += us;
    if (us > this.#maxUs) this.#maxUs = us;
  }

  get total(): number {
    return this.#total;
  }

  get meanUs(): number {
    return this.#sumUs / Math.max(1, this.#total);
  }

  get maxUs(): number {
    return this.#maxUs;
  }

  /** The duration (µs) that the given share (0 to 1) of all stays below. */
  at(share: number): number {
    let seen = 0;
    for (const [bucket, count] of [...this.#counts].sort((a, b) => a[0] - b[0])) {
      seen += count;
      if (seen >= share * this.#total) return Math.min(this.#maxUs, leastUs * Math.exp(bucket * growth));
    }
    return this.#maxUs;
  }

  data(): HistogramData {
    return { counts: [...this.#counts], maxUs: this.#maxUs, sumUs: this.#sumUs };
  }

  merge({ counts, maxUs, sumUs }: HistogramData): void {
    for (const [bucket, count] of counts) {
      this.#counts.set(bucket, (this.#counts.get(bucket) ?? 0) + count);
      this.#total += count;
    }
    this.#maxUs = Math.max(this.#maxUs, maxUs);
    this.#sumUs += sumUs;
  }
}
