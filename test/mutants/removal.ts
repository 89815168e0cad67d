/** A rule of the broker that is taken out on purpose: the tests with real processes and real faults must notice. */
import { type Mutant, mutated } from "./mutant.js";

export interface Removal {
  /** The number of the rule, as the comments of src/ give it, and a letter for each way to take it out. */
  readonly id: string;
  /** What the broker is without it: a sentence. */
  readonly without: string;
  readonly edits: readonly Edit[];
  /** Files below test/ that are sent after it, without their endings. */
  readonly tests: readonly string[];
  /** The names of the tests that speak of it. They go first, and the others of the files only if asked for. */
  readonly first: RegExp;
}

export type Edit = Pick<Mutant, "file" | "patch">;

/** The sources with the rule taken out of them, by path below the root. Throws when an edit does not fit any more. */
export function sourcesWithout({ id, without, edits }: Removal, root: string): Map<string, string> {
  return new Map(
    edits.map(({ file, patch }) => [file, mutated({ name: `${id}: ${without}`, rule: id, file, patch }, root)]),
  );
}

export function ruleOf({ id }: Pick<Removal, "id">): number {
  return Number.parseInt(id, 10);
}
