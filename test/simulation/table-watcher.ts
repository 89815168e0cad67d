/** The part of a program that watches tables: what it wants to be told of, and what it makes of it. */
import { type TableEffect, TableWatch, type Watched } from "../../src/client/conversation/index.js";
import type { Random } from "./random.js";
import { TableView } from "./table-view.js";
import { changeable, view } from "./tables.js";
import type { Cursor, ToldTables } from "./told-tables.js";

export interface TableWatcherParts {
  readonly random: Random;
  readonly truth: ToldTables;
  readonly handle: (event: { readonly kind: "watch" | "unwatch"; readonly watch: TableWatch }) => void;
}

/** How often, when it could ask something, a program that watches tables begins such a watch or ends one. */
const watcherChance = 0.35;
const actChance = 0.35;

export class TableWatcher {
  readonly #views: TableView[] = [];
  readonly #parts: TableWatcherParts;
  readonly #isWatcher: boolean;

  constructor(parts: TableWatcherParts) {
    this.#parts = parts;
    this.#isWatcher = parts.random.chance(watcherChance);
  }

  /** Everything that it watches has told it all. */
  get upToDate(): boolean {
    return this.#views.every(({ upToDate }) => upToDate);
  }

  /** Beside whatever else its program asks. */
  act(): void {
    const { random, handle } = this.#parts;
    if (!this.#isWatcher || !random.chance(actChance)) return;
    const [old] = this.#views;
    if (old !== undefined && random.chance(0.4)) {
      this.#forget(old);
      handle({ kind: "unwatch", watch: old.watch });
    } else {
      const watch = new TableWatch({ tables: this.#drawTables(), keys: random.chance(0.5), after: this.#drawAfter() });
      this.#views.push(new TableView(watch, this.#parts.truth));
      handle({ kind: "watch", watch });
    }
  }

  hear(effect: TableEffect): void {
    this.#views.find(({ watch }) => watch === effect.watch)?.hear(effect);
  }

  ended(watch: Watched): void {
    const over = this.#views.find((one) => one.watch === watch);
    if (over !== undefined) this.#forget(over);
  }

  /** It is dead, and another may go on from where it stopped. */
  leave(): void {
    for (const over of [...this.#views]) this.#forget(over);
  }

  #forget(over: TableView): void {
    this.#views.splice(this.#views.indexOf(over), 1);
    if (over.watch.after !== undefined) this.#parts.truth.cursor = over.watch.after;
  }

  #drawTables(): readonly string[] {
    const { random } = this.#parts;
    return random.pick([["t"], ["T"], ["u"], ["t", "u"], ["T", "U"], [changeable], ["t", changeable], ["t", view]]);
  }

  #drawAfter(): Cursor | undefined {
    const { random, truth } = this.#parts;
    if (random.chance(0.05)) return { seq: 1 + random.below(50), source: "nobody.0" };
    return random.chance(0.4) ? truth.cursor : undefined;
  }
}
