/**
 * The last commits that changed watched tables, by their numbers, so that a watch that lost its connection can go on.
 * The numbers rise and have gaps: not every commit changes a watched table. Bounded in commits and in bytes.
 */
import type { Seq } from "../../terms/index.js";
import type { ChangedTable } from "../command.js";

export interface Commit {
  readonly seq: Seq;
  readonly tables: readonly ChangedTable[];
  readonly bytes: number;
}

export class ChangeRing {
  readonly #commitsMax: number;
  readonly #bytesMax: number;
  #commits: Commit[] = [];
  /** Where the oldest is. */
  #first = 0;
  #bytes = 0;
  /** Every commit with a higher number is here. */
  #from: number;

  constructor(commitsMax: number, bytesMax: number) {
    this.#commitsMax = commitsMax;
    this.#bytesMax = bytesMax;
    this.#from = Number.POSITIVE_INFINITY;
  }

  /** Nothing is known any more of what was committed up to this number; from there on all is. */
  begin(from: Seq): void {
    this.#commits = [];
    this.#first = 0;
    this.#bytes = 0;
    this.#from = from;
  }

  /** The same, if nothing was known at all. */
  beginOnce(from: Seq): void {
    if (this.#from === Number.POSITIVE_INFINITY) this.begin(from);
  }

  /** Nothing is known, and nothing is kept. */
  forget(): void {
    this.begin(Number.POSITIVE_INFINITY as Seq);
  }

  push(commit: Commit): void {
    if (this.#from === Number.POSITIVE_INFINITY) return;
    this.#commits.push(commit);
    this.#bytes += commit.bytes;
    while (this.size > this.#commitsMax || (this.#bytes > this.#bytesMax && this.size > 0)) this.#dropFirst();
    if (this.#first > 1024 && this.#first > this.#commits.length / 2) {
      this.#commits = this.#commits.slice(this.#first);
      this.#first = 0;
    }
  }

  get size(): number {
    return this.#commits.length - this.#first;
  }

  /** All commits with a higher number, in order; absent if some of them are not known. */
  after(seq: number): readonly Commit[] | undefined {
    if (seq < this.#from) return undefined;
    let at = this.#commits.length;
    while (at > this.#first && (this.#commits[at - 1] as Commit).seq > seq) at--;
    return this.#commits.slice(at);
  }

  check(): void {
    let bytes = 0;
    let before = this.#from;
    for (const commit of this.#commits.slice(this.#first)) {
      if (commit.seq <= before) throw new Error("change ring: the numbers do not rise");
      before = commit.seq;
      bytes += commit.bytes;
    }
    if (bytes !== this.#bytes) throw new Error("change ring: the count of bytes is wrong");
  }

  #dropFirst(): void {
    const oldest = this.#commits[this.#first] as Commit;
    this.#from = oldest.seq;
    this.#bytes -= oldest.bytes;
    this.#first++;
  }
}
