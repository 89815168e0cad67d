/** What a run prints: answers as they come, and at the end every target beside what was measured. */
import { table } from "./table.js";

export interface Target {
  readonly what: string;
  readonly goal: string;
  readonly measured: string;
  readonly met: boolean;
}

export class Report {
  readonly #write: (text: string) => void;
  readonly #targets: Target[] = [];

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  print(text: string): void {
    this.#write(`${text}\n`);
  }

  /** A figure to reach. Falling short is told and fails nothing: absolute figures belong to the machine. */
  target(target: Target): void {
    this.#targets.push(target);
    this.print(`→ ${target.what}: ${target.measured} (to reach: ${target.goal}) ${verdict(target)}`);
  }

  atLeast(what: string, value: number, goal: number, unit = ""): void {
    const shown = { goal: `at least ${goal}${unit}`, measured: `${value.toFixed(2)}${unit}` };
    this.target({ what, ...shown, met: value >= goal });
  }

  atMost(what: string, value: number, goal: number, unit = ""): void {
    const shown = { goal: `at most ${goal}${unit}`, measured: `${value.toFixed(2)}${unit}` };
    this.target({ what, ...shown, met: value <= goal });
  }

  targets(): void {
    if (this.#targets.length === 0) return;
    const rows = this.#targets.map((target) => [target.what, target.measured, target.goal, verdict(target)]);
    this.print(`\n${table(["target", "measured", "to reach", ""], rows)}`);
  }
}

function verdict({ met }: Target): string {
  return met ? "met" : "NOT MET";
}
