/**
 * Files in proto/ that follow from the source: compared by a test, and written anew by the same test when it is run
 * with HOLDFAST_TEST_REWRITE=1 in the environment.
 */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The root of the repository, from out/test/protocol. */
export const root = fileURLToPath(new URL("../../../", import.meta.url));

export const rewriting = process.env["HOLDFAST_TEST_REWRITE"] === "1";

const way = "HOLDFAST_TEST_REWRITE=1 npm test -- protocol";

/** Says how to bring the file up to date when it is not as it should be. */
export function assertGolden(path: string, text: string): void {
  const place = join(root, path);
  if (rewriting) {
    mkdirSync(dirname(place), { recursive: true });
    writeFileSync(place, text);
    return;
  }
  assert.ok(existsSync(place), `${path} is missing; to write it: ${way}`);
  assert.equal(readFileSync(place, "utf8"), text, `${path} has drifted; to write it anew: ${way}`);
}

/** No file lies in the folder but these. */
export function assertOnly(folder: string, names: readonly string[]): void {
  const strays = readdirSync(join(root, folder)).filter((name) => !names.includes(name));
  if (rewriting) for (const name of strays) rmSync(join(root, folder, name));
  else assert.deepEqual(strays, [], `${folder} has files that no vector stands behind; to remove them: ${way}`);
}
