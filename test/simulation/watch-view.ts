/** What a program that watches knows of who holds what: as it was at the beginning, and each event since. */
import type { Watch, WatchBegin } from "../../src/client/conversation/index.js";
import type { Held } from "./shadow.js";

type Fields = Readonly<Record<string, unknown>>;

export class WatchView {
  readonly watch: Watch;
  /** How many grants of a name each session has: `name session`. */
  readonly holders = new Map<string, number>();
  #last = 0;

  constructor(watch: Watch) {
    this.watch = watch;
  }

  began({ locks, upTo }: WatchBegin): void {
    this.holders.clear();
    for (const lock of locks as readonly Fields[])
      for (const holder of lock["holders"] as readonly Fields[]) this.#add(lock["name"], holder["session"], 1);
    this.#last = upTo;
  }

  events(events: readonly Fields[]): void {
    for (const { n, kind, name, session } of events) {
      if (Number(n) <= this.#last) throw new Error(`event ${String(n)} was told after ${this.#last}`);
      this.#last = Number(n);
      if (kind === "granted") this.#add(name, session, 1);
      if (kind === "released" || kind === "lost") this.#add(name, session, -1);
    }
  }

  /** Where it is wrong, if it is: compared when nothing is on its way. */
  errorBeside(held: Iterable<Held>): string | undefined {
    if (this.#last === 0) return undefined;
    const truth = new Map<string, number>();
    for (const { session, claims, ending } of held)
      for (const { name } of claims) if (!ending && this.#isAbout(name)) add(truth, `${name} ${session}`, 1);
    const all = new Set([...truth.keys(), ...this.holders.keys()]);
    return [...all].find((who) => truth.get(who) !== this.holders.get(who));
  }

  #isAbout(name: string): boolean {
    const { filter } = this.watch;
    return filter.name === undefined ? name.startsWith(filter.prefix ?? "") : name === filter.name;
  }

  #add(name: unknown, session: unknown, more: number): void {
    const who = `${String(name)} ${String(session)}`;
    if (add(this.holders, who, more) < 0) throw new Error(`${who} gave back what it did not hold`);
  }
}

function add(counts: Map<string, number>, who: string, more: number): number {
  const count = (counts.get(who) ?? 0) + more;
  if (count === 0) counts.delete(who);
  else counts.set(who, count);
  return count;
}
