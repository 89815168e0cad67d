/** A bug that is planted on purpose: the source with one thought of it taken out. The tests must notice. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export interface Mutant {
  /** What the planted bug does, in a sentence that a user could report. */
  readonly name: string;
  /** The rule that it breaks. */
  readonly rule: string;
  /** Looked for in each run of the tests: a unit test finds it within seconds. */
  readonly sampled?: true;
  /** Below the root of the clone. */
  readonly file: string;
  /** Text of the source, and what stands in its place. Each must be there exactly once. */
  readonly patch: readonly (readonly [is: string, becomes: string])[];
}

/** The source with the bug in it. Throws when the patch does not fit any more. */
export function mutated({ name, file, patch }: Mutant, root: string): string {
  let text = readFileSync(join(root, file), "utf8");
  for (const [is, becomes] of patch) {
    const places = text.split(is).length - 1;
    if (places !== 1) throw new Error(`"${name}" does not fit ${file} any more: ${places} places have\n${is}`);
    text = text.replace(is, () => becomes);
  }
  return text;
}
